// trainer.non_finite: each policy's exact behaviour, its limits, what it says, and that a run in
// the middle of retries goes on exactly.
#include "gradus/autograd/functions.h"
#include "gradus/tests/trainer/digits.h"

namespace gradus::trainer {
namespace {

void poison(HookContext& c) { c.result->losses[0].value = c.result->losses[0].value * NAN; }
std::shared_ptr<Hook> poison_at(std::int64_t step) {
  return make_hook("poison", HookPhase::after_forward, [step](HookContext& c) {
    if (c.state.attempted == step) poison(c);
  });
}

struct NonFiniteTest : SayingTest {
  struct Seen {
    std::vector<std::vector<std::int64_t>> labels;  // of each attempted step's batch
    std::vector<double> losses;
    Result result;
  };
  static Seen watch(const std::vector<std::string>& settings, std::int64_t bad) {
    Session run(settings);
    Seen seen;
    run.trainer->add(make_hook("labels", HookPhase::batch, [&](HookContext& c) {
      seen.labels.push_back((*c.batch)["y"].to_vector<std::int64_t>());
    }));
    run.trainer->add(make_hook("losses", HookPhase::after_forward, [&](HookContext& c) {
      seen.losses.push_back(c.result->losses[0].value.mean().item<double>());
    }));
    if (bad >= 0) run.trainer->add(poison_at(bad));
    seen.result = run.trainer->fit();
    return seen;
  }
};

TEST_F(NonFiniteTest, RetrySameSeesTheSameSamplesWithNewRandomNumbers) {
  const Seen plain = watch({"trainer.max_steps=8", "optim.lr=0"}, -1);
  const Seen seen =
      watch({"trainer.max_steps=8", "optim.lr=0", "trainer.non_finite=retry_same"}, 3);
  ASSERT_EQ(seen.labels.size(), 8u);
  EXPECT_EQ(seen.labels[3], plain.labels[3]);
  EXPECT_EQ(seen.labels[4], plain.labels[3]) << "the same samples again";
  EXPECT_EQ(seen.labels[7], plain.labels[6]);
  EXPECT_NE(seen.losses[4], plain.losses[3]) << "with another dropout mask";
  EXPECT_EQ(seen.result.state.attempted, 8);
  EXPECT_EQ(seen.result.state.applied, 7);
  EXPECT_EQ(seen.result.state.samples, 7 * 64);
}

TEST_F(NonFiniteTest, RetryNewSeesTheNextSamples) {
  const Seen plain = watch({"trainer.max_steps=8"}, -1);
  const Seen seen = watch({"trainer.max_steps=8", "trainer.non_finite=retry_new"}, 3);
  EXPECT_EQ(seen.labels, plain.labels);
  EXPECT_EQ(seen.result.state.applied, 7);
  EXPECT_EQ(seen.result.state.samples, 8 * 64);
}

TEST_F(NonFiniteTest, AtTheLastBatchOfAnEpochTheSameSamplesStillComeAgain) {
  const Seen seen =
      watch({"trainer.max_steps=0", "trainer.max_epochs=2", "trainer.non_finite=retry_same"}, 22);
  EXPECT_EQ(seen.result.state.attempted, 2 * 23 + 1);
  EXPECT_EQ(seen.labels[22], seen.labels[23]);
  EXPECT_EQ(seen.labels[22].size(), 1437u % 64);
  EXPECT_EQ(seen.result.state.samples, 2 * 1437);
}

TEST_F(NonFiniteTest, RetriesHaveALimitAndNameTheParameters) {
  for (const char* policy : {"retry_same", "retry_new"}) {
    said.clear();
    Session run({"trainer.max_non_finite_retries=2", "trainer.non_finite=" + std::string(policy)});
    run.trainer->add(make_hook("poison", HookPhase::after_forward, [](HookContext& c) {
      if (c.state.attempted >= 5) poison(c);
    }));
    const Result result = run.trainer->fit();
    EXPECT_EQ(result.status, "diverged") << policy;
    EXPECT_EQ(result.state.attempted, 5 + 3) << "one bad step and two retries";
    EXPECT_EQ(result.state.applied, 5);
    EXPECT_NE(said.find("step 6: 1 skipped since the last look, 1 in all: gradients were not "
                        "finite, the last time in 1.weight, "),
              std::string::npos)
        << said;
  }
}

TEST_F(NonFiniteTest, ALimitCountsOnlyBadStepsInARow) {
  Session run(
      {"trainer.max_steps=20", "trainer.max_non_finite_retries=1", "trainer.non_finite=retry_new"});
  run.trainer->add(make_hook("poison", HookPhase::after_forward, [](HookContext& c) {
    if (c.state.attempted % 2 == 1) poison(c);
  }));
  const Result result = run.trainer->fit();
  EXPECT_EQ(result.status, "done");
  EXPECT_EQ(result.state.applied, 10);
}

TEST_F(NonFiniteTest, RaiseEndsTheRunWithoutAnotherUpdate) {
  Session run({"trainer.non_finite=raise", "log.every_n_steps=10"});
  run.trainer->add(poison_at(3));
  const Result result = run.trainer->fit();
  EXPECT_EQ(result.status, "diverged");
  EXPECT_EQ(result.state.applied, 3) << "the halt is the device's: no step after the bad one";
  EXPECT_EQ(result.state.attempted, 10) << "where the host looks next";
  EXPECT_NE(said.find("step 4 was the last"), std::string::npos) << said;
}

TEST_F(NonFiniteTest, SkipTellsTheFirstFiveNamesAtTheNextLogRow) {
  Session run({"trainer.max_steps=14", "model.hidden=[8, 8, 8]"});
  run.trainer->add(poison_at(3));
  EXPECT_EQ(run.trainer->fit().status, "done");
  const std::string list = said.substr(said.find("the last time in "));
  EXPECT_EQ(std::count(list.begin(), list.end(), ','), 4) << "five of eight names: " << said;
  EXPECT_EQ(std::count(said.begin(), said.end(), '\n'), 1) << "told once: " << said;
}

TEST_F(NonFiniteTest, WithNothingRandomRetrySameSaysSo) {
  Session run({"trainer.max_steps=6", "trainer.non_finite=retry_same", "model.dropout=0"});
  run.trainer->add(poison_at(3));
  run.trainer->fit();
  EXPECT_NE(said.find("nothing in a step is random"), std::string::npos) << said;
  const std::size_t once = said.find("nothing in a step is random");
  EXPECT_EQ(said.find("nothing in a step is random", once + 1), std::string::npos);
  EXPECT_LT(once, said.find("skipped since")) << "known before the first bad step";
}

TEST_F(NonFiniteTest, KilledBetweenABadStepAndItsRetryGoesOnExactly) {
  const std::vector<std::string> settings = {"checkpoint.every_n_steps=1", "trainer.max_steps=60",
                                             "trainer.non_finite=retry_same"};
  const auto poisoned = [](Trainer& trainer) { trainer.add(poison_at(9)); };
  ASSERT_EQ(train_in_child(folder / "whole", settings, 0, poisoned), 0);
  const std::string expected = outcome(folder / "whole");
  for (const std::int64_t step : {9, 10, 11, 12}) {
    const fs::path directory = folder / std::to_string(step);
    ASSERT_TRUE(WIFSIGNALED(train_in_child(directory, settings, step, poisoned)));
    ASSERT_EQ(train_in_child(directory, settings, 0, poisoned), 0);
    EXPECT_EQ(outcome(directory), expected) << "killed after step " << step;
  }
}

}  // namespace
}  // namespace gradus::trainer
