// The trainer as a program uses it: exact counts, exact resume, and bits that depend on nothing
// they should not.
#include <sys/wait.h>
#include <unistd.h>

#include "gradus/kernels/create.h"
#include "gradus/optim/optimizer.h"
#include "gradus/tensor/parallel.h"
#include "gradus/tests/trainer/digits.h"

namespace gradus::trainer {
namespace {

struct TrainerTest : DigitsTest {};

TEST_F(TrainerTest, LearnsDigitsAndStopsExactlyWhereTold) {
  Result result;
  weights_after({"trainer.max_steps=200"}, &result);
  EXPECT_EQ(result.status, "done");
  EXPECT_EQ(result.state.attempted, 200);
  double accuracy = 0;
  for (const auto& [name, value] : result.last) {
    if (name == "test/accuracy") accuracy = value;
  }
  EXPECT_GT(accuracy, 0.9);
  weights_after({"trainer.max_steps=0", "trainer.max_epochs=2"}, &result);
  EXPECT_EQ(result.state.epoch, 2);
  EXPECT_EQ(result.state.samples, 2 * 1437);
}

TEST_F(TrainerTest, BitsDependNeitherOnThreadsNorOnMicroBatches) {
  Result expected;
  const auto weights = weights_after({}, &expected);
  for (int threads : {1, 2, 3, 4, 8}) {
    set_num_threads(threads);
    Result result;
    EXPECT_EQ(weights_after({}, &result), weights) << threads << " threads";
    EXPECT_EQ(result.last, expected.last);
  }
  for (const auto& split :
       {std::vector<std::string>{"data.train.batch_size=32", "trainer.accumulate=2"},
        {"data.train.batch_size=16", "trainer.accumulate=4"}}) {
    Result result;
    EXPECT_EQ(weights_after(split, &result), weights) << split[0];
    EXPECT_EQ(result.last, expected.last) << split[0];
    EXPECT_EQ(result.best, expected.best);
  }
}

TEST_F(TrainerTest, KilledAtAnyStepAndResumedGivesTheSameBits) {
  const std::vector<std::string> settings = {"checkpoint.every_n_steps=4",
                                             "trainer.validate_every_n_steps=9"};
  ASSERT_EQ(train_in_child(folder / "whole", settings, 0), 0);
  const std::string expected = outcome(folder / "whole");
  for (std::int64_t step = 1; step <= 60; ++step) {
    const fs::path directory = folder / std::to_string(step);
    const int killed = train_in_child(directory, settings, step);
    ASSERT_TRUE(WIFSIGNALED(killed) && WTERMSIG(killed) == SIGKILL) << step;
    ASSERT_EQ(train_in_child(directory, settings, 0), 0) << step;
    EXPECT_EQ(outcome(directory), expected) << "killed after step " << step;
    fs::remove_all(directory);
  }
}

TEST_F(TrainerTest, ARunInPiecesOfOneStepIsTheWholeRun) {
  const std::vector<std::string> whole = {"trainer.max_steps=20"};
  ASSERT_EQ(train_in_child(folder / "whole", whole, 0), 0);
  for (int step = 1; step <= 20; ++step) {  // a signal after each step: saved, and started again
    const pid_t child = fork();
    if (child == 0) {
      Session run(whole, folder / "pieces");
      Trainer& trainer = *run.trainer;
      trainer.add(
          make_hook("stop", HookPhase::step_end, [&](HookContext&) { trainer.request_stop(15); }));
      const Result result = trainer.fit();
      _exit(result.status == "requeue" ? 0 : 1);
    }
    int status = 0;
    waitpid(child, &status, 0);
    ASSERT_EQ(status, 0) << step;
  }
  ASSERT_EQ(train_in_child(folder / "pieces", whole, 0), 0);
  EXPECT_EQ(outcome(folder / "pieces", "step_000000020"),
            outcome(folder / "whole", "step_000000020"));
}

TEST_F(TrainerTest, BreaksEndExactlyTheirScope) {
  Session run({"trainer.max_steps=0", "trainer.max_epochs=2"});
  std::vector<std::int64_t> steps_of_epoch(3);
  int seen = 0;
  run.trainer->add(make_hook("break", HookPhase::after_loss, [&](HookContext& c) {
    if (c.state.epoch == 0 && ++seen == 3) throw BreakStep{};
    if (c.state.epoch == 1 && c.state.epoch_step == 5) throw BreakEpoch{};
  }));
  run.trainer->add(make_hook("count", HookPhase::step_end, [&](HookContext& c) {
    ++steps_of_epoch[static_cast<std::size_t>(c.state.epoch)];
  }));
  const Result result = run.trainer->fit();
  EXPECT_EQ(steps_of_epoch, (std::vector<std::int64_t>{22, 5, 0}));  // 23 windows, one dropped
  EXPECT_EQ(result.state.epoch, 2);
}

TEST_F(TrainerTest, HooksRunByPriorityAndNameWhateverTheirOrder) {
  std::string first, second;
  for (std::string* order : {&first, &second}) {
    Session run({"trainer.max_steps=1"});
    std::vector<std::shared_ptr<Hook>> hooks;
    for (const auto& [name, priority] : {std::pair{"c", 0}, {"a", 0}, {"b", -5}}) {
      hooks.push_back(make_hook(
          name, HookPhase::step_end, [order, n = std::string(name)](HookContext&) { *order += n; },
          priority));
    }
    if (order == &second) std::reverse(hooks.begin(), hooks.end());
    for (auto& hook : hooks) run.trainer->add(hook);
    run.trainer->fit();
  }
  EXPECT_EQ(first, "bac");
  EXPECT_EQ(second, "bac");
}

TEST_F(TrainerTest, EarlyStoppingWaitsForItsPatience) {
  Result result;
  weights_after({"trainer.max_steps=400", "optim.lr=0.0", "trainer.validate_every_n_steps=5",
                 "trainer.validate_every_n_epochs=0", "trainer.stopping_patience=3",
                 "trainer.evaluate_average=false"},
                &result);
  EXPECT_EQ(result.status, "early_stopped");
  EXPECT_EQ(result.state.attempted, 20);  // the first validation is the best, three more are not
  EXPECT_EQ(result.best_step, 5);
}

TEST_F(TrainerTest, ANonFiniteGradientSkipsTheStepAndLeavesEveryBit) {
  Session run({"trainer.max_steps=6", "data.train.batch_size=100"});
  run.trainer->add(make_hook("poison", HookPhase::after_forward, [&](HookContext& c) {
    if (c.state.attempted == 3) c.result->losses[0].value = c.result->losses[0].value * NAN;
  }));
  std::map<std::string, std::vector<float>> before;
  const auto copy = [&] {
    std::map<std::string, std::vector<float>> weights;
    for (const Parameter& p : run.trainer->task().module().parameters())
      weights[p.name] = p.to_vector<float>();
    return weights;
  };
  run.trainer->add(make_hook("watch", HookPhase::step_end, [&](HookContext& c) {
    if (c.state.attempted == 3) before = copy();
    if (c.state.attempted == 4) {
      EXPECT_EQ(copy(), before);
    }
    if (c.state.attempted == 5) {
      EXPECT_NE(copy(), before);
    }
  }));
  run.trainer->fit();
  EXPECT_EQ(run.trainer->optimizer().applied().item<std::int64_t>(), 5);
}

}  // namespace
}  // namespace gradus::trainer
