// What the table of op cases does not say of reductions: values, dtypes, empty tensors, ties, NaN,
// zeros under products, errors, and bits that do not depend on threads.
#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "gradus/autograd/functions.h"
#include "gradus/tensor/parallel.h"
#include "gradus/tests/autograd/numbers.h"

namespace gradus {
namespace {

using namespace testing;

void expect_dx(const std::function<Tensor(const Tensor&)>& f, Tensor x, const Values& dx) {
  x.set_requires_grad(true);
  const Tensor y = f(x);
  y.backward(ones(y.shape(), y.options()));
  expect_exactly(x.grad(), dx);
}

TEST(Reduce, ShapesAndValues) {
  const Tensor x = arange(24, {Dtype::f64}).reshape({2, 3, 4});
  EXPECT_EQ(sum(x).shape(), Shape());
  EXPECT_EQ(sum(x, -2).shape(), Shape({2, 4}));
  EXPECT_EQ(sum(x, {0, -1}, true).shape(), Shape({1, 3, 1}));
  expect_exactly(sum(x, {0, 2}), {60, 92, 124});
  expect_exactly(mean(x, {1, 2}), {5.5, 17.5});
  expect_exactly(prod(x.slice(2, 1, 3), 2).select(0, 0), {2, 30, 90});
  expect_exactly(amax(x, {0, 1}), {20, 21, 22, 23});
  expect_exactly(argmax(x, 1).select(0, 0), {2, 2, 2, 2});
  expect_exactly(argmin(x), {0});
  expect_exactly(cumsum(x.select(0, 0), 0).select(0, 2), {12, 15, 18, 21});
  expect_exactly(var(f64({1, 2, 3, 4})), {5.0 / 3});
  expect_exactly(std(f64({2, 4}), {}, 0), {1});
  expect_exactly(norm(f64({3, -4})), {5});
  expect_exactly(norm(f64({3, 0, -4}), 0), {2});
  expect_exactly(norm(f64({3, -4}), inf), {4});
  expect_exactly(logsumexp(f64({1000, 1000}), 0), {1000 + std::log(2.0)});
  expect_exactly(sum(full({}, 7, {Dtype::f64}), 0), {7});
}

TEST(Reduce, DtypesAreAsInPyTorch) {
  EXPECT_EQ(sum(u8({200, 200})).dtype(), Dtype::i64);
  expect_exactly(sum(u8({200, 200})), {400});
  expect_exactly(sum(f64({1, 0, 2}) > 0), {2});
  EXPECT_EQ(prod(u8({200, 200})).dtype(), Dtype::i64);
  EXPECT_EQ(cumsum(u8({200, 200}), 0).dtype(), Dtype::i64);
  expect_exactly(cumsum(u8({200, 200}), 0), {200, 400});
  EXPECT_EQ(amax(u8({3, 200})).dtype(), Dtype::u8);
  expect_exactly(amax(u8({3, 200})), {200});
  EXPECT_EQ(amax(f64({1, 0}) > 0).dtype(), Dtype::boolean);
  EXPECT_EQ(argmax(u8({3, 200})).dtype(), Dtype::i64);
  EXPECT_EQ(any(u8({0, 2})).dtype(), Dtype::u8);
  expect_exactly(any(u8({0, 2})), {1});
  expect_exactly(all(u8({0, 2})), {0});
  EXPECT_EQ(all(i64({0, 2})).dtype(), Dtype::boolean);
  EXPECT_THROW(mean(u8({1})), Error);
  expect_exactly(mean(u8({1, 2}), {}, false, Dtype::f32), {1.5});
  // Half types are summed in float: 4096 ones in bf16 would stop at 256.
  EXPECT_EQ(sum(ones({4096}, {Dtype::bf16})).item<float>(), 4096);
  EXPECT_EQ(mean(full({4096}, 3, {Dtype::f16})).item<float>(), 3);
}

TEST(Reduce, NothingToReduce) {
  const Tensor e = empty({0, 3}, {Dtype::f64});
  expect_exactly(sum(e, 0), {0, 0, 0});
  expect_exactly(prod(e, 0), {1, 1, 1});
  expect_exactly(mean(e, 0), {nan, nan, nan});
  expect_exactly(all(e), {1});
  expect_exactly(any(e), {0});
  EXPECT_EQ(sum(e, 1).shape(), Shape({0}));
  EXPECT_EQ(amax(e, 1).shape(), Shape({0}));
  EXPECT_EQ(argmax(e, 1).shape(), Shape({0}));
  EXPECT_EQ(cumsum(e, 0).shape(), Shape({0, 3}));
  EXPECT_THROW(amax(e, 0), Error);
  EXPECT_THROW(argmax(e, 0), Error);
  EXPECT_THROW(argmax(e), Error);
  expect_dx([](auto& x) { return sum(x, 0); }, e.clone(), {});
}

TEST(Reduce, NanAndTies) {
  expect_exactly(amax(f64({1, nan, 3})), {nan});
  expect_exactly(amin(f64({1, nan, 3})), {nan});
  expect_exactly(amax(f64({-inf, -inf})), {-inf});
  expect_exactly(argmax(f64({1, nan, 3, nan})), {1});
  expect_exactly(argmin(f64({1, nan, 3, nan})), {1});
  expect_exactly(argmax(f64({1, 3, 3})), {1});
  expect_exactly(argmax(f64({1, 5, nan, 5, 7, nan}, {3, 2}), 0), {1, 2});
  Values many(5000, 1.0);
  many[4500] = 2;
  many[4900] = 2;
  expect_exactly(argmax(f64(many)), {4500});
  many[4200] = nan;
  expect_exactly(argmax(f64(many)), {4200});
  expect_dx([](auto& x) { return amax(x); }, f64({2, 2, 1}), {.5, .5, 0});
  expect_dx([](auto& x) { return amax(x); }, f64({nan, 2, 1}), {nan, nan, nan});
  expect_dx([](auto& x) { return norm(x); }, f64({0, 0}), {0, 0});
  expect_dx([](auto& x) { return norm(x, 1); }, f64({0, -2}), {0, -1});
  expect_dx([](auto& x) { return norm(x, inf); }, f64({2, -2, 1}), {.5, -.5, 0});
  expect_dx([](auto& x) { return std(x); }, f64({2, 2}), {0, 0});
  expect_exactly(logsumexp(f64({-inf, -inf}), 0), {-inf});
  expect_exactly(logsumexp(f64({inf, 1}), 0), {inf});
}

TEST(Reduce, ProductsWithZeros) {
  expect_dx([](auto& x) { return prod(x); }, f64({2, 3, 5}), {15, 10, 6});
  expect_dx([](auto& x) { return prod(x); }, f64({2, 0, 5}), {0, 10, 0});
  expect_dx([](auto& x) { return prod(x); }, f64({0, 0, 5}), {0, 0, 0});
  expect_dx([](auto& x) { return prod(x, 0); }, f64({2, 0, 5, 1}, {2, 2}), {5, 1, 2, 0});
  expect_dx([](auto& x) { return cumprod(x, 0); }, f64({2, 0, 5}), {1, 12, 0});
}

TEST(Reduce, LongSumsAreAccurate) {
  std::mt19937 random(3);
  std::vector<float> v(1'000'003);
  double exact = 0;
  for (float& f : v) exact += f = std::uniform_real_distribution<float>(0, 1)(random);
  const Tensor x = from_data(v.data(), {static_cast<std::int64_t>(v.size())});
  EXPECT_NEAR(sum(x).item<float>() / exact, 1, 2e-7);
  const Tensor tall = x.slice(0, 0, 1'000'000).reshape({500'000, 2});
  EXPECT_NEAR(sum(sum(tall, 0)).item<float>() / exact, 1, 1e-5);  // one element fewer: 3 of 1e6
}

TEST(Reduce, BitsDoNotDependOnThreads) {
  const int before = num_threads();
  std::mt19937 random(5);
  std::vector<float> v(300'000);
  for (float& f : v) f = std::normal_distribution<float>()(random);
  const Tensor x = from_data(v.data(), {60, 5000});
  const auto all_results = [&] {
    std::vector<float> bits;
    for (const Tensor& y : {sum(x), sum(x, 0), sum(x, 1), sum(x.t(), 0), var(x, 1)}) {
      for (float f : y.to_vector<float>()) bits.push_back(f);
    }
    return bits;
  };
  set_num_threads(1);
  const auto one = all_results();
  set_num_threads(3);
  EXPECT_EQ(one, all_results());
  set_num_threads(before);
}

TEST(Reduce, ASharedInputGetsBothGradients) {
  // The gradient of a sum repeats one number without storing it: adding to it must not write there.
  expect_dx([](auto& x) { return sum(x) + sum(x * f64({1, 2, 3})); }, f64({1, 1, 1}), {2, 3, 4});
  const Tensor x = f64({1, 1, 1}).set_requires_grad(true);
  const Tensor m = x * 2;
  (sum(m) + sum(m * f64({1, 2, 3}))).backward();
  expect_exactly(x.grad(), {4, 6, 8});
}

TEST(Reduce, BadDimensionsAreTypedErrors) {
  const Tensor x = f64({1, 2}, {1, 2});
  const auto kind = [](auto f) {
    try {
      f();
    } catch (const Error& e) {
      return e.kind();
    }
    return ErrorKind::internal;
  };
  EXPECT_EQ(kind([&] { sum(x, 2); }), ErrorKind::argument);
  EXPECT_EQ(kind([&] { sum(x, {0, -2}); }), ErrorKind::argument);
  EXPECT_EQ(kind([&] { cumsum(x, -3); }), ErrorKind::argument);
  EXPECT_EQ(kind([&] { argmax(x, 5); }), ErrorKind::argument);
}

}  // namespace
}  // namespace gradus
