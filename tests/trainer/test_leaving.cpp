// A signal in the middle of an evaluation: a scheduler that gives two minutes does not wait for a
// validation of ten. The run saves its step at once, and who goes on makes the evaluation.
#include <algorithm>
#include <csignal>
#include <set>

#include "gradus/tests/trainer/digits.h"
#include "gradus/tests/trainer/event_reader.h"
#include "gradus/trainer/checkpoint/store.h"
#include "gradus/trainer/logging.h"

namespace gradus::trainer {
namespace {

struct LeavingTest : DigitsTest {
  /// Of 8 steps; every step says something of its own, and every batch of an evaluation too.
  Session session(const std::string& name, std::vector<std::string> settings) {
    for (const char* s : {"trainer.max_steps=8", "log.every_n_steps=2", "log.tensorboard=true",
                          "log.images=true", "log.histograms_every_n_steps=1",
                          "log.jsonl_every_n_steps=1", "log.tensorboard_every_n_steps=1"})
      settings.insert(settings.begin(), s);
    Session run(settings, folder / name);
    const auto say = [](HookContext& c) {
      log_text("note", "step " + std::to_string(c.state.attempted));
      log_image("first", (*c.batch)["x"].slice(0, 0, 2));
    };
    run.trainer->add(make_hook("say", HookPhase::after_loss, say));
    run.trainer->add(make_hook("say", HookPhase::after_eval_step, say));
    return run;
  }
  std::string all(const std::string& name) {
    std::string out = outcome(folder / name, "step_000000008");
    out += bytes_of(folder / name / "entries.jsonl");
    std::multiset<std::string> tags;
    for (const fs::path& file : event_files(folder / name))
      for (const Message& event : read_events(file))
        for (const Message& value : event.message(5).messages(1))
          tags.insert(std::to_string(event.integer(2)) + " " + value.text(1) + "\n");
    for (const auto& entry : fs::recursive_directory_iterator(folder / name / "visualizations"))
      tags.insert(entry.path().lexically_relative(folder / name).string() + "\n");
    for (const std::string& tag : tags) out += tag;
    return out;
  }
};

/// Asks to stop at the second batch of the first evaluation of `set` once `step` steps were made,
/// and counts the batches that are evaluated then.
struct Told {
  int evaluated = 0;
  Told(Trainer& trainer, const std::string& set, std::int64_t step, int signal) {
    trainer.add(make_hook("tell", HookPhase::before_eval_step, [=, n = 0](HookContext& c) mutable {
      if (c.dataset != set || c.state.attempted != step || ++n != 2) return;
      c.trainer.request_stop(signal);
    }));
    trainer.add(make_hook("count", HookPhase::after_eval_step, [=, this](HookContext& c) {
      evaluated += c.dataset == set && c.state.attempted == step;
    }));
  }
};

struct Case {
  const char* name;
  const char* set;
  std::int64_t step;
  std::int64_t saved;  // the newest checkpoint, -1: there is nothing to save yet
  std::vector<std::string> settings;
};

TEST_F(LeavingTest, WhoGoesOnMakesTheEvaluationAndLeavesTheSame) {
  const std::string steps = "trainer.validate_every_n_steps=";
  for (const Case& c : {
           Case{"within an epoch", "valid", 4, 4, {steps + "4"}},
           Case{
               "at the first step", "valid", 1, 1, {steps + "1", "trainer.evaluate_average=false"}},
           Case{"at an epoch's end", "valid", 3, 3, {"trainer.batches_per_epoch=3"}},
           Case{"with every step saved",
                "valid",
                4,
                4,
                {steps + "2", "checkpoint.every_n_steps=1", "checkpoint.asynchronous=true"}},
           Case{"at the start", "valid", 0, -1, {"trainer.evaluate_at_start=true"}},
           Case{"at the end", "valid", 8, 8, {steps + "3"}},
           Case{"of the test", "test", 8, 8, {steps + "4"}},
       }) {
    SCOPED_TRACE(c.name);
    fs::remove_all(folder);
    session("whole", c.settings).trainer->fit();
    Session left = session("run", c.settings);
    const Told told(*left.trainer, c.set, c.step, SIGUSR1);
    const Result result = left.trainer->fit();
    EXPECT_EQ(result.status, "requeue");
    EXPECT_EQ(result.signal, SIGUSR1);
    EXPECT_EQ(result.state.attempted, c.step);
    EXPECT_EQ(told.evaluated, 1) << "the batch that was under way";
    EXPECT_EQ(find(result.last, "test/loss"), nullptr);
    const auto saved = CheckpointStore(Files::system(), folder / "run/checkpoints").steps();
    EXPECT_EQ(saved.empty() ? -1 : saved.back(), c.saved);
    EXPECT_EQ(session("run", c.settings).trainer->fit().status, "done");
    EXPECT_TRUE(all("run") == all("whole"));
  }
}

TEST_F(LeavingTest, AProgramThatAsksToStopGetsItsValidation) {
  Session run = session("run", {"trainer.validate_every_n_steps=4"});
  const Told told(*run.trainer, "valid", 4, 0);
  EXPECT_EQ(run.trainer->fit().status, "partial");
  EXPECT_EQ(told.evaluated, 6);
}

TEST_F(LeavingTest, AnEvaluationWithoutTrainingIsLeftToo) {
  Session run({}, {});
  auto data = open_datasets(run.config);
  data.erase("train");
  Trainer trainer(run.config, make_classify(run.config, data), data);
  const Told told(trainer, "valid", 0, SIGINT);
  EXPECT_EQ(trainer.fit().status, "interrupted");
  EXPECT_EQ(told.evaluated, 1);
}

TEST_F(LeavingTest, AnEvaluationThatAHookAsksForIsWhole) {
  Session run = session("run", {"trainer.validate_every_n_steps=0"});
  const Told told(*run.trainer, "valid", 2, SIGTERM);
  double loss = 0;
  run.trainer->add(make_hook("ask", HookPhase::step_end, [&](HookContext& c) {
    if (c.state.attempted == 2) loss = *find(c.trainer.evaluate("valid"), "valid/loss");
  }));
  EXPECT_EQ(run.trainer->fit().status, "requeue");
  EXPECT_EQ(told.evaluated, 6);
  EXPECT_GT(loss, 0);
}

}  // namespace
}  // namespace gradus::trainer
