// What the tables of op cases do not say of joining, cutting and indexing: values, order, dtypes,
// empty tensors, errors.
#include <gtest/gtest.h>

#include <cmath>

#include "gradus/autograd/functions.h"
#include "gradus/tensor/parallel.h"
#include "gradus/tests/autograd/numbers.h"

namespace gradus {
namespace {

using namespace testing;

TEST(Join, CatStackAndTheirInverses) {
  const Tensor a = f64({1, 2, 3, 4}, {2, 2}), b = f64({5, 6}, {2, 1});
  expect_exactly(cat({a, b}, 1), {1, 2, 5, 3, 4, 6});
  EXPECT_EQ(stack({a, a}, -1).shape(), Shape({2, 2, 2}));
  expect_exactly(stack({a, a}, -1), {1, 1, 2, 2, 3, 3, 4, 4});
  EXPECT_EQ(cat({a, i64({7, 8}, {1, 2})}).dtype(), Dtype::f64);
  EXPECT_EQ(split(arange(5), 2).size(), 3u);
  expect_exactly(split(arange(5), 2)[2], {4});
  EXPECT_EQ(chunk(arange(5), 4).size(), 3u);  // as in PyTorch: pieces of 2
  EXPECT_EQ(split(arange(5), {1, 4})[1].numel(), 4);
  EXPECT_EQ(unbind(a, 1)[1].to_vector<double>(), (Values{2, 4}));
  EXPECT_EQ(cat({empty({0, 2}), ones({1, 2})}).shape(), Shape({1, 2}));
  expect_error(
      ErrorKind::shape,
      [&] {
        cat({a, b}, 0);
      },
      "cat: shapes differ");
  expect_error(
      ErrorKind::argument, [] { cat({}); }, "cat: no tensors");
  expect_error(
      ErrorKind::shape,
      [&] {
        stack({a, b});
      },
      "stack: shapes differ");
  expect_error(
      ErrorKind::shape,
      [&] {
        split(a, {1, 2});
      },
      "split: ");
}

TEST(Join, PartsShareOneGradient) {
  const Tensor x = f64({1, 2, 3}).set_requires_grad(true);
  const Tensor m = x * 1.0;  // a computed tensor: its parts add into one pending gradient
  const auto parts = split(m, 1);
  (sum(parts[0] * 2) + sum(parts[2] * 3) + sum(m.slice(0, 0, 2))).backward();
  expect_exactly(x.grad(), {3, 1, 3});
  sum(x.slice(0, 1, 3)).backward();  // and so do those of a leaf
  expect_exactly(x.grad(), {3, 2, 4});
}

TEST(Join, RollFlipRepeatPad) {
  expect_exactly(roll(arange(5), 2), {3, 4, 0, 1, 2});
  expect_exactly(roll(arange(5), -7), {2, 3, 4, 0, 1});
  expect_exactly(flip(arange(3), 0), {2, 1, 0});
  expect_exactly(flip(i64({1, 2, 3, 4}, {2, 2}), {0, 1}), {4, 3, 2, 1});
  expect_exactly(repeat(arange(2), {2, 2}), {0, 1, 0, 1, 0, 1, 0, 1});
  expect_exactly(tile(f64({1, 2}, {2, 1}), {2}), {1, 1, 2, 2});
  expect_exactly(repeat_interleave(arange(3), i64({2, 0, 1}), 0), {0, 0, 2});
  const Tensor x = arange(3);
  const Tensor same = repeat(x, {1});
  same.fill_(9);  // a copy even where nothing is repeated
  expect_exactly(x, {0, 1, 2});
  expect_exactly(pad(arange(3), {2, 1}, "constant", 7), {7, 7, 0, 1, 2, 7});
  expect_exactly(pad(arange(3), {2, 2}, "reflect"), {2, 1, 0, 1, 2, 1, 0});
  expect_exactly(pad(arange(3), {2, 2}, "replicate"), {0, 0, 0, 1, 2, 2, 2});
  expect_exactly(pad(arange(3), {2, 2}, "circular"), {1, 2, 0, 1, 2, 0, 1});
  expect_exactly(pad(arange(4), {-1, -2}), {1});
  expect_error(
      ErrorKind::shape,
      [] {
        pad(arange(3), {3, 0}, "reflect");
      },
      "pad: reflect");
  expect_error(
      ErrorKind::argument,
      [] {
        pad(arange(3), {1, 0}, "mirror");
      },
      "pad: mode");
  expect_exactly(tril(f64({1, 2, 3, 4, 5, 6}, {2, 3}), 1), {1, 2, 0, 4, 5, 6});
  expect_exactly(triu(f64({1, 2, 3, 4, 5, 6}, {3, 2})), {1, 2, 0, 4, 0, 0});
  expect_exactly(tril(f64({1, 2, 3, 4}, {2, 2}), -5), {0, 0, 0, 0});
  expect_exactly(diag(f64({1, 2}), -1), {0, 0, 0, 1, 0, 0, 0, 2, 0});
  expect_exactly(meshgrid({arange(2), arange(3)})[1], {0, 1, 2, 0, 1, 2});
}

TEST(Index, GatherScatterSelectAdd) {
  const Tensor x = f64({1, 2, 3, 4, 5, 6}, {2, 3});
  expect_exactly(gather(x, 1, i64({2, 0, 1, 1}, {2, 2})), {3, 1, 5, 5});
  expect_exactly(gather(x, 0, i64({1, 0}, {1, 2})), {4, 2});
  expect_exactly(index_select(x, 1, i64({2, 2, 0}).to(Dtype::i32)), {3, 3, 1, 6, 6, 4});
  expect_exactly(index_add(x, 0, i64({1, 1}), x), {1, 2, 3, 9, 12, 15});
  expect_exactly(scatter(x, 1, i64({0, 0, 2, 2}, {2, 2}), f64({7, 8, 9, 10}, {2, 2})),
                 {8, 2, 3, 4, 5, 10});
  expect_exactly(scatter(x, 0, i64({1, 1, 1}, {1, 3}), 0), {1, 2, 3, 0, 0, 0});
  expect_exactly(scatter_add(x, 1, i64({0, 0, 2, 2}, {2, 2}), f64({7, 8, 9, 10}, {2, 2})),
                 {16, 2, 3, 4, 5, 25});
  expect_exactly(index(x, {i64({1, 0}), i64({2, 2})}), {6, 3});
  expect_exactly(index(x, {i64({1})}), {4, 5, 6});
  expect_exactly(index_put(x, {i64({0, 0}), i64({1, 1})}, f64({8, 9})), {1, 9, 3, 4, 5, 6});
  expect_exactly(one_hot(i64({2, 0})), {0, 0, 1, 1, 0, 0});
  expect_exactly(masked_select(x, x > 2.5), {3, 4, 5, 6});
  expect_exactly(nonzero(f64({0, nan, 3, 0}, {2, 2})), {0, 1, 1, 0});
  EXPECT_EQ(nonzero(zeros({2, 2})).shape(), Shape({0, 2}));
  EXPECT_EQ(index_select(x, 0, empty({0}, {Dtype::i64})).shape(), Shape({0, 3}));
  expect_exactly(take_along_dim(x, i64({-1, 0, -3}, {1, 3}), 1), {3, 1, 1, 6, 4, 4});
}

TEST(Index, AnIndexOfNothingIsOfAnyKind) {
  const Tensor x = testing::leaf(ones({2, 3}));
  const Tensor y = gather(x, 1, empty({5, 0}, {Dtype::u8}));
  EXPECT_EQ(y.shape(), Shape({5, 0}));
  y.sum().backward();
  expect_exactly(x.grad(), {0, 0, 0, 0, 0, 0});
  expect_error(ErrorKind::dtype, {"gather", "u8"}, [&] {
    gather(x, 1, ones({1, 1}, {Dtype::u8}));
  });
}

TEST(Index, SortIsStableAndPutsNanLast) {
  const Tensor x = f64({3, nan, 1, 3, 2});
  expect_exactly(sort(x).values, {1, 2, 3, 3, nan});
  expect_exactly(sort(x).indices, {2, 4, 0, 3, 1});
  expect_exactly(sort(x, 0, true).indices, {1, 0, 3, 4, 2});
  expect_exactly(topk(x, 2).values, {nan, 3});
  expect_exactly(topk(x, 2, 0, false).indices, {2, 4});
  expect_exactly(max(f64({1, 7, 7})).to(Dtype::f32), {7});
  const auto best = max(f64({1, 7, 7, 9, 2, 9}, {2, 3}), 1);
  expect_exactly(best.values, {7, 9});
  expect_exactly(best.indices, {1, 0});
  EXPECT_EQ(best.values.shape(), Shape({2}));
}

TEST(Index, AddingInTheOrderOfTheIndexForAnyThreadCount) {
  const int before = num_threads();
  const std::int64_t n = 20'000, width = 300;
  const Tensor index = remainder(arange(n, {Dtype::i64}) * 7919, 13);
  const Tensor src = sin(arange(n * width).reshape({n, width}));
  std::vector<std::vector<float>> results;
  for (int threads : {1, 3}) {
    set_num_threads(threads);
    results.push_back(index_add(zeros({13, width}), 0, index, src).to_vector<float>());
    results.push_back(scatter_add(zeros({13, width}), 0, index.unsqueeze(1).expand({n, width}), src)
                          .to_vector<float>());
  }
  set_num_threads(before);
  for (const auto& r : results) EXPECT_EQ(r, results[0]);
}

TEST(Index, BadIndicesAreNamed) {
  const Tensor x = ones({2, 3});
  const auto out_of_range = [](auto f, const char* what) {
    expect_error(ErrorKind::argument, f, what);
  };
  out_of_range(
      [&] {
        gather(x, 1, i64({0, 3}, {2, 1}));
      },
      "gather: index 3 is out of range for size 3 of dimension 1");
  out_of_range([&] { gather(x, 0, i64({-1}, {1, 1})); }, "gather: index -1");
  out_of_range([&] { take_along_dim(x, i64({-4}, {1, 1}), 1); }, "index -1 is out of range");
  out_of_range([&] { scatter_add(x, 0, i64({2}, {1, 1}), ones({1, 1})); }, "scatter_add: index 2");
  out_of_range([&] { index_select(x, 1, i64({5})); }, "index_select: index 5");
  out_of_range([&] { index_add(x, 1, i64({5}), ones({2, 1})); }, "index_add: index 5");
  out_of_range(
      [&] {
        index(x, {i64({0}), i64({4})});
      },
      "index: index 4 is out of range for size 3");
  out_of_range([&] { one_hot(i64({4}), 3); }, "one_hot: index 4");
  out_of_range([&] { topk(x, 4); }, "topk: ");
  expect_error(
      ErrorKind::dtype,
      [&] {
        gather(x, 0, ones({1, 1}));
      },
      "gather: expected an i64");
  expect_error(
      ErrorKind::shape, [&] { gather(x, 0, i64({0})); }, "gather: index (1)");
  expect_error(
      ErrorKind::shape,
      [&] {
        gather(x, 0, i64({0, 0, 0, 0}, {1, 4}));
      },
      "gather: ");
  expect_error(
      ErrorKind::shape,
      [&] {
        index_add(x, 0, i64({0}), ones({2, 3}));
      },
      "index_add: ");
  expect_error(
      ErrorKind::shape,
      [&] {
        index_select(x, 0, i64({0}, {1, 1}));
      },
      "index_select: ");
  expect_error(
      ErrorKind::shape,
      [&] {
        scatter(x, 0, i64({0, 1}, {2, 1}), ones({1, 1}));
      },
      "scatter: ");
}

}  // namespace
}  // namespace gradus
