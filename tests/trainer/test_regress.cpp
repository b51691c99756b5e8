// The task for targets of numbers: what it reports, and ensembles.
#include <gtest/gtest.h>

#include <cmath>

#include "gradus/autograd/functions.h"
#include "gradus/autograd/gradcheck.h"
#include "gradus/kernels/create.h"
#include "gradus/kernels/random.h"
#include "gradus/tests/trainer/failing_files.h"
#include "gradus/trainer/checkpoint/store.h"
#include "gradus/trainer/data/readers.h"
#include "gradus/trainer/scores.h"
#include "gradus/trainer/tasks/regress.h"
#include "gradus/trainer/trainer.h"

namespace gradus::trainer {
namespace {

/// y = 2 x + 1 + noise of 0.5, for x uniform on [-1, 1].
DatasetPointer line(std::int64_t n, std::uint64_t seed) {
  Generator g(seed);
  const Tensor x = rand({n, 1}, {}, g) * 2 - 1;
  const Tensor y = x * 2 + 1 + randn({n, 1}, {}, g) * 0.5;
  return std::make_shared<TensorDataset>(
      std::vector<TensorDataset::Column>{{{"x", {1}, Dtype::f32}, x}, {{"y", {1}, Dtype::f32}, y}});
}

std::unique_ptr<Trainer> trainer_of(const std::string& task, const std::string& model) {
  Config config = parse_config("[task]\ntype = 'regress'\n" + task + "[model]\n" + model +
                                   "[data.train]\npath = 'x'\nbatch_size = 64\n[data.valid]\n"
                                   "path = 'x'\nbatch_size = 100\n[optim]\nlr = 1e-2\n[trainer]\n"
                                   "max_steps = 250\n[run]\ndevice = 'cpu'\n",
                               "r.toml", ".");
  const std::map<std::string, DatasetPointer> data = {{"train", line(2000, 1)},
                                                      {"valid", line(500, 2)}};
  auto task_made = make_regress(config, data);
  return std::make_unique<Trainer>(config, task_made, data);
}

TEST(Regress, FindsALineAndReportsWhatIsLeft) {
  const auto trainer = trainer_of("", "type = 'mlp'\nhidden = []\n");
  const Result result = trainer->fit();
  EXPECT_NEAR(*find(result.last, "valid/rmse"), 0.5, 0.05);  // the noise
  EXPECT_NEAR(*find(result.last, "valid/mae"), 0.5 * std::sqrt(2 / M_PI), 0.04);
  EXPECT_NEAR(*find(result.last, "valid/bias"), 0, 0.08);
  const double explained = 4.0 / 3 / (4.0 / 3 + 0.25);  // variance of 2 x, and of all
  EXPECT_NEAR(*find(result.last, "valid/r2"), explained, 0.04);
  EXPECT_NEAR(*find(result.last, "valid/acc"), std::sqrt(explained), 0.03);
  EXPECT_EQ(find(result.last, "valid/_squared"), nullptr);
}

TEST(Regress, CrpsIsALossWithAGradient) {
  manual_seed(8);
  const Tensor y = randn({3, 2}, {Dtype::f64});
  for (const double fair : {0.0, 0.95, 1.0})
    gradcheck([&](const std::vector<Tensor>& in) { return crps(in[0], y, fair); },
              {randn({3, 4, 2}, {Dtype::f64}).set_requires_grad(true)});
}

TEST(Regress, AnEnsembleHasASpreadAndABatchOfMembers) {
  const auto trainer = trainer_of("loss = 'crps'\nensemble_size = 4\nfair = 0.95\n",
                                  "type = 'mlp'\nhidden = [32]\ndropout = 0.3\n");
  std::vector<double> spreads;
  trainer->add(make_hook("spread", HookPhase::log, [&](HookContext& c) {
    if (const double* v = find(*c.values, "train/std")) spreads.push_back(*v);
  }));
  trainer->fit();
  ASSERT_EQ(spreads.size(), 5u);  // every 50 steps
  for (const double s : spreads) EXPECT_GT(s, 0.01);
  Batch batch;
  batch.fields = {{"x", zeros({5, 1})}};
  batch.size = 5;
  EXPECT_EQ(trainer->predict(batch).shape(), (Shape{5, 4, 1}));
}

TEST(Regress, WhatIsDrawnAtAnEvaluationIsDrawnAgainForTheSameWeights) {
  ScratchDirectory scratch;
  const auto make = [] {
    return trainer_of("loss = 'crps'\nensemble_size = 4\n",
                      "type = 'mlp'\nhidden = [16]\ndropout = 0.1\n");
  };
  const auto trained = make();
  trained->use_directory(scratch.path());
  const Result result = trained->fit();
  const auto again = make();
  again->prepare();
  again->load_weights(
      CheckpointStore(Files::system(), scratch / "checkpoints").path_of(result.best_step), true);
  EXPECT_EQ(again->evaluate("valid"), result.best);
  EXPECT_NE(make()->evaluate("valid"), result.best);
}

TEST(Regress, AnEnsembleAndItsLossNeedEachOther) {
  EXPECT_THROW(trainer_of("loss = 'crps'\n", "type = 'mlp'\n"), Error);
  EXPECT_THROW(trainer_of("ensemble_size = 3\n", "type = 'mlp'\n"), Error);
}

}  // namespace
}  // namespace gradus::trainer
