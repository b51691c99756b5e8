// What a program may get wrong around the engine: answered, never obeyed.
#include <gtest/gtest.h>

#include <limits>
#include <vector>

#include "gradus/autograd/functions.h"
#include "gradus/autograd/graph.h"
#include "gradus/autograd/node.h"
#include "gradus/kernels/literal.h"
#include "gradus/nn/nn.h"
#include "gradus/tests/allocations.h"

namespace gradus {
namespace {

using Values = std::vector<double>;
Values values(const Tensor& t) { return t.to_vector<double>(); }

TEST(Misuse, AHookMayReplaceAGradientByOneOfItsShapeOnly) {
  const Tensor x = ones({3, 4}, {.requires_grad = true});
  const Tensor y = softmax(x, 1);
  y.register_hook([](const Tensor&) { return ones({2, 2}); });
  EXPECT_THROW(y.sum().backward(), Error);
  const Tensor leaf = ones({2}, {.requires_grad = true});
  const int key = leaf.register_hook([](const Tensor&) { return ones({3, 3}); });
  EXPECT_THROW((leaf * 2.0).sum().backward(), Error);
  leaf.remove_hook(key);
  leaf.zero_grad();
  leaf.register_hook([](const Tensor&) { return full({2}, 5.0, {Dtype::f64}); });
  (leaf * 2.0).sum().backward();
  EXPECT_EQ(leaf.grad().dtype(), Dtype::f32);
  EXPECT_EQ(values(leaf.grad()), (Values{5, 5}));
}

TEST(Misuse, SizesThatNobodyHasMemoryForAreAnErrorAtOnce) {
  const Tensor x = ones({1, 1, 4, 4});
  constexpr std::int64_t huge = std::int64_t{1} << 58, most = std::int64_t{1} << 62;
  for (const std::int64_t n : {most, most / 2, most / 4, most - 1}) {
    EXPECT_THROW(empty({n}), Error) << n;
    EXPECT_THROW(empty({n, 1}, {Dtype::f64}), Error) << n;
    EXPECT_THROW(empty_strided({3}, {n}), Error) << n;
  }
  EXPECT_EQ(empty_strided({0, 3}, {most, most}).numel(), 0);
  EXPECT_THROW(adaptive_avg_pool2d(x, {huge, huge}), Error);
  EXPECT_THROW(adaptive_max_pool2d(x, {most, 3}), Error);
  EXPECT_THROW(one_hot(zeros({1}, {Dtype::i64}), -2), Error);
  if (!testing::allocations_are_counted()) return;  // a sanitizer ends the program at terabytes
  EXPECT_THROW(interpolate(x, Pair(huge, huge), {}), Error);
  EXPECT_THROW(interpolate(x, {}, 1e17, "bilinear"), Error);
}

TEST(Misuse, BooleansHaveNoMinusInPlaceEither) {
  const Tensor b = full({2}, true, {Dtype::boolean});
  EXPECT_THROW(b.neg_(), Error);
  EXPECT_THROW(b.sub_(b), Error);
  EXPECT_EQ(values(b), (Values{1, 1}));
}

TEST(Misuse, AHookMayRemoveItselfAndAddOthers) {
  const Tensor x = ones({2}, {.requires_grad = true});
  int first = 0, calls = 0;
  first = x.register_hook([&](const Tensor& g) {
    x.remove_hook(first);
    for (int i = 0; i < 20; ++i) x.register_hook([&](const Tensor&) { return ++calls, Tensor(); });
    return g * 2.0;
  });
  (x * 3.0).sum().backward();
  EXPECT_EQ(values(x.grad()), (Values{6, 6}));
  EXPECT_EQ(calls, 0) << "those that were added come with the next backward";
  (x * 3.0).sum().backward();
  EXPECT_EQ(calls, 20);
}

TEST(Misuse, AGradientOfAnotherKindIsAddedToAsItShould) {
  const Tensor x = ones({2, 3}, {.requires_grad = true});
  x.set_grad(ones({2, 3}, {Dtype::f64}));
  matmul(x, ones({3, 4})).sum().backward();
  EXPECT_EQ(values(x.grad()), Values(6, 5));
  EXPECT_THROW(x.set_grad(ones({2, 3}, {Dtype::i64})), Error);
  const Tensor y = ones({2}, {.requires_grad = true});
  y.set_grad(zeros({}).expand({2}));
  (y * tensor({3.0, 5.0})).sum().backward();
  EXPECT_EQ(values(y.grad()), (Values{3, 5}));
}

TEST(Misuse, WhatACustomBackwardKeepsIsChecked) {
  const Tensor x = tensor({0.0, 1.0}, {.requires_grad = true});
  const Tensor y = custom(
      "my_exp", {x}, [](const std::vector<Tensor>& in) { return exp(in[0]); },
      [](const Tensor& dy, const std::vector<Tensor>&, const Tensor& kept) {
        return std::vector<Tensor>{dy * kept};
      });
  {
    const NoGrad guard;
    y.detach().mul_(10.0);
  }
  EXPECT_THROW(y.sum().backward(), Error);
}

TEST(Misuse, ACheckpointMovesStatisticsOnce) {
  nn::BatchNorm1d plain(2), again(2);
  const auto moved = [&](nn::BatchNorm1d& net, bool checkpointed) {
    const Tensor x = arange(4).to(Dtype::f32).reshape({2, 2}).set_requires_grad(true);
    const auto run = [&](const std::vector<Tensor>& v) { return net(v[0]); };
    (checkpointed ? checkpoint(run, {x}) : run({x})).sum().backward();
    EXPECT_EQ(net.num_batches_tracked.item<std::int64_t>(), 1);
    return values(net.running_mean);
  };
  EXPECT_EQ(moved(again, true), moved(plain, false));
}

TEST(Misuse, ArgumentsThatLeaveNothingOrOverflowAreErrors) {
  constexpr std::int64_t most = std::numeric_limits<std::int64_t>::max();
  EXPECT_THROW(pad(ones({1, 1, 3}), {-3, 1}, "circular"), Error);
  EXPECT_THROW(pad(zeros({1, 1, 0}), {-1, 3}), Error);
  EXPECT_THROW(pad(ones({1, 1, 2}), {1, -3}), Error);
  EXPECT_THROW(pad(ones({5}), {most, most}), Error);
  EXPECT_THROW(pixel_shuffle(ones({1, 4, 4, 4}), std::int64_t{1} << 33), Error);
  EXPECT_THROW(from_data(nullptr, {2}), Error);
  EXPECT_THROW(repeat(ones({2}), {std::int64_t{1} << 62}), Error);
  EXPECT_THROW(ones({4}).narrow(0, 1, most), Error);
  EXPECT_EQ(values(tril(ones({2, 2}), most)), Values(4, 1));
  EXPECT_EQ(values(triu(ones({2, 2}), -most)), Values(4, 1));
}

}  // namespace
}  // namespace gradus
