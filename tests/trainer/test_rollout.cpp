// Rollouts: which timesteps give a loss and where gradients flow, one optimizer step a rollout, and
// a probability that really decides how long they are.
#include <cmath>

#include "gradus/autograd/functions.h"
#include "gradus/kernels/create.h"
#include "gradus/kernels/random.h"
#include "gradus/tests/trainer/digits.h"
#include "gradus/trainer/tasks/rollout.h"

namespace gradus::trainer {
namespace {

struct RolloutTest : DigitsTest {};

/// y = w x.
struct Scale final : nn::Module {
  Tensor w = full({1}, 0.5).set_requires_grad(true);
  Tensor forward(const Tensor& x) override { return w * x; }
  void visit(nn::Visitor& v) override { v("w", w); }
};

/// n states of 2, followed by three of 0.
DatasetPointer to_zero(std::int64_t n) {
  return std::make_shared<TensorDataset>(std::vector<TensorDataset::Column>{
      {{"x", {1}, Dtype::f32}, full({n, 1}, 2)}, {{"y", {3, 1}, Dtype::f32}, zeros({n, 3, 1})}});
}

std::unique_ptr<Trainer> trainer_of(std::shared_ptr<Task> task, DatasetPointer data,
                                    const std::vector<std::string>& settings) {
  Config config = parse_config(
      "[data.train]\npath = 'x'\nbatch_size = 4\n[optim]\ntype = 'sgd'\nlr = 1\nweight_decay = 0\n"
      "[run]\ndevice = 'cpu'\n",
      "r.toml", ".", settings);
  return std::make_unique<Trainer>(config, std::move(task),
                                   std::map<std::string, DatasetPointer>{{"train", data}});
}

/// w after one rollout of three timesteps from w = 0.5.
double after_one_step(std::vector<std::int64_t> backprop) {
  const auto model = std::make_shared<Scale>();
  Rollout::Options options;
  options.forecast_len = 3;
  options.backprop_on_timestep = std::move(backprop);
  const auto trainer =
      trainer_of(std::make_shared<Rollout>(model, options), to_zero(4), {"trainer.max_steps=1"});
  EXPECT_EQ(trainer->fit().state.applied, 1) << "one optimizer step a rollout";
  return model->w.item<float>();
}

// States 2 w, 2 w^2, 2 w^3 = 1, 0.5, 0.25; losses are their squares.
TEST_F(RolloutTest, SelectedTimestepsGiveALossAndOthersNoGradient) {
  // All: (4 w^2 + 4 w^4 + 4 w^6) / 3.
  EXPECT_NEAR(after_one_step({}), 0.5 - (8 * 0.5 + 16 * 0.125 + 24 * 0.03125) / 3, 1e-6);
  EXPECT_EQ(after_one_step({3, 1, 2, 2}), after_one_step({}));
  // 2 and 3, from a first state that is a constant 1: (w^2 + w^4) / 2.
  EXPECT_NEAR(after_one_step({2, 3}), 0.5 - (2 * 0.5 + 4 * 0.125) / 2, 1e-6);
  // 3 alone, from 0.5: (0.5 w)^2.
  EXPECT_NEAR(after_one_step({3}), 0.5 - 0.5 * 0.5, 1e-6);
  // 1 and 3: through 2 no gradient comes back to 1.
  EXPECT_NEAR(after_one_step({1, 3}), 0.5 - (8 * 0.5 + 2 * 0.25 * 0.5) / 2, 1e-6);
}

TEST_F(RolloutTest, TheNextInputMayBeMadeOfMore) {
  const auto model = std::make_shared<Scale>();
  Rollout::Options options;
  options.forecast_len = 3;
  std::vector<std::int64_t> timesteps;
  options.next_input = [&](const Tensor& x, const Tensor& y, std::int64_t timestep) {
    timesteps.push_back(timestep);
    return y + x;
  };
  Rollout task(model, options);
  Batch batch;
  batch.size = 1;
  batch.fields.emplace_back("x", full({1, 1}, 2));
  // 2 -> 1; 3 -> 1.5; 4.5 -> 2.25
  EXPECT_EQ(task.predict(batch).to_vector<float>(), (std::vector<float>{1, 1.5, 2.25}));
  EXPECT_EQ(timesteps, (std::vector<std::int64_t>{1, 2}));
}

TEST_F(RolloutTest, TheProbabilityFallsInAStraightLineWithinItsBounds) {
  EXPECT_EQ(annealed_probability(0, 10, 0.2), 1);
  EXPECT_DOUBLE_EQ(annealed_probability(5, 10, 0.2), 0.6);
  EXPECT_DOUBLE_EQ(annealed_probability(10, 10, 0.2), 0.2);
  EXPECT_DOUBLE_EQ(annealed_probability(30, 10, 0.2), 0.2);
  EXPECT_DOUBLE_EQ(annealed_probability(10, 10, 0), 0.01);
}

TEST_F(RolloutTest, TheProbabilityIsDeliveredAndEndsRollouts) {
  Rollout::Options options;
  options.forecast_len = 6;
  options.total_epochs = 9;
  double p = 1;
  std::vector<std::pair<std::int64_t, std::int64_t>> asked;
  options.probability = [&](std::int64_t epoch, std::int64_t total) {
    asked.emplace_back(epoch, total);
    return p;
  };
  const auto lengths = [&](const Rollout& task) {
    std::vector<std::int64_t> all(7);
    State state;
    state.epoch = 4;
    for (state.attempted = 0; state.attempted < 4000; ++state.attempted) {
      const std::int64_t length = task.length(state);
      ++all.at(static_cast<std::size_t>(length));
      EXPECT_EQ(task.length(state), length) << "the same for every micro-batch of a step";
      EXPECT_EQ(task.variant({}, state), length) << "a captured step is one of a length";
    }
    return all;
  };
  const Rollout task(std::make_shared<Scale>(), options);
  using Counts = std::vector<std::int64_t>;
  EXPECT_EQ(lengths(task), (Counts{0, 4000, 0, 0, 0, 0, 0}));
  EXPECT_EQ(asked.front(), (std::pair<std::int64_t, std::int64_t>{4, 9}));
  p = 0;
  EXPECT_EQ(lengths(task), (Counts{0, 0, 0, 0, 0, 0, 4000}));
  p = 0.5;
  const Counts half = lengths(task);
  for (int k = 1; k <= 4; ++k)
    EXPECT_NEAR(static_cast<double>(half[std::size_t(k)]) / 4000, std::pow(0.5, k), 0.03) << k;
  p = 1;
  options.backprop_on_timestep = {3, 5};
  const Rollout late(std::make_shared<Scale>(), options);
  EXPECT_EQ(lengths(late), (Counts{0, 0, 0, 4000, 0, 0, 0})) << "not before its first loss";
  p = 0;
  EXPECT_EQ(lengths(late), (Counts{0, 0, 0, 0, 0, 4000, 0})) << "nor beyond its last";
}

/// States that turn: (a, b) -> (-b, a), three of them after each.
DatasetPointer turning(std::int64_t n, std::uint64_t seed) {
  Generator g(seed);
  const Tensor x = randn({n, 2}, {}, g);
  std::vector<Tensor> after;
  Tensor now = x;
  for (int k = 0; k < 3; ++k) {
    now = stack({now.select(1, 1) * -1, now.select(1, 0)}, 1);
    after.push_back(now);
  }
  return std::make_shared<TensorDataset>(std::vector<TensorDataset::Column>{
      {{"x", {2}, Dtype::f32}, x}, {{"y", {3, 2}, Dtype::f32}, stack(after, 1).contiguous()}});
}

struct TomlRun {
  Config config;
  std::unique_ptr<Trainer> trainer;
  explicit TomlRun(const std::string& task, const std::vector<std::string>& settings = {}) {
    config = parse_config("[task]\ntype = 'rollout'\n" + task +
                              "[model]\ntype = 'mlp'\nhidden = []\n[data.train]\npath = 'x'\n"
                              "batch_size = 50\n[data.valid]\npath = 'x'\n[optim]\nlr = 0.05\n"
                              "weight_decay = 0\n[trainer]\nmax_epochs = 8\n[run]\n"
                              "device = 'cpu'\n",
                          "r.toml", ".", settings);
    const std::map<std::string, DatasetPointer> data = {{"train", turning(1000, 1)},
                                                        {"valid", turning(90, 2)}};
    auto task_made = make_rollout(config, data);
    trainer = std::make_unique<Trainer>(config, task_made, data);
  }
};

TEST_F(RolloutTest, AConfigurationTrainsFromSingleTimestepsToForecasts) {
  TomlRun run("rollout = 'annealed'\n", {"trainer.accumulate=2", "data.train.batch_size=25"});
  std::vector<std::vector<double>> lengths(8);  // of each epoch
  double last = 0;
  run.trainer->add(make_hook("watch", HookPhase::after_loss, [&](HookContext& c) {
    const double length = c.result->records[0].value.item<float>();
    if (c.state.micro % 2 == 0) {
      EXPECT_EQ(length, last) << "a window has one length";
    }
    last = length;
    lengths[static_cast<std::size_t>(c.state.epoch)].push_back(length);
  }));
  const Result result = run.trainer->fit();
  EXPECT_EQ(result.state.attempted, 8 * 20);
  EXPECT_EQ(lengths[0], std::vector<double>(40, 1)) << "p is 1";
  const auto mean = [](const std::vector<double>& v) {
    double sum = 0;
    for (const double x : v) sum += x;
    return sum / static_cast<double>(v.size());
  };
  EXPECT_GT(mean(lengths[7]), 2.2) << "p is 0.13";
  EXPECT_LT(*find(result.last, "valid/rmse"), 0.05);
  for (const char* k : {"1", "2", "3"})
    EXPECT_NE(find(result.last, "valid/rmse_" + std::string(k)), nullptr) << "whole forecasts";
  const double one = *find(result.last, "valid/rmse_1"), two = *find(result.last, "valid/rmse_2"),
               three = *find(result.last, "valid/rmse_3");
  EXPECT_NEAR(*find(result.last, "valid/rmse"),
              std::sqrt((one * one + two * two + three * three) / 3), 1e-6);
}

TEST_F(RolloutTest, WhatDoesNotFitIsRefusedByName) {
  const auto error = [](const std::string& task, const std::vector<std::string>& settings = {}) {
    try {
      TomlRun run(task, settings);
    } catch (const Error& e) {
      return std::string(e.what());
    }
    return std::string("none");
  };
  EXPECT_EQ(error("forecast_len = 2\nbackprop_on_timestep = [1, 2]\n"), "none");
  EXPECT_NE(error("forecast_len = 4\n").find("task.forecast_len: 4, the targets have 3 timesteps"),
            std::string::npos);
  EXPECT_NE(error("backprop_on_timestep = [4]\n").find("timestep 4 of 3"), std::string::npos);
  EXPECT_NE(error("rollout = 'annealed'\n", {"trainer.max_epochs=0", "trainer.max_steps=3"})
                .find("annealed needs trainer.max_epochs"),
            std::string::npos);
  EXPECT_NE(error("rollout = 'some'\n").find("is not one of full, annealed"), std::string::npos);
}

}  // namespace
}  // namespace gradus::trainer
