// run.precision and optim.loss_scale: what they change, what they must not, and that a run in any
// of them goes on exactly.
#include <cmath>

#include "gradus/autograd/functions.h"
#include "gradus/optim/optimizer.h"
#include "gradus/tests/trainer/digits.h"

namespace gradus::trainer {
namespace {

struct PrecisionTest : DigitsTest {
  /// Outputs for the first samples of the validation set, without any training.
  static std::vector<float> predictions(const std::string& precision) {
    Session run({"run.precision=" + precision});
    Batch batch;
    batch.size = 8;
    batch.fields.emplace_back("x", full({8, 1, 8, 8}, 0.37));
    return run.trainer->predict(batch).to(Dtype::f32).to_vector<float>();
  }
  static double metric(const Result& result, const std::string& name) {
    for (const auto& [key, value] : result.last)
      if (key == name) return value;
    return NAN;
  }
};

TEST_F(PrecisionTest, EveryPrecisionLearnsAndRoundsAsItSays) {
  const std::vector<float> exact = predictions("f64");
  const auto error = [&](const std::string& precision) {
    const std::vector<float> y = predictions(precision);
    double worst = 0;
    for (std::size_t i = 0; i < y.size(); ++i)
      worst = std::max(worst, std::abs(double(y[i]) - exact[i]));
    return worst;
  };
  EXPECT_LT(error("f32"), 1e-6);
  EXPECT_GT(error("fp16"), 1e-6);  // products were rounded to 11 bits
  EXPECT_LT(error("fp16"), 1e-3);
  EXPECT_GT(error("bf16"), 2e-5);  // to 8
  EXPECT_LT(error("bf16"), 1e-2);
  const auto reference = weights_after({});
  for (const char* precision : {"f64", "bf16", "fp16"}) {
    Result result;
    const auto weights = weights_after(
        {"run.precision=" + std::string(precision), "trainer.max_steps=150"}, &result);
    EXPECT_EQ(result.status, "done") << precision;
    EXPECT_GT(metric(result, "test/accuracy"), 0.85) << precision;
    EXPECT_NE(weights, reference) << precision;
  }
}

TEST_F(PrecisionTest, WithF64EverythingIsF64) {
  Session run({"run.precision=f64", "trainer.max_steps=3"}, folder);
  Dtype seen = Dtype::f32, loss = Dtype::f32;
  run.trainer->add(make_hook("batch", HookPhase::batch,
                             [&](HookContext& c) { seen = (*c.batch)["x"].dtype(); }));
  run.trainer->add(make_hook("loss", HookPhase::after_loss,
                             [&](HookContext& c) { loss = c.result->losses[0].value.dtype(); }));
  run.trainer->fit();
  EXPECT_EQ(seen, Dtype::f64);
  EXPECT_EQ(loss, Dtype::f64);
  for (const Parameter& p : run.trainer->task().module().parameters()) {
    EXPECT_EQ(p.dtype(), Dtype::f64) << p.name;
    EXPECT_EQ(p.grad().dtype(), Dtype::f64) << p.name;
  }
  EXPECT_EQ(run.trainer->optimizer().ema_state_dict().begin()->second.dtype(), Dtype::f64);
}

TEST_F(PrecisionTest, WeightsAndGradientsStayF32UnderBf16) {
  Session run({"run.precision=bf16", "trainer.max_steps=3"});
  run.trainer->fit();
  for (const Parameter& p : run.trainer->task().module().parameters()) {
    EXPECT_EQ(p.dtype(), Dtype::f32) << p.name;
    EXPECT_EQ(p.grad().dtype(), Dtype::f32) << p.name;
  }
}

TEST_F(PrecisionTest, AFixedPowerOfTwoScaleChangesNoBit) {
  const auto plain = weights_after({"trainer.max_steps=20"});
  EXPECT_EQ(weights_after({"trainer.max_steps=20", "optim.loss_scale=1024"}), plain);
  EXPECT_EQ(weights_after({"trainer.max_steps=20", "optim.loss_scale=1024.0",
                           "trainer.accumulate=2", "data.train.batch_size=32"}),
            plain);
}

TEST_F(PrecisionTest, ADynamicScaleGrowsBacksOffAndEndsTheRunBelowItsMinimum) {
  Session run({"run.precision=fp16", "trainer.max_steps=12", "optim.loss_scale.init=8",
               "optim.loss_scale.interval=4"});
  run.trainer->add(make_hook("poison", HookPhase::after_forward, [&](HookContext& c) {
    if (c.state.attempted == 5) c.result->losses[0].value = c.result->losses[0].value * NAN;
  }));
  std::vector<double> scales;
  run.trainer->add(make_hook("watch", HookPhase::step_end, [&](HookContext& c) {
    scales.push_back(c.trainer.optimizer().loss_scale().item<double>());
  }));
  EXPECT_EQ(run.trainer->fit().status, "done");
  EXPECT_EQ(scales, (std::vector<double>{8, 8, 8, 16, 16, 8, 8, 8, 8, 16, 16, 16}));

  Session falls({"run.precision=fp16", "optim.loss_scale.init=1", "optim.loss_scale.min=0.1",
                 "trainer.non_finite=raise", "log.every_n_steps=1"});
  falls.trainer->add(make_hook("poison", HookPhase::after_forward, [&](HookContext& c) {
    c.result->losses[0].value = c.result->losses[0].value * NAN;
  }));
  const Result result = falls.trainer->fit();
  EXPECT_EQ(result.status, "diverged");
  EXPECT_EQ(result.state.attempted, 4);  // 1/2, 1/4, 1/8, and 1/16 is too small
  EXPECT_EQ(result.state.applied, 0);
}

TEST_F(PrecisionTest, KilledAndResumedGivesTheSameBits) {
  for (const char* precision : {"bf16", "fp16", "f64"}) {
    const std::vector<std::string> settings = {"checkpoint.every_n_steps=4",
                                               "trainer.validate_every_n_steps=9",
                                               "optim.loss_scale.interval=3",
                                               "optim.dynamic_clip.quantile=0.5",
                                               "optim.dynamic_clip.window=7",
                                               "optim.dynamic_clip.after=3",
                                               "run.precision=" + std::string(precision)};
    ASSERT_EQ(train_in_child(folder / "whole", settings, 0), 0);
    const std::string expected = outcome(folder / "whole");
    for (const std::int64_t step : {1, 6, 13, 22, 39, 59}) {
      const fs::path directory = folder / std::to_string(step);
      ASSERT_TRUE(WIFSIGNALED(train_in_child(directory, settings, step))) << step;
      ASSERT_EQ(train_in_child(directory, settings, 0), 0) << step;
      EXPECT_EQ(outcome(directory), expected) << precision << ", killed after step " << step;
    }
    fs::remove_all(folder);
  }
}

TEST_F(PrecisionTest, AConfigurationWithAScaleReadsBack) {
  for (const std::vector<std::string>& settings : {std::vector<std::string>{"optim.loss_scale=512"},
                                                   {"optim.loss_scale={init=4, interval=9}"},
                                                   {}}) {
    const Config config = parse_config(digits(), "a.toml", ".", settings);
    const Config again = parse_config(to_toml(config), "b.toml", ".");
    EXPECT_EQ(to_toml(again), to_toml(config));
    EXPECT_EQ(again.optim.loss_scale.fixed, config.optim.loss_scale.fixed);
    EXPECT_EQ(again.optim.loss_scale.init, config.optim.loss_scale.init);
  }
  const auto error = [](const std::string& setting) -> std::string {
    try {
      parse_config(digits(), "a.toml", ".", {setting});
    } catch (const Error& e) {
      return e.what();
    }
    return "none";
  };
  EXPECT_EQ(error("optim.loss_scale=big"),
            "--set optim.loss_scale=big: optim.loss_scale: expected a number or a table, got "
            "\"big\" (a string)");
  EXPECT_NE(error("optim.loss_scale=-1").find("must be above 0"), std::string::npos);
  EXPECT_NE(error("optim.loss_scale.backoff=1").find("too large"), std::string::npos);
}

}  // namespace
}  // namespace gradus::trainer
