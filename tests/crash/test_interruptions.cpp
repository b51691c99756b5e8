// A run that is killed or asked to stop at random moments, again and again until it is done, leaves
// what an uninterrupted run leaves, bit for bit, and loses no checkpoint that it had acknowledged.
#include <signal.h>
#include <unistd.h>

#include <chrono>

#include "gradus/tests/crash/soak.h"
#include "gradus/tests/trainer/train_command.h"
#include "gradus/trainer/tasks/classify.h"

namespace gradus::cli {
namespace {

using testing::soak_count;

struct Interruptions : TrainCommand {
  testing::Chance chance;

  /// The step of the last checkpoint that the run has called durable; -1 for none.
  std::int64_t acknowledged(const std::string& directory) {
    const std::string name = text_of(scratch / directory / "checkpoints/newest");
    return trainer::step_of(name.substr(0, name.find('\n'))).value_or(-1);
  }
};

TEST_F(Interruptions, kills_at_any_moment_lose_nothing) {
  const std::vector<std::string> settings = {
      "trainer.max_steps=120", "log.every_n_steps=1", "checkpoint.every_n_steps=3",
      "trainer.accumulate=2",  "model.dropout=0.2",   "checkpoint.keep_interval=30"};
  using Clock = std::chrono::steady_clock;
  const auto begin = Clock::now();
  ASSERT_EQ(run_apart(train("whole", settings), [] {}), 0);
  const int whole_us = static_cast<int>(
      std::chrono::duration_cast<std::chrono::microseconds>(Clock::now() - begin).count());
  const std::string whole = traces("whole");
  const int kills = soak_count(12, 1000);
  for (int done = 0, round = 0; done < kills; ++round) {
    const std::string name = "run" + std::to_string(round);
    std::vector<std::string> given = settings;
    given.push_back(std::string("checkpoint.asynchronous=") + (round % 2 == 0 ? "false" : "true"));
    std::int64_t before = -1;
    while (true) {
      const int status = run_apart(
          train(name, given), [] {},
          [&](pid_t child) {
            usleep(static_cast<useconds_t>(chance.below(whole_us)));
            kill(child, SIGKILL);
          });
      if (status == 0) break;
      ASSERT_EQ(status, -SIGKILL);
      ++done;
      const std::int64_t now = acknowledged(name);
      EXPECT_GE(now, before) << "an acknowledged checkpoint was lost";
      if (now >= 0) {
        EXPECT_GE(newest(name), now);
      }
      before = now;
    }
    EXPECT_EQ(traces(name), whole) << "round " << round << ", seed " << testing::soak_seed();
    fs::remove_all(scratch / name);
  }
}

/// The stock task, which sends its own process a signal in the middle of one step.
Tasks signalling(std::int64_t at_step, int signal) {
  struct Signalling : trainer::Task {
    Signalling(std::shared_ptr<trainer::Task> task, std::int64_t at_step, int signal)
        : task(std::move(task)), at_step(at_step), signal(signal) {}
    nn::Module& module() override { return task->module(); }
    std::optional<trainer::StepResult> step(const trainer::Batch& batch,
                                            const trainer::State& state) override {
      if (state.attempted == at_step) ::kill(getpid(), signal);
      return task->step(batch, state);
    }
    trainer::StepResult evaluate(const trainer::Batch& batch, std::string_view set) override {
      return task->evaluate(batch, set);
    }
    std::shared_ptr<trainer::Task> task;
    std::int64_t at_step;
    int signal;
  };
  return {{"mine", [=](trainer::Config& config, const auto& data) {
             return std::make_shared<Signalling>(trainer::make_classify(config, data), at_step,
                                                 signal);
           }}};
}

TEST_F(Interruptions, signals_end_the_step_that_is_under_way_and_no_step_is_done_twice) {
  constexpr int steps = 60;
  const std::vector<std::string> settings = {"task.type=mine", "log.every_n_steps=1",
                                             "trainer.max_steps=" + std::to_string(steps),
                                             "checkpoint.every_n_steps=0"};
  ASSERT_EQ(run(train("whole", settings), signalling(-1, 0)).status, 0);
  const std::string whole = traces("whole"), all_rows = text_of(scratch / "whole/metrics.jsonl");
  const int signals = soak_count(10, 500);
  for (int done = 0, round = 0; done < signals; ++round) {
    const std::string name = "run" + std::to_string(round);
    for (std::int64_t at = 0; at < steps;) {
      at += chance.below(25);
      const int signal = chance.below(2) == 0 ? SIGTERM : SIGUSR1;
      const int status = run_apart(
          train(name, settings), [] {}, {}, signalling(at, signal));
      if (status == 0) break;  // `at` was beyond the end
      ++done;
      ASSERT_EQ(status, 75) << "at step " << at;
      ASSERT_EQ(newest(name), ++at) << "the step under way, and no other";
      const std::string rows = text_of(scratch / name / "metrics.jsonl");
      EXPECT_EQ(all_rows.compare(0, rows.size(), rows), 0) << "rows until step " << at;
    }
    ASSERT_EQ(run(train(name, settings), signalling(-1, 0)).status, 0);
    EXPECT_EQ(traces(name), whole) << "round " << round << ", seed " << testing::soak_seed();
    fs::remove_all(scratch / name);
  }
}

}  // namespace
}  // namespace gradus::cli
