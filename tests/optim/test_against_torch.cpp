// Optimizers and schedules against PyTorch in f64: 1,000 steps at 1e-12 relative.
#include <functional>
#include <limits>
#include <map>

#include "gradus/tests/optim/reference.h"

namespace gradus {
namespace {

using namespace optim_reference;
using optim::Schedule;
using Make = std::function<std::unique_ptr<optim::Optimizer>(const Tensor&, const Tensor&)>;

template <class Optimizer, class Options>
Make with(Options options) {
  return [options](const Tensor& a, const Tensor& b) {
    return std::make_unique<Optimizer>(std::vector<Tensor>{a, b}, options);
  };
}

const std::map<std::string, Make>& cases() {
  using namespace optim;
  constexpr std::array<double, 2> betas = {0.8, 0.95};
  static const std::map<std::string, Make> all = {
      {"sgd", with<SGD>(SGDOptions{.lr = 0.01})},
      {"sgd_decay", with<SGD>(SGDOptions{.lr = 0.01, .weight_decay = 0.1})},
      {"sgd_momentum", with<SGD>(SGDOptions{.lr = 0.01, .momentum = 0.9})},
      {"sgd_dampening",
       with<SGD>(SGDOptions{.lr = 0.01, .momentum = 0.9, .dampening = 0.3, .weight_decay = 0.1})},
      {"sgd_nesterov",
       with<SGD>(SGDOptions{.lr = 0.01, .momentum = 0.9, .weight_decay = 0.1, .nesterov = true})},
      {"adam", with<Adam>(AdamOptions{})},
      {"adam_decay",
       with<Adam>(AdamOptions{.lr = 0.02, .betas = betas, .eps = 1e-6, .weight_decay = 0.1})},
      {"adamw", with<AdamW>(AdamWOptions{})},
      {"adamw_options",
       with<AdamW>(AdamWOptions{.lr = 0.02, .betas = betas, .eps = 1e-6, .weight_decay = 0.1})},
      {"adamw_groups",
       [](const Tensor& a, const Tensor& b) {
         const std::vector<Tensor> body = {a}, head = {b};
         return std::make_unique<AdamW>(
             std::vector<Group>{{"body", body}, {"head", head, {.lr = 0.05, .weight_decay = 0}}},
             AdamWOptions{.lr = 0.01});
       }},
      {"rmsprop", with<RMSprop>(RMSpropOptions{})},
      {"rmsprop_centered",
       with<RMSprop>(RMSpropOptions{.alpha = 0.9, .weight_decay = 0.1, .centered = true})},
      {"rmsprop_momentum", with<RMSprop>(RMSpropOptions{.lr = 0.001, .momentum = 0.9})},
      {"rmsprop_both",
       with<RMSprop>(RMSpropOptions{.lr = 0.001, .momentum = 0.9, .centered = true})},
      {"adagrad", with<Adagrad>(AdagradOptions{})},
      {"adagrad_options",
       with<Adagrad>(AdagradOptions{
           .lr = 0.1, .lr_decay = 0.01, .weight_decay = 0.1, .initial_accumulator_value = 0.5})},
      {"clip_norm", with<AdamW>(AdamWOptions{.lr = 0.02, .max_grad_norm = 0.8})},
      {"clip_infinity_norm", with<SGD>(SGDOptions{.lr = 0.02,
                                                  .momentum = 0.9,
                                                  .max_grad_norm = 0.7,
                                                  .grad_norm_type = NormType::infinity})},
      {"clip_value", with<SGD>(SGDOptions{.lr = 0.02, .momentum = 0.9, .max_grad_value = 0.5})},
  };
  return all;
}

TEST(AgainstTorch, ThousandStepsOfEveryRule) {
  std::map<std::string, std::map<int, std::vector<double>>> expected;
  for (const auto& line : read_fixture("optim_steps.csv")) {
    std::vector<double>& values = expected[line[0]][std::stoi(line[1])];
    for (std::size_t i = 2; i < line.size(); ++i) values.push_back(std::stod(line[i]));
  }
  ASSERT_EQ(expected.size(), cases().size());
  for (const auto& [name, make] : cases()) {
    const Tensor a = leaf(start_a), b = leaf(start_b);
    const auto optimizer = make(a, b);
    int compared = 0;
    for (int s = 0; s < 1000; ++s) {
      set_gradients(a, b, s);
      optimizer->step();
      const auto at = expected.at(name).find(s + 1);
      if (at == expected.at(name).end()) continue;
      const std::vector<double> got = values_of(a, b);
      ASSERT_EQ(at->second.size(), got.size());
      for (std::size_t i = 0; i < got.size(); ++i)
        ASSERT_NEAR(got[i], at->second[i], 1e-12 * std::max(1e-2, std::abs(at->second[i])))
            << name << ", step " << s + 1 << ", element " << i;
      ++compared;
    }
    EXPECT_EQ(compared, 6) << name;
  }
}

TEST(AgainstTorch, SchedulesAtEveryStep) {
  using namespace optim::schedule;
  const std::map<std::string, Schedule> schedules = {
      {"constant", constant(0.25, 7)},
      {"linear", linear(20, 0.25, 0.75)},
      {"cosine", cosine(120, 0.1)},
      {"step", step(7, 0.5)},
      {"multi_step", multi_step({5, 30, 31, 100}, 0.3)},
      {"exponential", exponential(0.95)},
      {"polynomial", polynomial(90, 2)},
      {"lambda", lambda([](std::int64_t s) { return 1 / (1 + 0.1 * static_cast<double>(s)); })},
      {"one_cycle", one_cycle(120)},
      {"one_cycle_linear", one_cycle(120, {.pct_start = 0.25,
                                           .linear = true,
                                           .base_momentum = 0.8,
                                           .max_momentum = 0.9,
                                           .div_factor = 10,
                                           .final_div_factor = 100})},
      {"one_cycle_three", one_cycle(120, {.three_phase = true})},
      {"cyclic", cyclic(0.1, 10)},
      {"cyclic_triangular2", cyclic(0.1, 10, 15, {.mode = Cyclic::Mode::triangular2})},
      {"cyclic_exp_range", cyclic(0.1, 10, 0, {.mode = Cyclic::Mode::exp_range, .gamma = 0.99})},
      {"restarts", restarts(20, {.end = 0.1})},
      {"restarts_mult", restarts(10, {.mult = 2})},
  };
  std::map<std::string, int> compared;
  for (const auto& line : read_fixture("optim_schedules.csv")) {
    const std::int64_t s = std::stoll(line[1]);
    const optim::Rate rate = schedules.at(line[0]).at(s);
    EXPECT_NEAR(0.4 * rate.lr, std::stod(line[2]), 1e-13) << line[0] << " at " << s;
    EXPECT_NEAR(rate.momentum.value_or(0.9), std::stod(line[3]), 1e-13) << line[0] << " at " << s;
    ++compared[line[0]];
  }
  EXPECT_EQ(compared.size(), schedules.size());
}

TEST(AgainstTorch, PlateauLowersTheRateAtTheSameReadings) {
  const std::map<std::string, optim::PlateauOptions> options = {
      {"plain", {.factor = 0.5, .patience = 2}},
      {"absolute",
       {.factor = 0.5, .patience = 1, .threshold = 0.05, .relative = false, .cooldown = 3}},
      {"max", {.maximize = true, .factor = 0.3, .patience = 3, .threshold = 0.01, .min_lr = 0.02}},
  };
  const auto lines = read_fixture("optim_plateau.csv");
  int reductions = 0;
  for (const auto& [name, o] : options) {
    optim::SGD optimizer({leaf({1})}, {.lr = 0.4});
    std::unique_ptr<optim::Plateau> plateau = std::make_unique<optim::Plateau>(optimizer, o);
    for (const auto& line : lines) {
      if (line[0] != name) continue;
      const int k = std::stoi(line[1]);
      const double metric = 2 / (1 + 0.3 * k) + ((7 * k) % 5 - 2) / 20.0;
      reductions += plateau->step(k == 20 ? std::nan("") : metric);
      EXPECT_NEAR(optimizer.lr(), std::stod(line[2]), 1e-14) << name << " " << k;
      const auto saved = plateau->state_dict();  // a new one goes on from there
      plateau = std::make_unique<optim::Plateau>(optimizer, o);
      plateau->load_state_dict(saved);
    }
  }
  EXPECT_GT(reductions, 10);
}

TEST(Schedules, WarmupReachesFullRateAtItsLastStepAndThenHandsOver) {
  using namespace optim::schedule;
  const Schedule s = warmup(4, cosine(10, 0.5));
  EXPECT_EQ(s.at(0).lr, 0.25);
  EXPECT_EQ(s.at(3).lr, 1);
  EXPECT_EQ(s.at(4).lr, 1);
  EXPECT_NEAR(s.at(9).lr, 0.75, 1e-15);
  EXPECT_EQ(s.at(14).lr, 0.5);
  EXPECT_EQ(s.at(1000).lr, 0.5);  // holds where torch's cosine would rise again
  EXPECT_EQ(three_step(100).at(39).lr, 1);
  EXPECT_EQ(three_step(100).at(40).lr, 0.3);
  EXPECT_NEAR(three_step(100).at(99).lr, 0.027, 1e-15);
  const Schedule credit = credit_lambda(10, 100);
  EXPECT_EQ(credit.at(0).lr, 0.1);
  EXPECT_EQ(credit.at(9).lr, 1);
  EXPECT_NEAR(credit.at(55).lr, 0.5, 1e-15);
  EXPECT_EQ(credit.at(100).lr, 0);
  const Schedule cycles = restarts(10, {.warmup = 2, .gamma = 0.5});
  EXPECT_EQ(cycles.at(0).lr, 0.5);
  EXPECT_EQ(cycles.at(2).lr, 1);
  EXPECT_EQ(cycles.at(12).lr, 0.5);
}

}  // namespace
}  // namespace gradus
