// One step: what it depends on and what not. Threads, windows of micro-batches, loss scale, halts.
#include <algorithm>
#include <limits>
#include <map>
#include <random>

#include "gradus/tensor/parallel.h"
#include "gradus/tests/optim/reference.h"

namespace gradus {
namespace {

using namespace optim_reference;
using optim::AdamW;
using optim::SGD;

/// Numbers that look random and depend on nothing.
Tensor noise(std::int64_t n, unsigned seed, Dtype dtype = Dtype::f32) {
  std::mt19937 random(seed);
  std::vector<float> values(static_cast<std::size_t>(n));
  for (float& v : values) v = static_cast<float>(random() % 20001) / 10000.0f - 1;
  return from_data(values.data(), {n}).to(dtype);
}

std::map<std::string, std::vector<double>> numbers(const std::map<std::string, Tensor>& dict) {
  std::map<std::string, std::vector<double>> all;
  for (const auto& [key, t] : dict) all[key] = t.to_vector<double>();
  return all;
}

TEST(Step, BitsDoNotDependOnThreads) {
  const int before = num_threads();
  std::vector<std::map<std::string, std::vector<double>>> results;
  for (const int threads : {1, 2, 3, 4, 8}) {
    set_num_threads(threads);
    std::vector<Parameter> parameters;
    for (const std::int64_t n : {100'003, 7, 40'000})
      parameters.push_back({noise(n, 1).set_requires_grad(true), "p" + std::to_string(n)});
    AdamW opt(parameters, {.max_grad_norm = 0.5, .ema_decay = 0.9});
    for (unsigned s = 0; s < 3; ++s) {
      for (const Parameter& p : parameters) p.set_grad(noise(p.numel(), 10 + s));
      opt.step();
    }
    results.push_back(numbers(opt.state_dict()));
    for (const Parameter& p : parameters) results.back()[p.name] = p.to_vector<double>();
  }
  set_num_threads(before);
  for (const auto& r : results) EXPECT_TRUE(r == results[0]);
}

TEST(Step, TheNormIsThatOfAllGradients) {
  for (const Dtype dtype : {Dtype::f32, Dtype::f64, Dtype::bf16, Dtype::f16}) {
    for (const std::int64_t n : {1, 31, 33, 16'384, 16'385, 50'001}) {
      const Tensor g = noise(n, 3, dtype);
      const Tensor p = zeros({n}, {dtype}).set_requires_grad(true);
      SGD two({p}, {.lr = 0});
      p.set_grad(g);
      two.step();
      double squares = 0, largest = 0;
      for (const double v : g.to_vector<double>()) {
        squares += v * v;
        largest = std::max(largest, std::abs(v));
      }
      EXPECT_NEAR(two.grad_norm().item<double>(), std::sqrt(squares), 1e-12 * std::sqrt(squares));
      const Tensor q = zeros({n}, {dtype}).set_requires_grad(true);
      SGD most({q}, {.lr = 0, .grad_norm_type = optim::NormType::infinity});
      q.set_grad(g);
      most.step();
      EXPECT_EQ(most.grad_norm().item<double>(), largest);
    }
  }
}

TEST(Step, OneNonFiniteElementAnywhereSkipsTheStep) {
  for (const auto norm : {optim::NormType::two, optim::NormType::infinity}) {
    for (const double bad : {infinity, -infinity, std::nan("")}) {
      for (const std::int64_t at : {0, 31, 16'383, 16'384, 20'000, 20'009}) {
        const Tensor p = zeros({20'010}).set_requires_grad(true),
                     q = zeros({2}).set_requires_grad(true);
        SGD opt({q, p}, {.lr = 1, .grad_norm_type = norm});
        set_gradient(q, {1, 1});
        std::vector<double> g(20'010, 1e30);  // squares overflow f32, which is no reason to skip
        set_gradient(p, g);
        opt.step();
        EXPECT_EQ(opt.applied().item<std::int64_t>(), 1);
        g[static_cast<std::size_t>(at)] = bad;
        set_gradient(p, g);
        opt.step();
        EXPECT_EQ(opt.applied().item<std::int64_t>(), 1) << at;
        EXPECT_EQ(opt.non_finite_parameters(), std::vector<std::string>{"1"});
        EXPECT_EQ(q.to_vector<double>(), (std::vector<double>{-1, -1}));
      }
    }
  }
}

TEST(Step, TenThousandSkippedStepsChangeNoBit) {
  const Tensor a = leaf(start_a, Dtype::f32), b = leaf(start_b, Dtype::f32);
  AdamW opt({a, b}, {.schedule = optim::schedule::cosine(100), .ema_decay = 0.99});
  const Tensor statistics = leaf({1, 2});
  opt.track(std::vector<Parameter>{{statistics, "mean", Role::running_statistic}});
  set_gradients(a, b, 0);
  opt.step();
  auto before = numbers(opt.state_dict());
  const std::vector<double> weights = values_of(a, b);
  {
    const NoGrad guard;
    statistics.fill_(9);
  }
  for (int s = 0; s < 10'000; ++s) {
    set_gradients(a, b, s);
    const NoGrad guard;
    (s % 2 ? a : b).grad().select(0, s % 3).fill_(s % 5 ? infinity : std::nan(""));
    opt.step();
  }
  auto after = numbers(opt.state_dict());
  EXPECT_EQ(after["clock.attempted"][0], 10'001);
  EXPECT_EQ(after["clock.bad_in_row"][0], 10'000);
  for (const char* key : {"clock.attempted", "clock.bad_in_row", "clock.norm"}) {
    before.erase(key);
    after.erase(key);
  }
  EXPECT_TRUE(after == before);
  EXPECT_EQ(values_of(a, b), weights);
}

TEST(Step, WithoutSkippingANaNGoesThrough) {
  const Tensor a = leaf({1, 2});
  SGD opt({a}, {.lr = 1, .skip_non_finite = false});
  set_gradient(a, {std::nan(""), 1});
  opt.step();
  EXPECT_TRUE(std::isnan(a.to_vector<double>()[0]));
  EXPECT_EQ(a.to_vector<double>()[1], 1);
}

TEST(Step, AWindowOfMicroBatchesIsDividedByItsWeight) {
  const Tensor a = leaf(start_a), b = leaf(start_b), c = leaf(start_a), d = leaf(start_b);
  AdamW whole({a, b}, {.max_grad_norm = 0.5}), window({c, d}, {.max_grad_norm = 0.5});
  for (int s = 0; s < 20; ++s) {
    set_gradients(a, b, s);
    whole.step();
    set_gradients(c, d, s, 64);  // the sum over three micro-batches of 64 samples in all
    for (const double weight : {32, 20, 12}) window.add_samples(weight);
    window.step();
    EXPECT_EQ(window.state().micro, 0);
  }
  EXPECT_EQ(values_of(c, d), values_of(a, b));  // powers of two: exactly
  EXPECT_EQ(window.grad_norm().item<double>(), whole.grad_norm().item<double>());
}

TEST(Step, LossScaleFollowsGradScalerOverTenThousandSteps) {
  std::mt19937 random(7);
  const Tensor a = leaf({1});
  SGD opt({a}, {.lr = 0, .loss_scale = optim::LossScale{.init = 1024, .interval = 5, .min = 0}});
  double scale = 1024;
  int good = 0;
  for (int s = 0; s < 10'000; ++s) {
    const bool overflows = random() % 9 == 0;
    set_gradient(a, {overflows ? infinity : scale});
    opt.step();
    EXPECT_EQ(opt.grad_norm().item<double>(), overflows ? infinity : 1);  // by the old scale
    if (overflows) {
      scale *= 0.5;
      good = 0;
    } else if (++good == 5) {
      scale = std::min(scale * 2, 0x1p127);
      good = 0;
    }
    ASSERT_EQ(opt.loss_scale().item<double>(), scale) << s;
  }
}

TEST(Step, AScaledLossGivesTheSameStep) {
  const Tensor a = leaf({1, 2}, Dtype::f32), b = leaf({1, 2}, Dtype::f32);
  SGD plain({a}, {.lr = 0.1}), scaled({b}, {.lr = 0.1, .loss_scale = optim::LossScale{}});
  const Tensor dy = ones({2});
  (a * a).backward(dy);
  scaled.scale(b * b).backward(dy);
  EXPECT_EQ(b.grad().to_vector<double>(), (std::vector<double>{131072, 262144}));
  plain.step();
  scaled.step();
  EXPECT_EQ(a.to_vector<double>(), b.to_vector<double>());
}

TEST(Step, HaltsAreStickyAndSayWhen) {
  const auto run = [](optim::SGDOptions options, int bad_steps) {
    const Tensor a = leaf({1}, Dtype::f32);
    SGD opt({a}, options);
    set_gradient(a, {0.5});
    opt.step();
    set_gradient(a, {infinity});
    for (int s = 0; s < bad_steps; ++s) opt.step();
    set_gradient(a, {0.5});
    const float held = a.item<float>();
    opt.step();
    const optim::StepState state = opt.state();
    EXPECT_EQ(state.attempted, bad_steps + 2);
    EXPECT_EQ(state.applied, state.halted_at < 0 ? 2 : 1);
    EXPECT_EQ(a.item<float>() != held, state.halted_at < 0);
    return state.halted_at;
  };
  EXPECT_EQ(run({.lr = 1}, 50), -1);
  EXPECT_EQ(run({.lr = 1, .halt_on_non_finite = true}, 1), 1);
  EXPECT_EQ(run({.lr = 1, .max_bad_steps = 3}, 3), -1);
  EXPECT_EQ(run({.lr = 1, .max_bad_steps = 3}, 4), 4);
  EXPECT_EQ(run({.lr = 1, .loss_scale = optim::LossScale{.init = 4, .min = 1}}, 2), -1);
  EXPECT_EQ(run({.lr = 1, .loss_scale = optim::LossScale{.init = 4, .min = 1}}, 3), 3);
}

TEST(Step, TheScheduleGoesByAppliedSteps) {
  const Tensor a = leaf({0});
  SGD opt({a}, {.lr = 1, .schedule = optim::schedule::lambda([](std::int64_t s) {
                           return static_cast<double>(s + 1);
                         })});
  double expected = 0;
  for (int s = 0; s < 200; ++s) {  // more than the ring of rows holds
    set_gradient(a, {s % 3 == 2 ? infinity : -1});
    EXPECT_EQ(opt.lr(), opt.applied().item<std::int64_t>() + 1);
    if (s % 3 != 2) expected += opt.lr();
    opt.step();
  }
  EXPECT_EQ(a.item<double>(), expected);
  opt.set_lr(0);
  set_gradient(a, {-1});
  opt.step();
  EXPECT_EQ(a.item<double>(), expected);
}

TEST(Step, AWarmStepAllocatesNothing) {
  std::vector<Tensor> parameters;
  for (int i = 0; i < 20; ++i) {
    parameters.push_back(noise(1000, 1).set_requires_grad(true));
    parameters.back().set_grad(noise(1000, 2));
  }
  AdamW opt(parameters, {.max_grad_norm = 1, .ema_decay = 0.9});
  for (int s = 0; s < 3; ++s) opt.step();
  const MemoryStats before = memory_stats(Device::cpu());
  for (int s = 0; s < 100; ++s) opt.step();
  const MemoryStats after = memory_stats(Device::cpu());
  EXPECT_EQ(after.system_calls, before.system_calls);
  EXPECT_EQ(after.now, before.now);
}

TEST(Step, DynamicClippingFollowsAQuantileOfAppliedNorms) {
  std::mt19937 random(3);
  const Tensor a = leaf({0});
  SGD opt({a}, {.lr = 1,
                .max_grad_norm = 900,
                .dynamic_clip =
                    optim::DynamicClip{.quantile = 0.7, .window = 20, .factor = 1.5, .after = 5}});
  std::vector<double> norms;
  double expected = 0;
  for (int s = 0; s < 500; ++s) {
    const bool bad = random() % 7 == 0;
    const double g = static_cast<double>(random() % 1000);  // ties among them
    set_gradient(a, {bad ? infinity : g});
    opt.step();
    if (bad) continue;
    double threshold = 900;
    if (norms.size() >= 5) {
      const std::size_t n = std::min<std::size_t>(norms.size(), 20);
      std::vector<double> last(norms.end() - static_cast<std::ptrdiff_t>(n), norms.end());
      std::sort(last.begin(), last.end());
      const double at = 0.7 * static_cast<double>(n - 1);
      const std::size_t k = static_cast<std::size_t>(at);
      const double next = last[std::min(k + 1, n - 1)];
      const double quantile = last[k] + (at - static_cast<double>(k)) * (next - last[k]);
      threshold = std::min(900.0, 1.5 * quantile);
    }
    norms.push_back(g);
    expected -= g * std::min(1.0, threshold / (g + 1e-6));
    ASSERT_NEAR(a.item<double>(), expected, 1e-12 * std::abs(expected)) << s;
  }
}

TEST(Step, ClippingByHandScalesTheGradients) {
  const Tensor a = leaf(start_a), b = leaf(start_b), idle = leaf({1});
  set_gradient(a, {3, 0, 0, 0});
  set_gradient(b, {0, 4, 0});
  EXPECT_EQ(optim::clip_grad_norm_({a, b, idle}, 10).item<double>(), 5);
  EXPECT_EQ(a.grad().to_vector<double>()[0], 3);
  EXPECT_EQ(optim::clip_grad_norm_({a, b, a}, 1).item<double>(), 5);  // tied: once
  EXPECT_NEAR(a.grad().to_vector<double>()[0], 0.6, 1e-6);
  EXPECT_NEAR(b.grad().to_vector<double>()[1], 0.8, 1e-6);
  EXPECT_NEAR(optim::clip_grad_norm_({a, b}, 1, infinity).item<double>(), 0.8, 1e-6);
  const Tensor c = leaf({1, 1});
  set_gradient(c, {3, -4});
  // The 3-norm of (3, -4) is the cube root of 91; also under its name in gradus.
  EXPECT_NEAR(clip_grad_norm_({c}, 100, 3).item<double>(), std::cbrt(91), 1e-12);
  EXPECT_EQ(c.grad().to_vector<double>(), (std::vector<double>{3, -4}));
  EXPECT_THROW(optim::clip_grad_norm_({a}, 1, 0), Error);
  optim::clip_grad_value_({a, b}, 0.7);
  EXPECT_NEAR(a.grad().to_vector<double>()[0], 0.6, 1e-6);
  EXPECT_EQ(b.grad().to_vector<double>()[1], 0.7);
}

}  // namespace
}  // namespace gradus
