// Runs that break, fail or are asked to go on where nobody expects it: they end as they should, and
// what goes on from them is what was never interrupted.
#include <atomic>
#include <cerrno>
#include <utility>

#include "gradus/autograd/functions.h"
#include "gradus/kernels/create.h"
#include "gradus/kernels/random.h"
#include "gradus/tests/trainer/digits.h"
#include "gradus/trainer/checkpoint/store.h"

namespace gradus::trainer {
namespace {

struct BreaksTest : SayingTest {
  /// A run of the digits in folder / name that goes on where it was left.
  Session session(const std::string& name, std::vector<std::string> settings) {
    for (const char* s : {"trainer.max_steps=8", "log.every_n_steps=2", "optim.ema_decay=0.9"})
      settings.insert(settings.begin(), s);
    return Session(settings, folder / name);
  }
  std::string traces(const std::string& name) { return outcome(folder / name, "step_000000008"); }
};

/// A disk that has no room for the n-th checkpoint.
struct FullOnce final : Files {
  int open(const fs::path& path, int flags) override {
    if (path.filename() != "model.safetensors" || path.string().find(".tmp_") == std::string::npos)
      return Files::open(path, flags);
    return --countdown == 0 ? -ENOSPC : Files::open(path, flags);
  }
  explicit FullOnce(int n) : countdown(n) {}
  std::atomic<int> countdown;
};

TEST_F(BreaksTest, ACheckpointThatFailedBesideTrainingIsWrittenAgain) {
  FullOnce files(2);
  Session run({"trainer.max_steps=6", "checkpoint.asynchronous=true", "checkpoint.every_n_steps=3",
               "trainer.training_metric=none"});
  fs::create_directories(folder);
  run.trainer->use_directory(folder, {}, files);
  EXPECT_THROW(run.trainer->fit(), FileError);
  run.trainer->rescue();
  EXPECT_EQ(CheckpointStore(Files::system(), folder / "checkpoints").steps().back(), 6);
}

TEST_F(BreaksTest, WhateverAHookAtASaveThrowsTheCheckpointIsThere) {
  Session run = session("run", {"checkpoint.every_n_steps=3"});
  run.trainer->add(
      make_hook("enough", HookPhase::save, [](HookContext&) -> void { throw BreakAllEpochs{}; }));
  EXPECT_EQ(run.trainer->fit().status, "done");
  EXPECT_EQ(run.trainer->state().attempted, 3);
  EXPECT_EQ(CheckpointStore(Files::system(), folder / "run/checkpoints").steps().back(), 3);
}

TEST_F(BreaksTest, AnExitThatBreaksHidesNoError) {
  Session run = session("run", {});
  run.trainer->add(make_hook("fails", HookPhase::step_end,
                             [](HookContext&) -> void { throw std::runtime_error("the first"); }));
  run.trainer->add(
      make_hook("breaks", HookPhase::exit, [](HookContext&) -> void { throw BreakAllEpochs{}; }));
  try {
    run.trainer->fit();
    FAIL();
  } catch (const std::runtime_error& error) {
    EXPECT_STREQ(error.what(), "the first");
  }
}

/// Fails, once, with the validation's row.
struct FailsOnce final : Sink {
  bool wants(std::int64_t, std::string_view) const override { return false; }
  void write(const Record& record) override {
    if (find(record.values, "valid/loss") != nullptr && !std::exchange(failed, true))
      throw std::runtime_error("no room");
  }
  bool failed = false;
};

TEST_F(BreaksTest, WhatBreaksAfterAnUpdateIsTheSameForARunThatGoesOn) {
  const std::vector<std::string> settings = {"trainer.validate_every_n_steps=4",
                                             "checkpoint.keep_all=true",
                                             "trainer.batches_per_epoch=6"};
  const auto breaking = [&]<class B>(const std::string& name, HookPhase phase, B) {
    Session run = session(name, settings);
    run.trainer->add(make_hook("break", phase, [](HookContext& c) {
      if (c.state.attempted == 4) throw B{};
    }));
    return run;
  };
  for (const HookPhase phase : {HookPhase::log, HookPhase::before_eval, HookPhase::after_eval}) {
    fs::remove_all(folder);
    breaking("whole", phase, BreakStep{}).trainer->fit();
    Session stopped = breaking("run", phase, BreakStep{});
    stopped.trainer->add(make_hook("stop", HookPhase::step_end, [](HookContext& c) {
      if (c.state.attempted == 5) c.trainer.request_stop();
    }));
    stopped.trainer->fit();
    breaking("run", phase, BreakStep{}).trainer->fit();
    EXPECT_EQ(traces("run"), traces("whole")) << static_cast<int>(phase);
  }
  fs::remove_all(folder);  // a step that is finished by who goes on, and breaks the epoch there
  const auto end_there = [](Session run) {
    run.trainer->add(make_hook("break", HookPhase::after_eval, [](HookContext& c) {
      if (c.state.attempted == 4) throw BreakEpoch{};
    }));
    return run;
  };
  Session failing = session("run", settings);
  failing.trainer->add(std::make_unique<FailsOnce>());
  EXPECT_THROW(failing.trainer->fit(), std::runtime_error);
  EXPECT_TRUE(failing.trainer->rescue());
  EXPECT_EQ(end_there(session("run", settings)).trainer->fit().status, "done");
  end_there(session("whole", settings)).trainer->fit();
  EXPECT_EQ(traces("run"), traces("whole"));
}

TEST_F(BreaksTest, AFinishedRunThatIsExtendedHasItsPatienceLeft) {
  const std::vector<std::string> patient = {"trainer.stopping_patience=1",
                                            "trainer.validate_every_n_steps=4", "optim.lr=0"};
  auto longer = patient;
  longer.push_back("trainer.max_steps=7");
  auto shorter = patient;
  shorter.push_back("trainer.max_steps=6");
  EXPECT_EQ(session("run", shorter).trainer->fit().status, "done");
  EXPECT_EQ(session("run", longer).trainer->fit().status, "done");
}

TEST_F(BreaksTest, ASecondFitGoesOnWithTheRows) {
  Session run = session("run", {"trainer.evaluate_at_end=false"});
  run.trainer->add(make_hook("stop", HookPhase::step_end, [once = false](HookContext& c) mutable {
    if (c.state.attempted == 4 && !std::exchange(once, true)) c.trainer.request_stop();
  }));
  run.trainer->fit();
  run.trainer->fit();
  session("whole", {"trainer.evaluate_at_end=false"}).trainer->fit();
  EXPECT_EQ(traces("run"), traces("whole"));
}

TEST_F(BreaksTest, TheBestOneComesAlongAtASecondTry) {
  session("first", {"trainer.validate_every_n_steps=2", "optim.lr=0"}).trainer->fit();
  const auto newest = choose_start(Files::system(), folder / "first", "latest", "").path;
  FullOnce files(1);
  Session run({"trainer.max_steps=12", "optim.lr=0"});
  fs::create_directories(folder / "second");
  run.trainer->use_directory(folder / "second", {}, files);
  run.trainer->load(newest);
  EXPECT_THROW(run.trainer->fit(), FileError);
  EXPECT_TRUE(run.trainer->rescue());
  EXPECT_EQ(bytes_of(folder / "second/checkpoints/best"),
            bytes_of(folder / "first/checkpoints/best"));
}

TEST_F(BreaksTest, ASaveThatIsAskedForWithinAStepIsMadeAtItsEnd) {
  const std::vector<std::string> settings = {"trainer.accumulate=3", "checkpoint.keep_all=true"};
  session("whole", settings).trainer->fit();
  Session run = session("run", settings);
  run.trainer->add(make_hook("save", HookPhase::after_loss, [](HookContext& c) {
    if (c.state.attempted == 4 && c.state.micro % 3 == 2) c.trainer.save();
  }));
  run.trainer->add(make_hook("stop", HookPhase::step_end, [](HookContext& c) {
    if (c.state.attempted == 7) throw std::runtime_error("a power cut, say");
  }));
  EXPECT_THROW(run.trainer->fit(), std::runtime_error);
  EXPECT_EQ(CheckpointStore(Files::system(), folder / "run/checkpoints").steps(),
            std::vector<std::int64_t>{5});
  session("run", settings).trainer->fit();
  EXPECT_EQ(traces("run"), traces("whole"));
}

/// Says something else each time, but the same of the same weights.
struct Drawing final : Task {
  struct Net final : nn::Module {
    Tensor a = zeros({1}, {.requires_grad = true});
    void visit(nn::Visitor& v) override { v("a", a); }
  } net;
  nn::Module& module() override { return net; }
  std::optional<StepResult> step(const Batch&, const State&) override {
    StepResult result;
    result.losses.push_back({"loss", sum(net.a * rand({1}))});
    return result;
  }
  StepResult evaluate(const Batch&, std::string_view) override {
    StepResult result;
    result.losses.push_back({"loss", sum(rand({1}))});
    return result;
  }
};

TEST_F(BreaksTest, WhatAnEvaluationDrawsBelongsToTheWeights) {
  const Config config = parse_config(digits(), "test.toml", ".",
                                     {"trainer.max_steps=8", "trainer.validate_every_n_steps=2"});
  const auto trainer_in = [&](const fs::path& directory) {
    auto trainer =
        std::make_unique<Trainer>(config, std::make_shared<Drawing>(), open_datasets(config));
    if (!directory.empty()) {
      fs::create_directories(directory);
      trainer->use_directory(directory);
    }
    return trainer;
  };
  const Result kept = trainer_in(folder)->fit(), remembered = trainer_in({})->fit();
  ASSERT_LT(kept.best_step, 8) << "else nothing is shown";
  EXPECT_EQ(*find(kept.last, "test/loss"), *find(remembered.last, "test/loss"));
  const std::string last = (folder / "checkpoints/step_000000008").string();
  const auto looked = trainer_in({}), fresh = trainer_in({});
  looked->load_weights((folder / "checkpoints" / step_name(kept.best_step)).string(), false);
  looked->load(last);
  fresh->load(last);
  EXPECT_EQ(looked->evaluate("valid"), fresh->evaluate("valid"));
  EXPECT_EQ(*find(fresh->fit().last, "test/loss"), *find(kept.last, "test/loss"))
      << "without a directory of its own the best one is found beside what was loaded";
}

}  // namespace
}  // namespace gradus::trainer
