// [schedule] and decay of a configuration: what each key makes of a run's learning rate, step by
// step, and who decays.
#include <cmath>

#include "gradus/autograd/functions.h"
#include "gradus/autograd/node.h"
#include "gradus/optim/optimizer.h"
#include "gradus/tests/trainer/digits.h"

namespace gradus::trainer {
namespace {

struct SchedulesTest : DigitsTest {};

/// lr as a share of optim.lr at steps 0 ... 9, of a run of 10 steps in 2 epochs.
std::vector<double> factors(std::vector<std::string> settings) {
  settings.insert(settings.begin(),
                  {"optim.lr=1e-3", "trainer.max_steps=10", "trainer.batches_per_epoch=5",
                   "schedule.warmup=0", "schedule.type=constant", "trainer.training_metric=none"});
  Session run(settings);
  std::vector<double> all;
  run.trainer->add(make_hook("watch", HookPhase::before_optimizer_step, [&](HookContext& c) {
    all.push_back(c.trainer.optimizer().lr() / 1e-3);
  }));
  run.trainer->fit();
  return all;
}

void expect_factors(const std::vector<double>& got, const std::vector<double>& expected,
                    const char* what) {
  ASSERT_EQ(got.size(), expected.size()) << what;
  for (std::size_t s = 0; s < got.size(); ++s)
    EXPECT_NEAR(got[s], expected[s], 1e-12) << what << " at step " << s;
}

std::vector<double> ten(const std::function<double(double)>& f) {
  std::vector<double> all;
  for (int s = 0; s < 10; ++s) all.push_back(f(s));
  return all;
}

double half_cosine(double share) { return (1 + std::cos(M_PI * share)) / 2; }

TEST_F(SchedulesTest, AreTheirFormulasOfTheAppliedStep) {
  expect_factors(factors({"schedule.warmup=4"}),
                 ten([](double s) { return std::min(1.0, (s + 1) / 4); }), "warm-up");
  expect_factors(factors({"schedule.type=linear", "schedule.final=0.5"}),
                 ten([](double s) { return 1 - 0.5 * s / 10; }), "linear to the end of the run");
  expect_factors(factors({"schedule.type=cosine", "schedule.warmup=2"}),
                 ten([](double s) { return s < 2 ? (s + 1) / 2 : half_cosine((s - 2) / 8); }),
                 "warm-up and cosine");
  expect_factors(factors({"schedule.type=cosine", "schedule.length=5"}),
                 ten([](double s) { return half_cosine(std::min(1.0, s / 5)); }),
                 "a cosine that ends earlier stays where it ended");
  expect_factors(factors({"schedule.type=step", "schedule.period=3", "schedule.gamma=0.5"}),
                 ten([](double s) { return std::pow(0.5, std::floor(s / 3)); }), "step");
  expect_factors(factors({"schedule.type=exponential", "schedule.gamma=0.9"}),
                 ten([](double s) { return std::pow(0.9, s); }), "exponential");
  expect_factors(factors({"schedule.type=polynomial", "schedule.power=2"}),
                 ten([](double s) { return std::pow(1 - s / 10, 2); }), "polynomial");
  expect_factors(factors({"schedule.type=three_step"}),
                 {1, 1, 1, 1, 0.3, 0.3, 0.09, 0.09, 0.027, 0.027}, "0.3 at 40, 60 and 80 %");
  expect_factors(factors({"schedule.type=multi_step", "schedule.milestones=[2, 7]"}),
                 {1, 1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.01, 0.01, 0.01}, "multi_step");
  expect_factors(factors({"schedule.type=restarts", "schedule.period=4", "schedule.gamma=0.5"}),
                 ten([](double s) {
                   return std::pow(0.5, std::floor(s / 4)) * half_cosine(std::fmod(s, 4) / 4);
                 }),
                 "restarts");
  expect_factors(factors({"schedule.type=cyclic", "schedule.period=5", "schedule.final=0.2"}),
                 ten([](double s) { return 0.2 + 0.8 * (1 - std::abs(s / 5 - 1)); }), "cyclic");
  expect_factors(factors({"schedule.type=credit_lambda", "schedule.warmup=2"}),
                 ten([](double s) { return s < 2 ? (s + 1) / 2 : half_cosine((s - 2) / 8); }),
                 "credit_lambda");
}

TEST_F(SchedulesTest, UnitsAreStepsEpochsOrAShareOfTheRun) {
  const auto in_steps = factors({"schedule.type=step", "schedule.period=5", "schedule.warmup=5"});
  expect_factors(in_steps, ten([](double s) { return std::min(1.0, (s + 1) / 5); }), "steps");
  EXPECT_EQ(factors({"schedule.type=step", "schedule.period=1", "schedule.warmup=1",
                     "schedule.unit=epochs"}),
            in_steps);
  EXPECT_EQ(factors({"schedule.type=step", "schedule.period=0.5", "schedule.warmup=0.5",
                     "schedule.unit=fraction"}),
            in_steps);
  EXPECT_THROW(factors({"schedule.type=step", "schedule.period=0.5", "schedule.unit=fraction",
                        "trainer.max_steps=0", "trainer.max_seconds=5"}),
               Error);
  EXPECT_THROW(factors({"schedule.type=multi_step"}), Error) << "steps at which to multiply";
}

TEST_F(SchedulesTest, ASkippedStepKeepsItsRate) {
  Session run({"optim.lr=1", "trainer.max_steps=6", "schedule.type=constant", "schedule.warmup=10",
               "trainer.training_metric=none"});
  std::vector<double> rates;
  run.trainer->add(make_hook("spoil", HookPhase::before_optimizer_step, [&](HookContext& c) {
    rates.push_back(c.trainer.optimizer().lr());
    const NoGrad guard;
    if (c.state.attempted == 2 || c.state.attempted == 3)
      c.trainer.task().module().parameters()[0].grad().fill_(NAN);
  }));
  run.trainer->fit();
  const std::vector<double> expected = {0.1, 0.2, 0.3, 0.3, 0.3, 0.4};
  ASSERT_EQ(rates.size(), expected.size());
  for (std::size_t s = 0; s < 6; ++s) EXPECT_NEAR(rates[s], expected[s], 1e-15) << s;
}

/// Weights and biases after a step without gradients of their own: what is left is their decay.
TEST_F(SchedulesTest, BiasesNormsAndEmbeddingsDoNotDecayUnlessToldTo) {
  const auto shares = [](const std::vector<std::string>& more) {
    std::vector<std::string> settings = {"optim.type=adamw",       "optim.lr=0.5",
                                         "optim.weight_decay=0.5", "trainer.max_steps=1",
                                         "optim.max_grad_norm=0",  "schedule.type=constant",
                                         "schedule.warmup=0",      "trainer.training_metric=none"};
    settings.insert(settings.end(), more.begin(), more.end());
    Session run(settings);
    std::map<std::string, double> before;
    run.trainer->add(make_hook("still", HookPhase::before_optimizer_step, [&](HookContext& c) {
      const NoGrad guard;
      for (const Parameter& p : c.trainer.task().module().named_parameters()) {
        p.grad().fill_(0);
        before[p.name] = sum(p.detach()).item<double>();
      }
    }));
    run.trainer->fit();
    std::map<std::string, double> share;
    for (const Parameter& p : run.trainer->task().module().named_parameters())
      share[p.name] = sum(p.detach()).item<double>() / before.at(p.name);
    return share;
  };
  for (const auto& [name, share] : shares({}))
    EXPECT_NEAR(share, name.ends_with("weight") ? 0.75 : 1, 1e-4) << name;
  for (const auto& [name, share] : shares({"optim.decay_by_role=false"}))
    EXPECT_NEAR(share, 0.75, 1e-4) << name;
}

}  // namespace
}  // namespace gradus::trainer
