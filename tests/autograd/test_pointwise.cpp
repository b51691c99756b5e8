// What the table of op cases does not say: dtypes of mixed operands, ties and kinks, special
// values, errors.
#include <gtest/gtest.h>

#include <cmath>

#include "gradus/autograd/functions.h"
#include "gradus/autograd/gradcheck.h"
#include "gradus/autograd/node.h"
#include "gradus/tests/autograd/numbers.h"

namespace gradus {
namespace {

using namespace testing;

Tensor truth(std::vector<double> v) { return f64(std::move(v)) != 0; }

void expect_values(const Tensor& t, Dtype dtype, const Values& expected) {
  EXPECT_EQ(t.dtype(), dtype);
  expect_exactly(t, expected);
}

/// y = f(x) and dx for dy = 1.
void expect_y_dx(const std::function<Tensor(const Tensor&)>& f, std::vector<double> x,
                 std::vector<double> y, std::vector<double> dx) {
  const Tensor leaf = f64(x).set_requires_grad(true);
  const Tensor out = f(leaf);
  expect_values(out.detach(), Dtype::f64, y);
  out.backward(ones(out.shape(), out.options()));
  expect_values(leaf.grad(), Dtype::f64, dx);
}

TEST(Pointwise, ANumberDecidesTheDtypeOnlyByItsCategory) {
  expect_values(i64({1, 2}) + 1, Dtype::i64, {2, 3});
  expect_values(i64({1, 2}) + 1.5, Dtype::f32, {2.5, 3.5});
  expect_values(floats({1, 2}) * 2, Dtype::f32, {2, 4});
  expect_values(f64({1, 2}) * 2.5, Dtype::f64, {2.5, 5});
  expect_values(u8({1, 2}) - 2, Dtype::u8, {255, 0});
  expect_values(2 - i64({1, 5}), Dtype::i64, {1, -3});
  expect_values(1 / i64({2, 4}), Dtype::f32, {.5, .25});
  expect_values(truth({1, 0}) + 1, Dtype::i64, {2, 1});
  expect_values(truth({1, 0}) + 1.5, Dtype::f32, {2.5, 1.5});
  expect_values(truth({1, 0}) + true, Dtype::boolean, {1, 1});
  expect_values(i64({1, 2}).to(Dtype::bf16) + 0.5, Dtype::bf16, {1.5, 2.5});
  const std::int64_t big = (std::int64_t{1} << 53) + 1;
  EXPECT_EQ((i64({1}) + big).item<std::int64_t>(), big + 1);
}

TEST(Pointwise, TensorsPromoteAsInPyTorch) {
  expect_values(i64({7}) / i64({2}), Dtype::f32, {3.5});
  expect_values(i64({1}) + floats({.5}), Dtype::f32, {1.5});
  expect_values(floats({1}) + full({}, 2.5, {Dtype::f64}), Dtype::f32, {3.5});
  expect_values(full({}, 2.5, {Dtype::f64}) + floats({1}), Dtype::f32, {3.5});
  expect_values(i64({1}) + full({}, 2.5, {Dtype::f64}), Dtype::f64, {3.5});
  expect_values(full({}, 2.5, {Dtype::f64}) + i64({1}), Dtype::f64, {3.5});
  expect_values(truth({1, 0}) + truth({1, 1}), Dtype::boolean, {1, 1});
  expect_values(truth({1, 0}) * truth({1, 1}), Dtype::boolean, {1, 0});
  expect_values(maximum(i64({1}), floats({2.5})), Dtype::f32, {2.5});
  expect_values(pow(i64({2, -1, 1, 5}), i64({3, -3, -1, -1})), Dtype::i64, {8, -1, 1, 0});
  expect_values(pow(i64({3}), 2), Dtype::i64, {9});
  expect_values(pow(i64({4}), 0.5), Dtype::f32, {2});
  expect_values(pow(2, i64({3})), Dtype::i64, {8});
  expect_values(floor(i64({3})), Dtype::i64, {3});
  expect_values(abs(i64({-3})), Dtype::i64, {3});
  expect_values(sqrt(truth({1, 0})), Dtype::f32, {1, 0});
  expect_values(clamp(i64({-5, 5}), -1, 2), Dtype::i64, {-1, 2});
  expect_values(clamp(i64({-5, 5}), -1, 2.5), Dtype::f32, {-1, 2.5});
  expect_values(remainder(i64({5, -5}), i64({3, 3})), Dtype::i64, {2, 1});
  expect_values(fmod(i64({5, -5}), 3), Dtype::i64, {2, -2});
  expect_values(floats({1, 2, 3}).to(Dtype::f16) + floats({1, 2, 3}).to(Dtype::bf16), Dtype::f32,
                {2, 4, 6});
}

TEST(Pointwise, ComparisonsGiveTruthValues) {
  const Tensor a = floats({1, 2, 3}), b = floats({3, 2, 1});
  expect_values(a == b, Dtype::boolean, {0, 1, 0});
  expect_values(a != b, Dtype::boolean, {1, 0, 1});
  expect_values(a < b, Dtype::boolean, {1, 0, 0});
  expect_values(a <= b, Dtype::boolean, {1, 1, 0});
  expect_values(a > b, Dtype::boolean, {0, 0, 1});
  expect_values(a >= b, Dtype::boolean, {0, 1, 1});
  expect_values(a > 1.5, Dtype::boolean, {0, 1, 1});
  expect_values(2 > a, Dtype::boolean, {1, 0, 0});
  expect_values(i64({1, 2}) > 1.5, Dtype::boolean, {0, 1});
  expect_values(floats({0.1f}) == 0.1, Dtype::boolean, {1});  // the number becomes f32 first
  const std::int64_t big = (std::int64_t{1} << 53) + 1;
  expect_values(i64({big, big - 1}) == big, Dtype::boolean, {1, 0});
  expect_values(logical_and(floats({2, 0}), i64({1, 1})), Dtype::boolean, {1, 0});
  expect_values(logical_xor(truth({1, 0}), truth({1, 1})), Dtype::boolean, {0, 1});
  expect_values(logical_not(f64({0, 2, nan})), Dtype::boolean, {1, 0, 0});
  expect_values(isnan(f64({nan, inf, 1})), Dtype::boolean, {1, 0, 0});
  expect_values(isinf(f64({nan, -inf, 1})), Dtype::boolean, {0, 1, 0});
  expect_values(isfinite(f64({nan, inf, 1})), Dtype::boolean, {0, 0, 1});
  expect_values(isfinite(i64({1})), Dtype::boolean, {1});
  expect_values(f64({nan, nan}) == f64({nan, 1}), Dtype::boolean, {0, 0});
}

TEST(Pointwise, KinksTiesAndSpecialValuesAreAsInPyTorch) {
  expect_y_dx([](auto& x) { return relu(x); }, {nan, 0, -1, 2}, {nan, 0, 0, 2}, {1, 0, 0, 1});
  expect_y_dx([](auto& x) { return abs(x); }, {nan, 0, -2}, {nan, 0, 2}, {0, 0, -1});
  expect_y_dx([](auto& x) { return clamp(x, -1, 1); }, {nan, 1, -1, inf}, {nan, 1, -1, 1},
              {0, 1, 1, 0});
  expect_y_dx([](auto& x) { return hardtanh(x); }, {nan, 1, -1, inf}, {nan, 1, -1, 1},
              {1, 0, 0, 0});
  expect_y_dx([](auto& x) { return threshold(x, 1, 5); }, {nan, 1, 2}, {nan, 5, 2}, {1, 0, 1});
  expect_y_dx([](auto& x) { return elu(x); }, {nan, inf, -inf, 0}, {nan, inf, -1, 0},
              {nan, 1, 0, 1});
  expect_y_dx([](auto& x) { return pow(x, 0); }, {nan, 0, 1}, {1, 1, 1}, {0, 0, 0});
  expect_y_dx([](auto& x) { return nan_to_num(x); }, {nan, inf, -inf, 1},
              {0, std::numeric_limits<double>::max(), -std::numeric_limits<double>::max(), 1},
              {0, 0, 0, 1});
  expect_y_dx(
      [](auto& x) {
        return maximum(x, f64({1, nan, 1}));
      },
      {nan, 1, 1}, {nan, nan, 1}, {1, 1, .5});
  expect_y_dx(
      [](auto& x) {
        return minimum(x, f64({1, nan, 1}));
      },
      {nan, 1, 1}, {nan, nan, 1}, {1, 1, .5});
  expect_y_dx(
      [](auto& x) {
        return fmax(x, f64({1, nan, 1}));
      },
      {nan, 1, 1}, {1, 1, 1}, {0, 1, 0.5});
  expect_y_dx(
      [](auto& x) {
        return fmin(f64({1, nan, 1}), x);
      },
      {nan, 1, 1}, {1, 1, 1}, {0, 1, 0.5});
  expect_y_dx([](auto& x) { return pow(x, f64({0, 1, 2})); }, {0, 0, -2}, {1, 0, 4}, {0, 1, -4});
  expect_y_dx(
      [](auto& x) {
        return pow(f64({0, 0, 0, 2}), x);
      },
      {0, 1, 2.5, 3}, {1, 0, 0, 8}, {0, 0, 0, 8 * std::log(2.0)});
  expect_y_dx([](auto& x) { return remainder(x, f64({3, 3})); }, {5, -5}, {2, 1}, {1, 1});
  expect_values(sign(f64({nan, -0.0, -3})), Dtype::f64, {0, 0, -1});
  expect_values(round(f64({0.5, 1.5, -2.5})), Dtype::f64, {0, 2, -2});
  expect_values(nan_to_num(floats({HUGE_VALF}).to(Dtype::f16)), Dtype::f16, {65504});
}

TEST(Pointwise, DerivativesHoldInTheTails) {
  const auto dx = [](auto f, float at) {
    const Tensor x = floats({at}).set_requires_grad(true);
    f(x).backward();
    return static_cast<double>(x.grad().template item<float>());
  };
  const auto near = [](double got, double expected) {
    EXPECT_NEAR(got / expected, 1, 2e-6) << expected;
  };
  near(dx([](auto& x) { return elu(x); }, -30), std::exp(-30.0));
  near(dx([](auto& x) { return expm1(x); }, -30), std::exp(-30.0));
  near(dx([](auto& x) { return logsigmoid(x); }, 30), std::exp(-30.0));
  near(dx([](auto& x) { return softplus(x); }, -60), std::exp(-60.0));
  near(dx([](auto& x) { return erf(x); }, 8), 2 / std::sqrt(M_PI) * std::exp(-64.0));
  expect_y_dx([](auto& x) { return erf(x); }, {inf, -inf, 40}, {1, -1, 1}, {0, 0, 0});
  near(dx([](auto& x) { return silu(x); }, -50), std::exp(-50.0) * (1 - 50.0));
  near(dx([](auto& x) { return sigmoid(x); }, -60), std::exp(-60.0));
  near(dx([](auto& x) { return atan2(x, floats({1e25f})); }, 1e24f), 1e25 / (1e48 + 1e50));
}

TEST(Pointwise, WhereLerpAndMasksPassGradientsWhereTheyBelong) {
  const Tensor mask = truth({1, 0, 1});
  expect_y_dx(
      [&](auto& x) {
        return where(mask, x, f64({7, 8, 9}));
      },
      {1, 2, 3}, {1, 8, 3}, {1, 0, 1});
  expect_y_dx([&](auto& x) { return where(mask, 0.5, x); }, {1, nan, 3}, {.5, nan, .5}, {0, 1, 0});
  expect_y_dx([&](auto& x) { return masked_fill(x, mask, -inf); }, {1, 2, 3}, {-inf, 2, -inf},
              {0, 1, 0});
  expect_y_dx(
      [&](auto& x) {
        return clamp(x, f64({1, 1, 1}), f64({2, 2, 2}));
      },
      {1, 1.5, 3}, {1, 1.5, 2}, {0.5, 1, 0});  // half of a tie
  expect_values(lerp(f64({1, 1}), f64({3, 3}), f64({.25, 1})), Dtype::f64, {1.5, 3});
  expect_values(masked_fill(i64({1, 2, 3}), mask, 9), Dtype::i64, {9, 2, 9});
}

TEST(Pointwise, BadArgumentsAreTypedErrors) {
  expect_error(
      ErrorKind::shape,
      [] {
        floats({1, 2}) + floats({1, 2, 3});
      },
      "add: shapes do not");
  expect_error(
      ErrorKind::dtype, [] { -truth({1}); }, "neg: ");
  expect_error(
      ErrorKind::dtype, [] { truth({1}) - truth({1}); }, "sub: ");
  expect_error(
      ErrorKind::argument, [] { pow(i64({2}), -1); }, "negative integer power");
  expect_error(
      ErrorKind::argument,
      [] {
        fmod(i64({2, 3}), i64({1, 0}));
      },
      "division by zero");
  expect_error(
      ErrorKind::argument, [] { remainder(i64({2}), 0); }, "division by zero");
  expect_error(
      ErrorKind::argument, [] { add(i64({1}), i64({1}), 1.5); }, "alpha");
  expect_error(
      ErrorKind::argument, [] { gelu(floats({1}), "erf"); }, "gelu: ");
  expect_error(
      ErrorKind::dtype, [] { where(floats({1}), floats({1}), floats({1})); }, "boolean condition");
  expect_error(
      ErrorKind::shape,
      [] {
        glu(floats({1, 2, 3}));
      },
      "glu: ");
  expect_error(
      ErrorKind::shape,
      [] {
        prelu(ones({2, 3}), ones({2}));
      },
      "prelu: ");
  expect_error(
      ErrorKind::argument, [] { clamp(floats({1}), std::nullopt); }, "clamp: ");
}

TEST(Pointwise, EmptyTensorsPassThrough) {
  const Tensor x = empty({0, 3}).set_requires_grad(true);
  const Tensor y = exp(x) * ones({3}) + 1;
  EXPECT_EQ(y.shape(), Shape({0, 3}));
  y.backward(empty({0, 3}));
  EXPECT_EQ(x.grad().shape(), Shape({0, 3}));
}

}  // namespace
}  // namespace gradus
