// trainer.anomaly and AnomalyWatch: the first operation that made a value that is not finite, by
// name, with shapes and its module.
#include "gradus/autograd/anomaly.h"
#include "gradus/autograd/functions.h"
#include "gradus/tests/trainer/digits.h"

namespace gradus::trainer {
namespace {

Tensor leaf(std::initializer_list<float> values) {
  const std::vector<float> v(values);
  const Tensor t = from_data(v.data(), {static_cast<std::int64_t>(v.size())});
  t.set_requires_grad(true);
  return t;
}

TEST(AnomalyWatch, NamesTheFirstOperationOfTheForward) {
  const Tensor x = leaf({1, -1, 2});
  AnomalyWatch watch({{x, "body.x", Role::weight}});
  const Tensor y = log(x);
  const Tensor z = exp(y * 2) + 1;
  EXPECT_EQ(watch.found(),
            "forward: log made values that are not finite: body.x (3) -> (3), in module body");
}

TEST(AnomalyWatch, NamesTheFirstOperationOfTheBackward) {
  const Tensor x = leaf({0, 4});
  AnomalyWatch watch({{x, "x", Role::weight}});
  const Tensor y = sum(sqrt(x * 1.0));
  EXPECT_EQ(watch.found(), "");
  y.backward();
  EXPECT_EQ(watch.found().rfind("backward: sqrt made values that are not finite: (2) -> (2)", 0),
            0u)
      << watch.found();
}

TEST(AnomalyWatch, DoesNotBlameWhatWasOnlyPut) {
  const Tensor x = leaf({1, 2, 3});
  AnomalyWatch watch({});
  const Tensor masked = masked_fill(x, gt(x.detach(), 2), -INFINITY);
  sum(softmax(masked, 0) * x).backward();
  EXPECT_EQ(watch.found(), "");
}

TEST(AnomalyWatch, ChangesNoBit) {
  const auto gradient = [](bool watched) {
    const Tensor x = leaf({0.3f, -2, 5});
    std::optional<AnomalyWatch> watch;
    if (watched) watch.emplace(std::vector<Parameter>{});
    sum(tanh(x) * exp(x) + square(x)).backward();
    return x.grad().to_vector<float>();
  };
  EXPECT_EQ(gradient(true), gradient(false));
}

struct AnomalyTest : SayingTest {};

TEST_F(AnomalyTest, TheTrainerNamesOperationShapesAndModule) {
  Session run({"trainer.max_steps=5", "trainer.anomaly=true"});
  run.trainer->add(make_hook("poison", HookPhase::before_forward, [](HookContext& c) {
    for (const Parameter& p : c.trainer.task().module().parameters())
      if (p.name == "4.weight" && c.state.attempted == 3) p.detach().fill_(INFINITY);
  }));
  run.trainer->fit();
  EXPECT_NE(said.find("step 4: forward: "), std::string::npos) << said;
  EXPECT_NE(said.find("4.weight (10, 32)"), std::string::npos) << said;
  EXPECT_NE(said.find(", in module 4\n"), std::string::npos) << said;
  EXPECT_EQ(said.find("step 3: "), std::string::npos)
      << "good steps are not worth a word: " << said;
}

TEST_F(AnomalyTest, ABatchThatWasBadAlreadyIsNamed) {
  Session run({"trainer.max_steps=5", "trainer.anomaly=true"});
  run.trainer->add(make_hook("poison", HookPhase::batch, [](HookContext& c) {
    if (c.state.attempted == 2) (*c.batch)["x"].select(0, 7).fill_(NAN);
  }));
  run.trainer->fit();
  EXPECT_NE(said.find("step 3: forward: "), std::string::npos) << said;
  EXPECT_NE(said.find("the batch's x was not finite already"), std::string::npos) << said;
}

/// log of what is negative, which no gradient comes back from.
struct Covered final : Task {
  struct Net final : nn::Module {
    Tensor a = full({3}, 1.0, {.requires_grad = true});
    void visit(nn::Visitor& v) override { v("a", a); }
  } net;
  nn::Module& module() override { return net; }
  std::optional<StepResult> step(const Batch&, const State& state) override {
    const Tensor shifted = net.a - (state.attempted >= 2 ? 2.0 : 0.0);
    const Tensor logs = where(gt(shifted.detach(), 0), log(shifted), net.a * 0.0);
    const Tensor seen = state.attempted >= 2 ? logs.detach() : logs;
    StepResult result;
    result.losses.push_back({"loss", sum(net.a * 1.0)});
    result.records.push_back({"seen", sum(seen)});
    return result;
  }
};

TEST_F(AnomalyTest, WhatCameToNothingIsNamedOnce) {
  Config config =
      parse_config(digits(), "a.toml", ".",
                   {"trainer.max_steps=6", "trainer.anomaly=true", "trainer.training_metric=none",
                    "trainer.evaluate_at_end=false", "trainer.validate_every_n_epochs=0"});
  Trainer trainer(config, std::make_shared<Covered>(), open_datasets(config));
  EXPECT_EQ(trainer.fit().state.applied, 6);
  EXPECT_NE(said.find("step 3: forward: log made values that are not finite: (3) -> (3)"),
            std::string::npos)
      << said;
  EXPECT_NE(said.find("; the gradients are finite, and the step was made"), std::string::npos);
  EXPECT_EQ(said.find("step 4: "), std::string::npos) << said;
}

TEST_F(AnomalyTest, WatchingChangesNoBitOfARun) {
  EXPECT_EQ(weights_after({"trainer.max_steps=10", "trainer.anomaly=true"}),
            weights_after({"trainer.max_steps=10"}));
}

}  // namespace
}  // namespace gradus::trainer
