// What makes one optimizer step: windows that grow, batches in pieces, balanced losses, parts that
// thaw, breaks from any code; and what a resumed run takes from its checkpoint.
#include <cmath>

#include "gradus/autograd/functions.h"
#include "gradus/optim/optimizer.h"
#include "gradus/tests/trainer/digits.h"

namespace gradus::trainer {
namespace {

struct WindowTest : DigitsTest {};

TEST_F(WindowTest, PiecesOfABatchGiveItsBits) {
  const auto whole = weights_after({"trainer.max_steps=30"});
  EXPECT_EQ(weights_after({"trainer.max_steps=30", "trainer.split_batches=4"}), whole);
  EXPECT_EQ(weights_after({"trainer.max_steps=30", "trainer.split_batches=3"}), whole)
      << "pieces of 22, 22 and 20 samples";
}

TEST_F(WindowTest, AWindowGrowsAtTheStepsItIsToldTo) {
  Session run({"trainer.max_steps=7", "trainer.accumulate_schedule=[[0, 1], [2, 3], [5, 2]]"});
  std::vector<std::int64_t> micro;
  run.trainer->add(make_hook("watch", HookPhase::step_end,
                             [&](HookContext& c) { micro.push_back(c.state.micro); }));
  run.trainer->fit();
  EXPECT_EQ(micro, (std::vector<std::int64_t>{1, 2, 5, 8, 11, 13, 15}));
  const auto error = [](const std::string& value) -> std::string {
    try {
      parse_config(digits(), "a.toml", ".", {"trainer.accumulate_schedule=" + value});
    } catch (const Error& e) {
      return e.what();
    }
    return "none";
  };
  EXPECT_NE(error("[[3, 1], [2, 3]]").find("steps must rise"), std::string::npos);
  EXPECT_NE(error("[4]").find("expected pairs [step, micro-batches], got 4"), std::string::npos);
}

/// Two losses that pull one number each, one 100 times as hard.
struct TwoLosses final : Task {
  struct Net final : nn::Module {
    Tensor a = zeros({1}, {.requires_grad = true}), b = zeros({1}, {.requires_grad = true});
    void visit(nn::Visitor& v) override {
      v("a", a);
      v("b", b);
    }
  } net;
  nn::Module& module() override { return net; }
  std::optional<StepResult> step(const Batch&, const State&) override {
    StepResult result;
    result.losses.push_back({"strong", sum(net.a * 300)});
    result.losses.push_back({"weak", sum(net.b * 3), 0.5});
    return result;
  }
};

TEST_F(WindowTest, BalancedLossesPullEquallyHard) {
  const Config config = parse_config(
      digits(), "a.toml", ".",
      {"trainer.max_steps=1", "trainer.balance_losses=true", "optim.type=sgd", "optim.lr=1",
       "optim.weight_decay=0", "optim.max_grad_norm=0", "schedule.warmup=0",
       "schedule.type=constant", "trainer.training_metric=none", "data.train.batch_size=50"});
  Config copy = config;
  const auto task = std::make_shared<TwoLosses>();
  Trainer trainer(config, task, open_datasets(copy));
  trainer.fit();
  const double mean = (300 + 1.5) / 2;
  EXPECT_NEAR(task->net.a.item<float>(), -mean * 300 / (300 + 1e-4), 1e-3);
  EXPECT_NEAR(task->net.b.item<float>(), -mean * 1.5 / (1.5 + 1e-4), 1e-3);
}

TEST_F(WindowTest, AFrozenPartThawsAndGoesOnExactlyAfterAResume) {
  Session run({"trainer.freeze=['1.*']", "trainer.unfreeze_at=5", "trainer.max_steps=8"});
  std::vector<std::vector<float>> seen;
  run.trainer->add(make_hook("watch", HookPhase::step_end, [&](HookContext& c) {
    for (const Parameter& p : c.trainer.task().module().parameters())
      if (p.name == "1.weight") seen.push_back(p.to_vector<float>());
  }));
  run.trainer->fit();
  EXPECT_EQ(seen[0], seen[4]);
  EXPECT_NE(seen[4], seen[5]) << "step 5 is the first that moves it";
  const std::vector<std::string> settings = {"trainer.freeze=['1.*']", "trainer.unfreeze_at=20",
                                             "checkpoint.every_n_steps=4"};
  ASSERT_EQ(train_in_child(folder / "whole", settings, 0), 0);
  for (const std::int64_t step : {18, 21, 30}) {
    const fs::path directory = folder / std::to_string(step);
    ASSERT_TRUE(WIFSIGNALED(train_in_child(directory, settings, step)));
    ASSERT_EQ(train_in_child(directory, settings, 0), 0);
    EXPECT_EQ(outcome(directory), outcome(folder / "whole")) << "killed after step " << step;
  }
}

/// The stock task, which has nothing to say about every third batch.
struct Silent final : Task {
  std::shared_ptr<Task> task;
  std::int64_t asked = 0, every = 3;
  nn::Module& module() override { return task->module(); }
  std::optional<StepResult> step(const Batch& batch, const State& state) override {
    if (++asked % every == 0) return {};
    return task->step(batch, state);
  }
  StepResult evaluate(const Batch& batch, std::string_view set) override {
    return task->evaluate(batch, set);
  }
};

TEST_F(WindowTest, ABatchWithoutALossIsReplacedByTheNext) {
  static std::string said;
  said.clear();
  const auto run = [](std::int64_t every, std::vector<std::string> settings) {
    settings.insert(settings.end(), {"trainer.max_steps=4", "trainer.evaluate_at_end=false"});
    Config config = parse_config(digits(), "a.toml", ".", settings);
    auto data = open_datasets(config);
    const auto task = std::make_shared<Silent>();
    task->task = make_classify(config, data);
    task->every = every;
    return std::pair{task, std::make_unique<Trainer>(config, task, data)};
  };
  set_log_handler([](std::string_view text) { said += std::string(text) + "\n"; });
  const auto [task, trainer] = run(3, {"trainer.accumulate=2"});
  const Result result = trainer->fit();
  EXPECT_EQ(result.state.attempted, 4);
  EXPECT_EQ(task->asked, 11) << "eight batches with a loss, three without";
  EXPECT_EQ(result.state.samples, 11 * 64) << "what was left out counts as seen";
  const std::size_t told = said.find("gave a batch no loss");
  EXPECT_NE(told, std::string::npos);
  EXPECT_EQ(said.find("gave a batch no loss", told + 1), std::string::npos) << "once";
  const auto [mute, never] = run(1, {"trainer.max_none_retries=5"});
  try {
    never->fit();
    FAIL() << "it must not run forever";
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("gave 6 batches in a row no loss"), std::string::npos)
        << error.what();
  }
  EXPECT_EQ(mute->asked, 6);
  set_log_handler(nullptr);
}

TEST_F(WindowTest, RunningStatisticsOfAFrozenPartStandStill) {
  const auto moved = [](const std::string& frozen, std::int64_t thaw) {
    Session run({"model.type=''", "model.hidden=[]", "model.dropout=0", "trainer.max_steps=5",
                 "model.layers=['flatten', {type='linear', out=8}, 'batch_norm', 'relu', "
                 "{type='linear', out=10}]",
                 "trainer.freeze=" + frozen, "trainer.unfreeze_at=" + std::to_string(thaw)});
    const auto statistics = [&] {
      for (const Parameter& b : run.trainer->task().module().named_buffers())
        if (b.name == "2.running_mean") return b.to_vector<float>();
      return std::vector<float>();
    };
    const std::vector<float> before = statistics();
    EXPECT_EQ(before.size(), 8u);
    run.trainer->fit();
    return statistics() != before;
  };
  EXPECT_TRUE(moved("[]", 0));
  EXPECT_TRUE(moved("['1.*']", 0)) << "the linear layer before it alone";
  EXPECT_FALSE(moved("['1.*', '2.*']", 0));
  EXPECT_TRUE(moved("['1.*', '2.*']", 4)) << "they move once it has thawed";
}

TEST_F(WindowTest, BreaksFromAnyHookEndTheirScopeOnce) {
  const auto epochs_with = [](HookPhase phase, auto thrown) {
    Session run({"trainer.max_steps=0", "trainer.max_epochs=3"});
    std::int64_t ends = 0;
    bool done = false;
    run.trainer->add(make_hook("break", phase, [&](HookContext& c) {
      if (c.state.epoch == 1 && !std::exchange(done, true)) throw thrown;
    }));
    run.trainer->add(make_hook(
        "count", HookPhase::epoch_end, [&](HookContext&) { ++ends; }, -10));
    const Result result = run.trainer->fit();
    EXPECT_EQ(result.status, "done");
    EXPECT_EQ(ends, result.state.epoch);
    return std::pair{result.state.epoch, result.state.attempted};
  };
  using Counts = std::pair<std::int64_t, std::int64_t>;  // 23 steps an epoch
  EXPECT_EQ(epochs_with(HookPhase::epoch_start, BreakEpoch{}), (Counts{3, 46}));
  EXPECT_EQ(epochs_with(HookPhase::epoch_end, BreakEpoch{}), (Counts{3, 69}));
  EXPECT_EQ(epochs_with(HookPhase::epoch_end, BreakStep{}), (Counts{3, 69}));
  EXPECT_EQ(epochs_with(HookPhase::before_eval, BreakEpoch{}), (Counts{3, 69}));
  EXPECT_EQ(epochs_with(HookPhase::log, BreakStep{}), (Counts{3, 69}));
  EXPECT_EQ(epochs_with(HookPhase::log, BreakEpoch{}), (Counts{3, 51}));
  EXPECT_EQ(epochs_with(HookPhase::before_eval, BreakAllEpochs{}), (Counts{1, 23}));
}

TEST_F(WindowTest, EachReloadFlagActsAlone) {
  const std::vector<std::string> first = {"trainer.max_steps=30", "run.precision=fp16",
                                          "optim.loss_scale.interval=5",
                                          "optim.loss_scale.init=16"};
  ASSERT_EQ(train_in_child(folder / "run", first, 0), 0);
  struct Loaded {
    std::vector<float> weight, moment;
    double scale, lr;
    State state;
  };
  const auto load = [&](const std::string& flag) {
    std::vector<std::string> settings = first;
    settings.push_back("optim.lr=0.5");
    settings.push_back("trainer.max_steps=60");
    if (!flag.empty()) settings.push_back("checkpoint.reload." + flag);
    Session run(settings, folder / "run");
    Loaded l;
    l.weight = run.trainer->task().module().parameters()[0].to_vector<float>();
    const auto dict = run.trainer->optimizer().state_dict();
    l.moment = dict.at("state.1.weight.exp_avg").to_vector<float>();
    l.scale = run.trainer->optimizer().loss_scale().item<double>();
    l.lr = run.trainer->optimizer().lr();
    l.state = run.trainer->state();
    return l;
  };
  const Loaded all = load("");
  EXPECT_EQ(all.scale, 16 * 64);
  EXPECT_EQ(all.state.epoch, 1);
  EXPECT_LT(all.lr, 3e-3);
  const Loaded no_weights = load("weights=false");
  EXPECT_NE(no_weights.weight, all.weight);
  EXPECT_EQ(no_weights.moment, all.moment);
  const Loaded no_optimizer = load("optimizer=false");
  EXPECT_EQ(no_optimizer.weight, all.weight);
  EXPECT_EQ(no_optimizer.moment, std::vector<float>(all.moment.size()));
  EXPECT_EQ(no_optimizer.scale, all.scale);
  EXPECT_EQ(load("scaler=false").scale, 16);
  EXPECT_EQ(load("scaler=false").lr, all.lr);
  const Loaded no_schedule = load("scheduler=false");
  EXPECT_EQ(no_schedule.lr, 0.5 / 10) << "the first step of a warm-up of ten";
  EXPECT_EQ(no_schedule.moment, all.moment);
  const Loaded no_epoch = load("epoch=false");
  EXPECT_EQ(no_epoch.state.epoch, 0);
  EXPECT_EQ(no_epoch.state.cursor, 0);
  EXPECT_EQ(no_epoch.state.attempted, 30);
  EXPECT_DOUBLE_EQ(load("update_learning_rate=true").lr, all.lr / 3e-3 * 0.5);
}

}  // namespace
}  // namespace gradus::trainer
