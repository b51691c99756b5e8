// A run that dies inside every window of its life, and one that eight processes want at once.
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include "gradus/tests/crash/soak.h"
#include "gradus/tests/trainer/train_command.h"
#include "gradus/trainer/tasks/classify.h"

namespace gradus::cli {
namespace {

using testing::soak_count;

/// The stock task with something done at the beginning of its n-th step of this process, from 1.
Tasks at_call(std::function<void(int)> act) {
  struct Acting : trainer::Task {
    std::shared_ptr<trainer::Task> task;
    std::function<void(int)> act;
    int calls = 0;
    nn::Module& module() override { return task->module(); }
    std::optional<trainer::StepResult> step(const trainer::Batch& batch,
                                            const trainer::State& state) override {
      act(++calls);
      return task->step(batch, state);
    }
    trainer::StepResult evaluate(const trainer::Batch& batch, std::string_view set) override {
      return task->evaluate(batch, set);
    }
  };
  return {{"mine", [act](trainer::Config& config, const auto& data) {
             auto task = std::make_shared<Acting>();
             task->task = trainer::make_classify(config, data);
             task->act = act;
             return task;
           }}};
}

struct EveryStep : TrainCommand {};

/// Windows of two micro-batches, epochs of 12 steps, the last of which has one: each process makes
/// the window that its predecessor died in, saves, and dies in the second half of the next.
TEST_F(EveryStep, resumed_after_every_step_from_within_a_window_leaves_the_same_bits) {
  const int steps = soak_count(14, 200);
  struct {
    const char* name;
    std::vector<std::string> settings;
  } const kinds[] = {
      {"f32", {}},
      {"bf16", {"run.precision=bf16"}},
      {"fp16", {"run.precision=fp16", "optim.loss_scale={init=1e6, interval=3}"}},
      {"adaptive", {"optim.ema_adaptive=true", "optim.dynamic_clip={quantile=0.8, after=4}"}},
      {"plateau",
       {"schedule.type=plateau", "schedule.patience=0", "schedule.threshold=0.5",
        "trainer.validate_every_n_steps=3"}},
  };
  const Tasks whole_task = at_call([](int) {});
  const Tasks dying = at_call([](int call) {
    if (call == 4) ::kill(getpid(), SIGKILL);
  });
  for (const auto& kind : kinds) {
    const std::string name = kind.name;
    std::vector<std::string> settings = kind.settings;
    settings.insert(settings.end(),
                    {"task.type=mine", "trainer.accumulate=2", "model.dropout=0.2",
                     "log.every_n_steps=1", "trainer.max_steps=" + std::to_string(steps)});
    ASSERT_EQ(run(train(name + "_whole", settings), whole_task).status, 0);
    settings.push_back("checkpoint.every_n_steps=1");
    settings.push_back("checkpoint.keep_previous=0");
    int deaths = 0;
    std::int64_t before = -1;
    for (;; ++deaths) {
      const int status = run_apart(
          train(name, settings), [] {}, {}, dying);
      if (status == 0) break;
      ASSERT_EQ(status, -SIGKILL) << name << " after step " << before;
      const std::int64_t now = newest(name);
      ASSERT_GT(now, before) << name;
      ASSERT_LE(now, before + 2 + (before < 0)) << name << ": more than a step between two deaths";
      before = now;
    }
    EXPECT_GE(deaths, steps * 3 / 4) << name;
    EXPECT_EQ(traces(name), traces(name + "_whole")) << name << ", " << deaths << " deaths";
  }
}

/// Who wins holds the directory until all others have been refused; then it is killed, and the next
/// eight find its lock.
TEST_F(EveryStep, of_eight_trainers_for_one_directory_one_trains_and_a_killed_ones_lock_is_free) {
  const int rounds = soak_count(3, 1000);
  for (int round = 0; round < rounds; ++round) {
    int ends[2];
    ASSERT_EQ(pipe2(ends, O_CLOEXEC), 0);
    const Tasks waiting = at_call([&](int) {
      const char begun = 'b';
      if (::write(ends[1], &begun, 1) != 1) _exit(97);
      ::pause();
    });
    std::set<pid_t> children;
    for (int i = 0; i < 8; ++i) {
      const pid_t child = fork();
      ASSERT_GE(child, 0);
      if (child == 0) {
        if (!freopen("/dev/null", "w", stdout) || !freopen("/dev/null", "w", stderr)) _exit(99);
        _exit(call(train("run", {"task.type=mine"}), waiting));
      }
      children.insert(child);
    }
    char begun = 0;
    ASSERT_EQ(::read(ends[0], &begun, 1), 1) << "somebody trains";
    while (children.size() > 1) {
      int status = 0;
      const pid_t child = waitpid(-1, &status, 0);
      ASSERT_EQ(children.erase(child), 1u);
      ASSERT_TRUE(WIFEXITED(status));
      ASSERT_EQ(WEXITSTATUS(status), 2) << "round " << round << ": refused";
    }
    int status = 0;
    ASSERT_EQ(waitpid(*children.begin(), &status, WNOHANG), 0) << "the winner still trains";
    kill(*children.begin(), SIGKILL);
    waitpid(*children.begin(), &status, 0);
    ::close(ends[1]);
    EXPECT_EQ(::read(ends[0], &begun, 1), 0) << "round " << round << ": a second one trained";
    ::close(ends[0]);
    ASSERT_TRUE(fs::exists(scratch / "run/.lock_running"));
  }
}

}  // namespace
}  // namespace gradus::cli
