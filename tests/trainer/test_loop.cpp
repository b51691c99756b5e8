// When a run stops, when it validates, what selects the best, which metrics are written, and what a
// checkpoint of a partly frozen model holds.
#include <chrono>
#include <cmath>
#include <thread>

#include "gradus/kernels/create.h"
#include "gradus/kernels/matmul.h"
#include "gradus/tensor/safetensors.h"
#include "gradus/tests/trainer/digits.h"
#include "gradus/trainer/checkpoint/saved_state.h"
#include "gradus/trainer/cli/session.h"
#include "gradus/trainer/selection.h"

namespace gradus::trainer {
namespace {

struct LoopTest : DigitsTest {
  static State state_after(const std::vector<std::string>& settings, std::string* status = {}) {
    Session run(settings);
    const Result result = run.trainer->fit();
    if (status != nullptr) *status = result.status;
    return result.state;
  }
  /// Attempted steps at which valid was evaluated.
  static std::vector<std::int64_t> validations(
      const std::vector<std::string>& settings,
      const std::function<void(Trainer&)>& prepare = [](Trainer&) {}) {
    Session run(settings);
    std::vector<std::int64_t> steps;
    run.trainer->add(make_hook("watch", HookPhase::before_eval, [&](HookContext& c) {
      if (c.dataset == "valid") steps.push_back(c.state.attempted);
    }));
    prepare(*run.trainer);
    run.trainer->fit();
    return steps;
  }
};

using Steps = std::vector<std::int64_t>;

TEST_F(LoopTest, NMeansExactlyN) {
  std::string status;
  State end = state_after(
      {"trainer.max_steps=0", "trainer.max_samples=100", "schedule.type=constant"}, &status);
  EXPECT_EQ(status, "done");
  EXPECT_EQ(end.samples, 100);
  EXPECT_EQ(end.attempted, 2) << "64 and 36";
  end = state_after({"trainer.max_steps=0", "trainer.max_samples=100", "trainer.accumulate=4",
                     "schedule.type=constant"});
  EXPECT_EQ(end.samples, 100);
  EXPECT_EQ(end.attempted, 1);
  EXPECT_EQ(end.micro, 2) << "no empty micro-batch";
  end = state_after({"trainer.max_steps=0", "trainer.max_samples=1437", "schedule.type=constant"});
  EXPECT_EQ(end.epoch, 1) << "an epoch's last sample is the run's last";
  EXPECT_EQ(state_after({"trainer.max_steps=7"}).attempted, 7);
  EXPECT_EQ(state_after({"trainer.max_steps=0", "trainer.max_epochs=3"}).epoch, 3);
}

TEST_F(LoopTest, TheFirstConditionWins) {
  EXPECT_EQ(state_after({"trainer.max_steps=5", "trainer.max_samples=1000"}).attempted, 5);
  EXPECT_EQ(state_after({"trainer.max_steps=50", "trainer.max_samples=128"}).attempted, 2);
  EXPECT_EQ(state_after({"trainer.max_steps=50", "trainer.max_epochs=1"}).attempted, 23);
  Session run({"trainer.max_steps=5000", "trainer.max_seconds=0.05"});
  run.trainer->add(make_hook("sleep", HookPhase::step_end, [](HookContext&) {
    std::this_thread::sleep_for(std::chrono::milliseconds(30));
  }));
  const State end = run.trainer->fit().state;
  EXPECT_LE(end.attempted, 2);
  EXPECT_GE(end.elapsed_seconds, 0.05);
}

TEST_F(LoopTest, AJobOfAChainEndsPartialAndTheNextGoesOn) {
  for (const std::string key :
       {"epochs_per_job=1", "one_more_epoch=true", "stop_after_epoch=true"}) {
    const fs::path directory = folder / key;
    const std::vector<std::string> settings = {"trainer.max_steps=0", "trainer.max_epochs=2",
                                               "trainer." + key};
    Session first(settings, directory);
    EXPECT_EQ(first.trainer->fit().status, "partial") << key;
    EXPECT_EQ(first.trainer->state().attempted, 23);
    Session second(settings, directory);
    const Result result = second.trainer->fit();
    EXPECT_EQ(result.status, "done");
    EXPECT_EQ(result.state.attempted, 46);
  }
  EXPECT_THROW(parse_config(digits(), "a.toml", ".",
                            {"trainer.one_more_epoch=true", "trainer.epochs_per_job=2"}),
               Error);
}

TEST_F(LoopTest, WindowsLeftOverAtAnEpochsEndAreFlushed) {
  // 23 batches: five windows of four and one of three.
  Session run({"trainer.max_steps=0", "trainer.max_epochs=2", "trainer.accumulate=4"});
  std::vector<std::int64_t> micro;
  run.trainer->add(make_hook("watch", HookPhase::step_end,
                             [&](HookContext& c) { micro.push_back(c.state.micro); }));
  run.trainer->fit();
  EXPECT_EQ(micro, (Steps{4, 8, 12, 16, 20, 23, 27, 31, 35, 39, 43, 46}));
}

/// Batches whose weights (tokens, say) are not their sizes.
struct Weighted final : Task {
  struct Net final : nn::Module {
    Tensor a = zeros({1}, {.requires_grad = true});
    void visit(nn::Visitor& v) override { v("a", a); }
  } net;
  std::vector<double> slopes, weights;
  std::size_t next = 0;
  nn::Module& module() override { return net; }
  std::optional<StepResult> step(const Batch&, const State&) override {
    const std::size_t i = next++;
    StepResult result;
    result.losses.push_back({"loss", sum(net.a * slopes[i])});
    result.weight = weights[i];
    return result;
  }
};

/// Two steps of two micro-batches: a weight moves by its gradient.
Config two_plain_steps() {
  return parse_config(
      digits(), "a.toml", ".",
      {"trainer.max_steps=2", "optim.type=sgd", "optim.lr=1", "optim.weight_decay=0",
       "optim.max_grad_norm=0", "schedule.warmup=0", "schedule.type=constant",
       "trainer.training_metric=none", "trainer.accumulate=2", "optim.ema_decay=0",
       "trainer.evaluate_at_end=false", "trainer.max_none_retries=1"});
}

TEST_F(LoopTest, MicroBatchesCountByTheirWeight) {
  const Config config = two_plain_steps();
  const auto task = std::make_shared<Weighted>();
  task->slopes = {1, 5, 8, 8};
  task->weights = {3, 1, 7, 9};
  Trainer trainer(config, task, open_datasets(config));
  std::vector<float> seen;
  trainer.add(make_hook("watch", HookPhase::step_end,
                        [&](HookContext&) { seen.push_back(task->net.a.item<float>()); }));
  trainer.fit();
  EXPECT_EQ(seen, (std::vector<float>{-2, -10})) << "(3 x 1 + 1 x 5) / 4, not their sum or mean";
}

TEST_F(LoopTest, AMicroBatchOfWeightZeroAddsNothing) {
  const Config config = two_plain_steps();
  const auto task = std::make_shared<Weighted>();
  task->slopes = {NAN, 2, NAN, NAN, 3, NAN};
  task->weights = {0, 5, 0, 0, 4, 0};
  Trainer trainer(config, task, open_datasets(config));
  std::vector<float> seen;
  std::vector<std::int64_t> micro;
  trainer.add(make_hook("watch", HookPhase::step_end, [&](HookContext& c) {
    seen.push_back(task->net.a.item<float>());
    micro.push_back(c.state.micro);
  }));
  trainer.fit();
  EXPECT_EQ(seen, (std::vector<float>{-2, -5}));
  EXPECT_EQ(micro, (Steps{2, 6})) << "two batches that say nothing are seen and make no step";

  task->slopes.assign(10, 1);
  task->weights.assign(10, 0);
  task->next = 0;
  Trainer nothing(config, task, open_datasets(config));
  try {
    nothing.fit();
    FAIL() << "a task that never says anything must not run forever";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::argument);
  }
  for (const double wrong : {-1.0, double(NAN), double(INFINITY)}) {
    task->weights.assign(10, wrong);
    task->next = 0;
    Trainer refused(config, task, open_datasets(config));
    EXPECT_THROW(refused.fit(), Error) << wrong;
  }
}

TEST_F(LoopTest, ValidatesAtStepsEpochsAndTimesButNeverTwice) {
  EXPECT_EQ(validations({"trainer.max_steps=50"}), (Steps{23, 46, 50})) << "and the last weights";
  EXPECT_EQ(validations({"trainer.max_steps=50", "trainer.evaluate_at_end=false"}),
            (Steps{23, 46}));
  EXPECT_EQ(validations({"trainer.max_steps=10", "trainer.validate_every_n_steps=4"}),
            (Steps{4, 8, 10}));
  EXPECT_EQ(validations({"trainer.max_steps=50", "trainer.validate_every_n_steps=23"}),
            (Steps{23, 46, 50}))
      << "an epoch's end that is a step's turn, too";
  EXPECT_EQ(validations({"trainer.max_steps=50", "trainer.validate_every_n_steps=10",
                         "trainer.validate_after=25"}),
            (Steps{30, 40, 46, 50}));
  EXPECT_EQ(validations({"trainer.max_steps=6", "trainer.evaluate_at_start=true",
                         "trainer.validate_every_n_steps=5"}),
            (Steps{0, 5, 6}));
  const auto breaks = [](Trainer& trainer) {
    trainer.add(make_hook("break", HookPhase::batch, [](HookContext& c) {
      if (c.state.attempted == 5 && c.state.epoch == 0) throw BreakEpoch{};
    }));
  };
  EXPECT_EQ(validations({"trainer.max_steps=8", "trainer.validate_every_n_steps=5"}, breaks),
            (Steps{5, 8}))
      << "the epoch that ends there was validated with its step";
  const auto sleeps = [](Trainer& trainer) {
    trainer.add(make_hook("sleep", HookPhase::step_end, [](HookContext&) {
      std::this_thread::sleep_for(std::chrono::milliseconds(40));
    }));
  };
  const Steps timed =
      validations({"trainer.max_steps=9", "trainer.validate_every_n_seconds=0.1"}, sleeps);
  EXPECT_FALSE(timed.empty());
  for (std::size_t i = 0; i < timed.size(); ++i)
    EXPECT_LE(timed[i], 3 * static_cast<std::int64_t>(i + 1)) << "three steps last 0.12 s";
}

TEST_F(LoopTest, MeansOfAValidationDoNotDependOnItsBatches) {
  // 161 samples: batches of 50 leave 11, whose mean must not count as much as that of 50.
  Session one({"data.valid.batch_size=161"}), many({"data.valid.batch_size=50"});
  const Values whole = one.trainer->evaluate("valid"), parts = many.trainer->evaluate("valid");
  ASSERT_EQ(whole.size(), parts.size());
  for (std::size_t i = 0; i < whole.size(); ++i)
    EXPECT_NEAR(whole[i].second, parts[i].second, 1e-7) << whole[i].first;
}

TEST(SelectionOfTheBest, StrictByMinDeltaAndNeverNaN) {
  Selection least("valid/loss", /*maximise=*/false, /*min_delta=*/0.5, /*patience=*/2);
  const auto offer = [&](Selection& s, double v, std::int64_t step) {
    return s.offer({{"valid/other", 1}, {"valid/loss", v}}, step);
  };
  EXPECT_FALSE(offer(least, NAN, 1));
  EXPECT_FALSE(least.has_best());
  EXPECT_TRUE(offer(least, 3, 2));
  EXPECT_EQ(least.since_best(), 0);
  EXPECT_FALSE(offer(least, 2.5, 3)) << "better by min_delta is not better by more";
  EXPECT_FALSE(least.exhausted());
  EXPECT_FALSE(offer(least, NAN, 4));
  EXPECT_TRUE(least.exhausted()) << "count >= patience";
  EXPECT_TRUE(offer(least, 2.4, 5));
  EXPECT_FALSE(least.exhausted());
  Selection most("valid/loss", true, 0, 0);
  EXPECT_TRUE(offer(most, -INFINITY, 1));
  EXPECT_TRUE(offer(most, 1, 2));
  EXPECT_FALSE(offer(most, 1, 3)) << "equal is not better";
  for (int i = 0; i < 50; ++i) offer(most, 0, 4 + i);
  EXPECT_FALSE(most.exhausted()) << "a patience of 0 is none";
  try {
    most.offer({{"valid/accuracy", 1}}, 5);
    FAIL();
  } catch (const Error& e) {
    EXPECT_NE(std::string(e.what()).find("valid/accuracy"), std::string::npos) << e.what();
  }
}

TEST_F(LoopTest, WithoutValidationTrainingItselfSelects) {
  const std::vector<std::string> settings = {"trainer.max_steps=60",
                                             "trainer.skip_validation=true",
                                             "trainer.validate_every_n_steps=11",
                                             "trainer.training_metric=train/accuracy",
                                             "trainer.direction=max",
                                             "trainer.evaluate_at_end=false",
                                             "checkpoint.every_n_steps=4"};
  Session run(settings, folder / "whole");
  std::vector<double> means;  // of what was judged: accuracy a sample since the last time
  double right = 0, samples = 0;
  run.trainer->add(make_hook("sum", HookPhase::after_loss, [&](HookContext& c) {
    const auto hits = c.result->records[0].value.to(Dtype::f64).to_vector<double>();
    for (const double hit : hits) right += hit;
    samples += static_cast<double>(hits.size());
  }));
  run.trainer->add(make_hook("turn", HookPhase::step_end, [&](HookContext& c) {
    if (c.state.attempted % 11 != 0 && c.state.attempted != 23 && c.state.attempted != 46) return;
    means.push_back(right / samples);
    right = samples = 0;
  }));
  run.trainer->add(make_hook("never", HookPhase::before_eval,
                             [](HookContext&) { ADD_FAILURE() << "nothing is evaluated"; }));
  const Result result = run.trainer->fit();
  ASSERT_EQ(means.size(), 7u);
  EXPECT_EQ(result.state.valid_step, 7);
  EXPECT_DOUBLE_EQ(*find(result.best, "train/accuracy"),
                   *std::max_element(means.begin(), means.end()));
  EXPECT_DOUBLE_EQ(*find(result.last, "train/accuracy"), means.back());
  EXPECT_TRUE(fs::exists(folder / "whole/checkpoints/best"));
  const auto judged = [](const fs::path& directory) {
    const SavedState saved = read_saved_state(directory / "checkpoints/step_000000060");
    return std::pair{saved.last_validation, saved.selection.best_values};
  };
  const std::string expected = outcome(folder / "whole");
  for (const std::int64_t step : {10, 11, 13, 23, 37, 55}) {
    const fs::path directory = folder / std::to_string(step);
    ASSERT_TRUE(WIFSIGNALED(train_in_child(directory, settings, step)));
    ASSERT_EQ(train_in_child(directory, settings, 0), 0);
    EXPECT_EQ(outcome(directory), expected) << "killed after step " << step;
    EXPECT_EQ(judged(directory), judged(folder / "whole")) << "killed after step " << step;
  }
  const auto error = [](const std::vector<std::string>& s) -> std::string {
    try {
      parse_config(digits(), "a.toml", ".", s);
    } catch (const Error& e) {
      return e.what();
    }
    return "none";
  };
  EXPECT_NE(
      error({"trainer.skip_validation=true"}).find("expected train/<name>, got \"valid/loss\""),
      std::string::npos);
  EXPECT_NE(error({"trainer.training_metric=train/loss"}).find("set trainer.skip_validation"),
            std::string::npos);
}

TEST_F(LoopTest, OnlyTheMetricsThatAreAskedForAreWritten) {
  const auto columns = [&](const std::string& vars, const fs::path& directory,
                           const char* steps = "14") {
    Session run({"trainer.validate_every_n_steps=7", std::string("trainer.max_steps=") + steps,
                 "log.save_metric_vars=" + vars, "trainer.evaluate_at_end=false"},
                directory);
    const Result result = run.trainer->fit();
    EXPECT_GE(result.best_step, 0) << "what selects is computed all the same";
    const std::string csv = bytes_of(directory / "metrics.csv");
    return csv.substr(0, csv.find('\n'));
  };
  const std::string own = "lr,grad_norm,skipped";
  EXPECT_EQ(columns("all", folder / "a"), "step,epoch,event,train/loss,train/accuracy," + own +
                                              ",valid/loss,valid/accuracy,averaged");
  EXPECT_EQ(columns("none", folder / "b"), "step,epoch,event," + own + ",averaged");
  EXPECT_EQ(columns("['accuracy']", folder / "c"),
            "step,epoch,event,train/accuracy," + own + ",valid/accuracy,averaged");
  EXPECT_EQ(columns("['valid/', 'train/l']", folder / "d"),
            "step,epoch,event,train/loss," + own + ",valid/loss,valid/accuracy,averaged");
  // Another set when the run goes on: a column more, and rows before it without a value.
  EXPECT_EQ(
      columns("['valid/', 'train/']", folder / "d", "21"),
      "step,epoch,event,train/loss," + own + ",valid/loss,valid/accuracy,averaged,train/accuracy");
  EXPECT_THROW(parse_config(digits(), "a.toml", ".", {"log.save_metric_vars=some"}), Error);
  Session lazy({"log.save_metric_vars=['accuracy']"}, folder / "e");
  EXPECT_EQ(to_toml(parse_config(to_toml(lazy.config), "b.toml", ".")), to_toml(lazy.config));
}

TEST_F(LoopTest, TheNormIsRecordedWithoutClipping) {
  Session run({"trainer.max_steps=7", "optim.max_grad_norm=0"}, folder);
  double norm = 0;
  run.trainer->add(make_hook("watch", HookPhase::log,
                             [&](HookContext& c) { norm = *find(*c.values, "grad_norm"); }));
  run.trainer->fit();
  EXPECT_GT(norm, 0.01);
}

TEST_F(LoopTest, Tf32IsAskedForByName) {
  const auto opened = [](const std::string& value) {
    cli::open_session(parse_config(digits(), "a.toml", ".", {"run.tf32=" + value}), {});
    return matmul_uses_tf32();
  };
  EXPECT_TRUE(opened("true"));
  EXPECT_FALSE(opened("false"));
  EXPECT_FALSE(Config{}.run.tf32);
}

TEST_F(LoopTest, ACheckpointOfTrainableWeightsLeavesOutTheFrozenOnes) {
  const std::vector<std::string> settings = {"trainer.freeze=['1.*']", "checkpoint.save=trainable",
                                             "checkpoint.every_n_steps=4", "run.seed=3"};
  ASSERT_EQ(train_in_child(folder / "whole", settings, 0), 0);
  const fs::path last = folder / "whole/checkpoints/step_000000060";
  std::vector<std::string> names;
  for (const auto& [name, t] : load_safetensors(last / "model.safetensors")) names.push_back(name);
  EXPECT_EQ(names, (std::vector<std::string>{"4.bias", "4.weight"}));
  ASSERT_TRUE(WIFSIGNALED(train_in_child(folder / "killed", settings, 30)));
  ASSERT_EQ(train_in_child(folder / "killed", settings, 0), 0);
  EXPECT_EQ(outcome(folder / "killed"), outcome(folder / "whole"));
  // What is not in it must be what it was: another seed has other frozen weights.
  std::vector<std::string> other = settings;
  other.back() = "run.seed=4";
  Session run(other);
  try {
    run.trainer->load(last);
    FAIL() << "other frozen weights were accepted";
  } catch (const Error& e) {
    EXPECT_NE(std::string(e.what()).find("the frozen ones are not those"), std::string::npos)
        << e.what();
  }
  // Weights alone, where no optimizer is made (gradus eval).
  Session eval(settings);
  eval.trainer->load_weights(last, false);
  for (const Parameter& p : eval.trainer->task().module().parameters()) {
    if (p.name == "4.weight") {
      EXPECT_EQ(p.to_vector<float>(),
                load_safetensors(last / "model.safetensors").at(p.name).to_vector<float>());
    }
  }
  // What thaws later can change: all of it is kept.
  std::vector<std::string> thawing = settings;
  thawing.push_back("trainer.unfreeze_at=50");
  ASSERT_EQ(train_in_child(folder / "thaws", thawing, 0), 0);
  EXPECT_EQ(load_safetensors(folder / "thaws/checkpoints/step_000000060/model.safetensors").size(),
            4u);
}

}  // namespace
}  // namespace gradus::trainer
