// The optimizers against plain f64 loops, and what a step must leave alone.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "gradus/autograd/functions.h"
#include "gradus/optim/optim.h"
#include "gradus/tests/optim/reference.h"

namespace gradus {
namespace {

Tensor leaf(std::vector<double> values, Dtype dtype = Dtype::f64) {
  const std::int64_t n = static_cast<std::int64_t>(values.size());
  return from_data(values.data(), {n}, {Dtype::f64}).to(dtype).set_requires_grad(true);
}

void set_gradient(const Tensor& t, std::vector<double> values) {
  t.set_grad(from_data(values.data(), t.shape(), {Dtype::f64}).to(t.dtype()));
}

/// A gradient that depends on step and element.
double made_gradient(int step, int i) { return std::sin(0.7 * step + i) * (i + 1); }

TEST(Optimizer, AdamWWithClippingAndAverageIsItsFormula) {
  const int n = 5, steps = 1000;
  Tensor w = leaf({0.5, -1, 2, 0.1, -0.3});
  optim::AdamW opt({w}, {.lr = 0.01, .weight_decay = 0.1, .max_grad_norm = 2, .ema_decay = 0.99});
  std::vector<double> p = w.to_vector<double>(), m(n), v(n), average(n);
  for (int s = 0; s < steps; ++s) {
    std::vector<double> g(n);
    double square = 0;
    for (int i = 0; i < n; ++i) {
      g[i] = made_gradient(s, i);
      square += g[i] * g[i];
    }
    set_gradient(w, g);
    opt.step();
    const double factor = std::min(1.0, 2 / (std::sqrt(square) + 1e-6));
    for (int i = 0; i < n; ++i) {
      const double h = g[i] * factor;
      p[i] *= 1 - 0.01 * 0.1;
      m[i] = 0.9 * m[i] + 0.1 * h;
      v[i] = 0.999 * v[i] + 0.001 * h * h;
      const double root = std::sqrt(v[i]) / std::sqrt(1 - std::pow(0.999, s + 1));
      p[i] -= 0.01 / (1 - std::pow(0.9, s + 1)) * m[i] / (root + 1e-8);
      average[i] = s == 0 ? p[i] : 0.99 * average[i] + 0.01 * p[i];
    }
  }
  const std::vector<double> got = w.to_vector<double>();
  for (int i = 0; i < n; ++i) EXPECT_NEAR(got[i], p[i], 1e-12 * std::abs(p[i]));
  EXPECT_EQ(opt.applied().item<std::int64_t>(), steps);
  {
    const optim::AverageGuard guard = opt.ema();
    const std::vector<double> averaged = w.to_vector<double>();
    for (int i = 0; i < n; ++i) EXPECT_NEAR(averaged[i], average[i], 1e-12 * std::abs(p[i]));
    EXPECT_THROW(opt.step(), Error);
    EXPECT_THROW((void)opt.ema(), Error);
  }
  EXPECT_EQ(w.to_vector<double>(), got);
}

TEST(Optimizer, ANonFiniteGradientChangesNothing) {
  Tensor w = leaf({1, 2, 3}, Dtype::f32), b = leaf({4}, Dtype::f32);
  optim::AdamW opt(std::vector<Parameter>{{w, "w", Role::weight}, {b, "b", Role::bias}},
                   {.ema_decay = 0.9});
  set_gradient(w, {1, 1, 1});
  set_gradient(b, {1});
  opt.step();
  const auto before = opt.state_dict();
  const std::vector<double> weights = w.to_vector<double>();
  set_gradient(b, {optim_reference::infinity});
  opt.step();
  set_gradient(b, {std::nan("")});
  opt.step();
  EXPECT_EQ(w.to_vector<double>(), weights);
  EXPECT_EQ(opt.skipped().item<std::int64_t>(), 2);
  EXPECT_EQ(opt.non_finite_parameters(), std::vector<std::string>{"b"});
  for (const auto& [key, t] : opt.state_dict()) {
    if (key.rfind("clock", 0) == 0) continue;
    EXPECT_EQ(t.to_vector<double>(), before.at(key).to_vector<double>()) << key;
  }
  set_gradient(b, {1});
  opt.step();
  EXPECT_NE(w.to_vector<double>(), weights);
}

TEST(Optimizer, AParameterWithoutAGradientIsLeftAlone) {
  Tensor a = leaf({1}), b = leaf({1});
  optim::AdamW opt({a, b}, {.lr = 0.1});
  (a * 2.0).backward();
  opt.step();
  EXPECT_NE(a.item<double>(), 1);
  EXPECT_EQ(b.item<double>(), 1);
  EXPECT_EQ(opt.state_dict().at("state.1.step").item<std::int64_t>(), 0);
  opt.zero_grad();
  EXPECT_FALSE(a.grad().defined());
}

}  // namespace
}  // namespace gradus
