// What PyTorch computes of integers, too: convolutions, products with a bias or factors, pooling
// and resizing; and what of it is refused.
#include <limits>

#include "gradus/autograd/images.h"
#include "gradus/tests/autograd/numbers.h"

namespace gradus::testing {
namespace {

constexpr Dtype integers[] = {Dtype::i32, Dtype::i64, Dtype::u8};

/// 0, 1 and 2: sums of some dozen products fit a byte.
Tensor small(const Shape& shape, std::uint64_t seed, Dtype dtype) {
  return floor(uniform(shape, seed, 0, 3, Dtype::f64)).to(dtype);
}

/// f of integers is what f of the same numbers as doubles is, in any memory, and has no gradient.
template <class F>
void expect_exact(const Shape& x_shape, const Shape& w_shape, const Shape& bias_shape, F f) {
  for (Dtype dtype : integers) {
    SCOPED_TRACE(std::string(to_string(dtype)));
    const Tensor x = small(x_shape, 1, dtype), w = small(w_shape, 2, dtype),
                 bias = small(bias_shape, 3, dtype);
    const Tensor y = f(x, w, bias);
    EXPECT_FALSE(y.requires_grad());
    expect_same_bits(y, f(x.to(Dtype::f64), w.to(Dtype::f64), bias.to(Dtype::f64)).to(dtype));
    const Tensor turned = x.transpose(1, -1).contiguous().transpose(1, -1);
    expect_same_bits(f(turned, w, bias), y);
  }
}

TEST(Integers, AreConvolvedExactly) {
  expect_exact({2, 4, 9}, {6, 6}, {6}, [](const Tensor& x, const Tensor& w, const Tensor& b) {
    return conv1d(x, w.reshape({6, 2, 3}), b, 2, 3, 2, 2);
  });
  expect_exact({2, 4, 7, 6}, {4, 18}, {4}, [](const Tensor& x, const Tensor& w, const Tensor& b) {
    return conv2d(x, w.reshape({4, 2, 3, 3}), b, {2, 1}, {1, 2}, {2, 1}, 2);
  });
  expect_exact({2, 2, 4, 5, 4}, {3, 24}, {3},
               [](const Tensor& x, const Tensor& w, const Tensor& b) {
                 return conv3d(x, w.reshape({3, 2, 2, 3, 2}), b, {1, 2, 1}, {1, 1, 0});
               });
  expect_exact({2, 4, 5}, {4, 6}, {4}, [](const Tensor& x, const Tensor& w, const Tensor& b) {
    return conv_transpose1d(x, w.reshape({4, 2, 3}), b, 3, 1, 2, 2, 4);
  });
  expect_exact({2, 4, 4, 5}, {4, 18}, {4}, [](const Tensor& x, const Tensor& w, const Tensor& b) {
    return conv_transpose2d(x, w.reshape({4, 2, 3, 3}), b, {2, 3}, {1, 0}, {1, 2}, 2, {1, 2});
  });
}

TEST(Integers, WrapWhereSumsDoNotFit) {
  expect_exactly(conv1d(u8({200, 100}).reshape({1, 2}), u8({2, 3}).reshape({1, 1, 2})), {188});
  const Tensor top = full({1, 1}, 2147483647, {Dtype::i32});
  expect_exactly(conv1d(top, full({1, 1, 1}, 2, {Dtype::i32}), full({1}, 3, {Dtype::i32})), {1});
  expect_exactly(linear(u8({200, 100}), u8({2, 3}).reshape({1, 2}), u8({70})), {2});
}

TEST(Integers, AreThemselvesBeyondWhatADoubleHolds) {
  constexpr std::int64_t big = (std::int64_t{1} << 53) + 1,
                         top = std::numeric_limits<std::int64_t>::max(),
                         low = std::numeric_limits<std::int64_t>::min();
  const auto values = [](const Tensor& t) { return t.to_vector<std::int64_t>(); };
  using Is = std::vector<std::int64_t>;
  const Tensor one = full({1}, big, {Dtype::i64});
  EXPECT_EQ(values(one), Is{big});
  EXPECT_EQ(values(full_like(one, top)), Is{top});
  EXPECT_EQ(values(zeros({2}, {Dtype::i64}).fill_(low)), (Is{low, low}));
  EXPECT_EQ(values(clamp(one, 0)), Is{big});
  EXPECT_EQ(values(clamp(i64({5, 7}), big, big + 4)), (Is{big, big}));
  EXPECT_EQ(values(clamp(i64({-5, 7}), {}, -big)), (Is{-big, -big}));
  EXPECT_EQ(values(one.clone().clamp_(big - 2, top)), Is{big});
  EXPECT_EQ(values(arange(big, big + 3, 1, {Dtype::i64})), (Is{big, big + 1, big + 2}));
  EXPECT_EQ(values(arange(top, top - 5, -2, {Dtype::i64})), (Is{top, top - 2, top - 4}));
  EXPECT_EQ(values(arange(low, top, top, {Dtype::i64})), (Is{low, -1, top - 1}));
  EXPECT_EQ(arange(3, 3, 1, {Dtype::i64}).numel(), 0);
  EXPECT_EQ(arange(3, 9, -1, {Dtype::i64}).numel(), 0);
  EXPECT_EQ(values(arange(0.5, 3.2, 0.9, {Dtype::i64})), (Is{0, 1, 2}));
  EXPECT_EQ(to_string(one), "tensor([9007199254740993])");
  EXPECT_EQ(to_string(full({}, low, {Dtype::i64})), "tensor(-9223372036854775808)");
  EXPECT_EQ(values(full({1}, 300, {Dtype::u8}).to(Dtype::i64)),
            values(full({1}, 300.0, {Dtype::u8}).to(Dtype::i64)));
}

TEST(Integers, ProductsTakeBiasAndFactors) {
  const Tensor a = i64({1, 2, 3, 4}, {2, 2}), c = i64({10, 20});
  expect_exactly(linear(a, a, c), {15, 31, 21, 45});
  expect_exactly(linear(a.reshape({1, 2, 2}), a, c), {15, 31, 21, 45});
  expect_exactly(addmm(c, a, a, 3, 2), {44, 80, 60, 104});
  expect_exactly(baddbmm(c, a.unsqueeze(0), a.unsqueeze(0), 0, -1), {-7, -10, -15, -22});
  const std::int64_t large = (std::int64_t{1} << 60) + 1;  // which double would round
  expect_exactly(addmm(i64({0}), i64({1}, {1, 1}), i64({1}, {1, 1}), 1, large) - large, {0});
}

TEST(Integers, ArePooled) {
  for (Dtype dtype : integers) {
    const Tensor x = small({2, 3, 7, 8}, 4, dtype), real = x.to(Dtype::f64);
    const auto [y, places] = max_pool2d_with_indices(x, {3, 2}, 2, 1, {1, 2}, true);
    const auto [expected, where] = max_pool2d_with_indices(real, {3, 2}, 2, 1, {1, 2}, true);
    expect_same_bits(y, expected.to(dtype));
    expect_same_bits(places, where);
    expect_same_bits(max_pool2d(x, 2), max_pool2d(real, 2).to(dtype));
    expect_same_bits(adaptive_max_pool2d(x, {3, 5}), adaptive_max_pool2d(real, {3, 5}).to(dtype));
  }
  // Padding wins nowhere, not even where nothing is larger than the lowest number.
  const Tensor low = full({1, 4}, std::numeric_limits<std::int32_t>::lowest(), {Dtype::i32});
  expect_same_bits(max_pool1d(low, 3, 1, 1), low);
  expect_exactly(max_pool1d_with_indices(low, 3, 1, 1).indices, {0, 0, 1, 2});

  const Tensor x = i64({-7, 2, 3, 4, 5, 7}, {1, 6});
  expect_exactly(avg_pool1d(x, 2), {-2, 3, 6});
  expect_exactly(avg_pool1d(x, 3, 3, 1), {-1, 4});
  expect_exactly(avg_pool2d(x.unsqueeze(0), {1, 2}, 0, 0, false, true, -2), {2, -3, -6});
  const Tensor lowest = full({1, 1, 1}, 1, {Dtype::i64}) * std::numeric_limits<std::int64_t>::min();
  expect_same_bits(avg_pool2d(lowest, 1, 0, 0, false, true, -1), lowest);
  const Tensor image = i64({1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}, {1, 2, 2, 3});
  const Tensor last = in_order(image, true);
  expect_same_bits(avg_pool2d(last, 2, 1).contiguous(), avg_pool2d(image, 2, 1));
}

TEST(Integers, AreResized) {
  const Tensor x = u8({0, 10, 20, 255, 3, 9}).reshape({1, 1, 2, 3});
  expect_exactly(interpolate(x, Pair(2, 5)), {0, 0, 10, 10, 20, 255, 255, 3, 3, 9});
  // Along W first: 0 5 10 15 20 and 255 129 3 6 9, then along H.
  expect_exactly(interpolate(x, Pair(3, 5), {}, "bilinear", true),
                 {0, 5, 10, 15, 20, 128, 67, 7, 11, 15, 255, 129, 3, 6, 9});
  const Tensor line = i64({1, 2, 3}, {1, 1, 3});
  expect_exactly(interpolate(line, 5), {1, 1, 2, 2, 3});
  expect_exactly(interpolate(line.reshape({1, 1, 1, 1, 3}), Triple(2, 1, 2)), {1, 2, 1, 2});
}

TEST(Integers, AreRefusedWhereTheyMeanNothing) {
  const Tensor x = ones({1, 1, 3}, {Dtype::i64}), w = ones({1, 1, 2}, {Dtype::i64});
  expect_error(ErrorKind::dtype, {"conv1d", "f32"}, [&] { conv1d(x, w.to(Dtype::f32)); });
  expect_error(ErrorKind::dtype, {"conv1d", "bias is f32"}, [&] { conv1d(x, w, ones({1})); });
  expect_error(ErrorKind::dtype, {"conv_transpose1d", "bias is i32"},
               [&] { conv_transpose1d(x, w, ones({1}, {Dtype::i32})); });
  expect_error(ErrorKind::dtype, {"conv1d", "boolean"},
               [&] { conv1d(x.to(Dtype::boolean), w.to(Dtype::boolean)); });
  expect_error(ErrorKind::dtype, {"i64"}, [&] { conv1d(x, w).set_requires_grad(true); });

  const Tensor m = ones({2, 2}, {Dtype::i64});
  expect_error(ErrorKind::argument, {"addmm", "integers for i64", "0.5"},
               [&] { addmm(m, m, m, 1, 0.5); });
  expect_error(ErrorKind::argument, {"baddbmm", "0.5"},
               [&] { baddbmm(m, m.unsqueeze(0), m.unsqueeze(0), 0.5); });
  expect_error(ErrorKind::dtype, {"addmm", "c is i32"}, [&] { addmm(m.to(Dtype::i32), m, m); });
  expect_error(ErrorKind::dtype, {"linear", "i32"}, [&] { linear(m, m, m[0].to(Dtype::i32)); });

  expect_error(ErrorKind::dtype, {"avg_pool2d", "i32"}, [] {
    avg_pool1d(ones({1, 4}, {Dtype::i32}), 2);
  });
  expect_error(ErrorKind::dtype, {"max_pool2d", "boolean"}, [] {
    max_pool1d(ones({1, 4}, {Dtype::boolean}), 2);
  });
  expect_error(ErrorKind::dtype, {"interpolate", "i32"}, [] {
    interpolate(ones({1, 1, 2, 2}, {Dtype::i32}), 3, {}, "bilinear");
  });
}

}  // namespace
}  // namespace gradus::testing
