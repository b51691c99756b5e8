// In-place forms: values, versions, gradients through them, and what is refused.
#include <gtest/gtest.h>

#include <functional>

#include "gradus/autograd/functions.h"
#include "gradus/autograd/node.h"
#include "gradus/kernels/literal.h"

namespace gradus {
namespace {

using Values = std::vector<double>;

Values values(const Tensor& t) { return t.to_vector<double>(); }

TEST(InPlace, WritesIntoTheTensorItself) {
  const Tensor x = tensor({1.0, 2.0, -3.0}, {Dtype::f64});
  const void* memory = x.data();
  const std::uint64_t version = x.raw()->storage->version.load();
  x.add_(1).mul_(tensor({2, 2, 2}, {Dtype::f64})).sub_(x, 0.5).div_(4);
  EXPECT_EQ(values(x), (Values{.5, .75, -.5}));
  x.abs_().clamp_(0.6, std::nullopt).neg_().relu_().add_(4).sqrt_().pow_(3);
  EXPECT_EQ(values(x), (Values{8, 8, 8}));
  x.masked_fill_(tensor({true, false, false}), -1).lerp_(zeros({3}, x.options()), 0.25);
  EXPECT_EQ(values(x), (Values{-.75, 6, 6}));
  x.addcmul_(x, x, 2).addcdiv_(x, tensor({2}, {Dtype::f64}));
  EXPECT_EQ(values(x), (Values{(-.75 + 1.125) * 1.5, 117, 117}));
  EXPECT_EQ(x.data(), memory);
  EXPECT_GT(x.raw()->storage->version.load(), version);
}

TEST(InPlace, DtypesStay) {
  const Tensor i = tensor({1, 2});
  i.add_(1).mul_(i);
  EXPECT_EQ(i.dtype(), Dtype::i64);
  EXPECT_EQ(values(i), (Values{4, 9}));
  for (auto f : {+[](const Tensor& t) { t.add_(1.5); }, +[](const Tensor& t) { t.div_(2); },
                 +[](const Tensor& t) { t.exp_(); },
                 +[](const Tensor& t) {
                   t.mul_(tensor({1.5, 2.5}));
                 }}) {
    try {
      f(i);
      FAIL();
    } catch (const Error& e) {
      EXPECT_EQ(e.kind(), ErrorKind::dtype) << e.what();
    }
  }
  const Tensor h = tensor({1.0, 2.0}, {Dtype::bf16});
  h.add_(tensor({0.5, 0.5}, {Dtype::f64}));
  EXPECT_EQ(h.dtype(), Dtype::bf16);
  EXPECT_EQ(values(h), (Values{1.5, 2.5}));
  const Tensor b = tensor({true, false});
  b.add_(tensor({false, false}));
  EXPECT_EQ(values(b), (Values{1, 0}));
}

TEST(InPlace, ViewsOfItselfAreReadBeforeTheyAreWritten) {
  const Tensor x = tensor({{1, 2}, {3, 4}}, {Dtype::f32});
  x.add_(x.t());
  EXPECT_EQ(values(x), (Values{2, 5, 5, 8}));
  x.mul_(x[0]);
  EXPECT_EQ(values(x), (Values{4, 25, 10, 40}));
  x.copy_(x.t());
  EXPECT_EQ(values(x), (Values{4, 10, 25, 40}));
  x.slice(0, 0, 1).fill_(0);
  EXPECT_EQ(values(x), (Values{0, 0, 25, 40}));
}

TEST(InPlace, GradientsGoThrough) {
  const Tensor x = tensor({1.0, -2.0}, {.dtype = Dtype::f64, .requires_grad = true});
  const Tensor y = x * 3.0;
  y.add_(x).exp_().mul_(2.0);
  y.backward(ones({2}, {Dtype::f64}));
  const Values got = values(x.grad());
  EXPECT_DOUBLE_EQ(got[0], 8 * std::exp(4.0));
  EXPECT_DOUBLE_EQ(got[1], 8 * std::exp(-8.0));
}

TEST(InPlace, OnALeafOnlyUnderNoGradAndItStaysOne) {
  const Tensor w = tensor({1.0, 2.0}, {.requires_grad = true});
  EXPECT_THROW(w.add_(1), Error);
  EXPECT_THROW(w.mul_(w), Error);
  EXPECT_THROW(w.relu_(), Error);
  {
    const NoGrad guard;
    w.add_(1).sub_(w, 0.5).masked_fill_(w > 1.2, 7).copy_(w * 2).addcmul_(w, w);
  }
  EXPECT_TRUE(w.requires_grad());
  EXPECT_TRUE(w.is_leaf());
  EXPECT_EQ(values(w), (Values{6, 210}));
}

TEST(InPlace, AChangedOperandIsFoundAtTheBackward) {
  const Tensor x = tensor({1.0, 2.0}, {.requires_grad = true}), w = tensor({3.0, 4.0});
  const Tensor y = x * w;
  w.add_(1);
  EXPECT_THROW(y.backward(ones({2})), Error);
}

/// What an op keeps of the tensor that it writes is kept as it was.
TEST(InPlace, OpsThatNeedWhatWasThereKeepIt) {
  const auto same = [](const char* name, const std::function<void(const Tensor&)>& in_place,
                       const std::function<Tensor(const Tensor&)>& op) {
    const Tensor a = tensor({0.5, 2.0}, {.requires_grad = true});
    const Tensor b = tensor({0.5, 2.0}, {.requires_grad = true});
    const Tensor y = a * 3.0;
    in_place(y);
    (y * y).backward(ones({2}));
    const Tensor z = op(b * 3.0);
    (z * z).backward(ones({2}));
    EXPECT_EQ(values(y), values(z)) << name;
    EXPECT_EQ(values(a.grad()), values(b.grad())) << name;
  };
  const Tensor c = tensor({2.0, -3.0}), w = tensor({3.0, 4.0}, {.requires_grad = true});
  same(
      "mul_", [&](const Tensor& y) { y.mul_(c); }, [&](const Tensor& x) { return mul(x, c); });
  same(
      "div_", [&](const Tensor& y) { y.div_(c); }, [&](const Tensor& x) { return div(x, c); });
  same(
      "square_", [](const Tensor& y) { y.square_(); }, [](const Tensor& x) { return square(x); });
  same(
      "abs_", [](const Tensor& y) { y.abs_(); }, [](const Tensor& x) { return abs(x); });
  same(
      "log_", [](const Tensor& y) { y.log_(); }, [](const Tensor& x) { return log(x); });
  same(
      "exp_", [](const Tensor& y) { y.exp_(); }, [](const Tensor& x) { return exp(x); });
  same(
      "pow_", [](const Tensor& y) { y.pow_(3); }, [](const Tensor& x) { return pow(x, 3); });
  same(
      "clamp_", [](const Tensor& y) { y.clamp_(0, 2); },
      [](const Tensor& x) { return clamp(x, 0, 2); });
  const Tensor x = tensor({1.0, 2.0}, {.requires_grad = true}), z = x * 1.0;
  z.mul_(w);
  z.backward(ones({2}));
  EXPECT_EQ(values(w.grad()), (Values{1, 2}));
  EXPECT_EQ(values(x.grad()), (Values{3, 4}));
}

TEST(InPlace, PlacesThatAreSharedAndFractionsOfIntegersAreRefused) {
  const Tensor shared = tensor({1.0}).expand({4});
  EXPECT_THROW(shared.add_(1), Error);
  EXPECT_THROW(shared.mul_(ones({4})), Error);
  EXPECT_THROW(shared.copy_(ones({4})), Error);
  EXPECT_THROW(shared.fill_(2), Error);
  const Tensor whole = zeros({2}, {Dtype::i64});
  EXPECT_THROW(whole.add_(ones({2}, {Dtype::i64}), 0.5), Error);
  EXPECT_THROW(whole.sub_(ones({2}, {Dtype::i64}), 1.5), Error);
  whole.copy_(tensor({1.7, -2.7}));
  EXPECT_EQ(whole.to_vector<std::int64_t>(), (std::vector<std::int64_t>{1, -2}));
}

TEST(InPlace, ShapesStay) {
  const Tensor x = ones({2, 1});
  EXPECT_THROW(x.add_(ones({2, 3})), Error);
  EXPECT_THROW(x.masked_fill_(ones({2, 3}) > 0, 1), Error);
  EXPECT_EQ(x.shape(), Shape({2, 1}));
}

TEST(Literal, ShapesAndDtypes) {
  EXPECT_EQ(tensor({{1, 2, 3}, {4, 5, 6}}).shape(), Shape({2, 3}));
  EXPECT_EQ(tensor({{1, 2}, {3, 4}}).dtype(), Dtype::i64);
  EXPECT_EQ(tensor({{{1.5}}}).shape(), Shape({1, 1, 1}));
  EXPECT_EQ(tensor({1, 2.5}).dtype(), Dtype::f32);
  EXPECT_EQ(tensor({true, false}).dtype(), Dtype::boolean);
  EXPECT_EQ(tensor(3).shape(), Shape());
  EXPECT_EQ(tensor({}).shape(), Shape({0}));
  EXPECT_EQ(tensor(std::vector<float>{1, 2}).dtype(), Dtype::f32);
  EXPECT_EQ(tensor(std::vector<int>{1, 2}, {Dtype::u8}).dtype(), Dtype::u8);
  const std::int64_t big = (std::int64_t{1} << 53) + 1;
  EXPECT_EQ(tensor({big})[0].item<std::int64_t>(), big);
  EXPECT_TRUE(tensor({1.0}, {.requires_grad = true}).requires_grad());
  EXPECT_THROW(tensor({{1, 2}, {3}}), Error);
}

}  // namespace
}  // namespace gradus
