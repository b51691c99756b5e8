// A step of the trainer that logs nothing asks the heap for nothing on the training thread (the
// loader's thread reads data in its own time).
#include <gtest/gtest.h>

#include "gradus/tensor/parallel.h"
#include "gradus/tests/allocations.h"
#include "gradus/trainer/data/readers.h"
#include "gradus/trainer/tasks/classify.h"
#include "gradus/trainer/trainer.h"

namespace gradus::trainer {
namespace {

/// Trains digits with `model` and gives the calls of operator new within the steps from 30 on,
/// from the moment a batch is there to the end of the step, logging steps left out.
std::int64_t allocations_of(const std::string& model, std::int64_t* counted_steps) {
  set_num_threads(1);
  Config config =
      parse_config("[data.train]\npath = \"" GRADUS_SOURCE_DIR
                   "/examples/data/digits.csv.gz\"\nshape = [1, 8, 8]\nbatch_size = 64\n"
                   "[data.valid]\nfrom = \"train\"\nfraction = 0.1\n[model]\n" +
                       model +
                       "\n[optim]\nlr = 3e-3\nmax_grad_norm = 1.0\nema_decay = 0.9\n[schedule]\n"
                       "type = \"cosine\"\nwarmup = 10\n[trainer]\nmax_steps = 100\n"
                       "training_metric = \"valid/loss\"\n[log]\nevery_n_steps = 10\n",
                   "test.toml", ".", {});
  const auto data = open_datasets(config);
  const auto task = make_classify(config, data);
  Trainer trainer(config, task, data);
  std::int64_t before = -1, sum = 0;
  trainer.add(make_hook(
      "begin", HookPhase::batch,
      [&](HookContext& c) {
        const bool warm = c.state.attempted >= 30, logs = c.state.attempted % 10 == 9;
        before = warm && !logs ? testing::allocations_of_this_thread() : -1;
      },
      -100));
  trainer.add(make_hook(
      "end", HookPhase::step_end,
      [&](HookContext&) {
        if (before < 0) return;
        sum += testing::allocations_of_this_thread() - before;
        ++*counted_steps;
      },
      100));
  EXPECT_EQ(trainer.fit().status, "done");
  set_num_threads(2);
  return sum;
}

TEST(WarmTrainerStep, AllocatesNothing) {
  if (!testing::allocations_are_counted()) GTEST_SKIP() << "a sanitizer has its own operator new";
  for (const char* model : {"type = \"mlp\"\nhidden = [32]\ndropout = 0.2", "type = \"cnn\""}) {
    std::int64_t steps = 0;
    EXPECT_EQ(allocations_of(model, &steps), 0) << model;
    EXPECT_EQ(steps, 63) << model;
  }
}

}  // namespace
}  // namespace gradus::trainer
