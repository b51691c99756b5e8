// When a checkpoint is written: by steps, by time, at epochs' ends, at listed steps, at the last
// one, when asked, and when a validation was the best; and once a step, whatever of these comes
// together.
#include <chrono>
#include <thread>

#include "gradus/tests/trainer/digits.h"

namespace gradus::trainer {
namespace {

struct Triggers : DigitsTest {
  /// The steps at which a run of 12 steps saved, in their order; epochs have 5 steps.
  std::vector<std::int64_t> saves(std::vector<std::string> settings,
                                  const std::function<void(HookContext&)>& at_step_end = {}) {
    settings.insert(
        settings.begin(),
        {"trainer.max_steps=12", "trainer.batches_per_epoch=5", "trainer.validate_every_n_epochs=0",
         "trainer.training_metric=none", "checkpoint.every_n_seconds=0"});
    fs::remove_all(folder);
    Session run(settings, folder);
    std::vector<std::int64_t> steps;
    run.trainer->on_saved([&] { steps.push_back(run.trainer->state().attempted); });
    if (at_step_end) run.trainer->add(make_hook("act", HookPhase::step_end, at_step_end));
    run.trainer->fit();
    return steps;
  }
  using Steps = std::vector<std::int64_t>;
};

TEST_F(Triggers, each_fires_at_its_steps_and_the_last_step_is_always_saved) {
  EXPECT_EQ(saves({}), (Steps{12}));
  EXPECT_EQ(saves({"checkpoint.every_n_steps=5"}), (Steps{5, 10, 12}));
  EXPECT_EQ(saves({"checkpoint.at_steps=[2, 9]"}), (Steps{2, 9, 12}));
  EXPECT_EQ(saves({"checkpoint.every_n_epochs=1"}), (Steps{5, 10, 12}));
  EXPECT_EQ(saves({"checkpoint.every_n_epochs=2"}), (Steps{10, 12}));
  EXPECT_EQ(saves({},
                  [](HookContext& c) {
                    if (c.state.attempted == 7) c.trainer.request_save();
                  }),
            (Steps{7, 12}));
  EXPECT_EQ(saves({},
                  [](HookContext& c) {
                    if (c.state.attempted == 7) c.trainer.request_stop(15);
                  }),
            (Steps{7}))
      << "a signal saves and leaves";
}

TEST_F(Triggers, by_time) {
  const Steps found = saves({"checkpoint.every_n_seconds=0.5"}, [](HookContext& c) {
    if (c.state.attempted == 3 || c.state.attempted == 8)
      std::this_thread::sleep_for(std::chrono::milliseconds(550));
  });
  for (const std::int64_t step : {3, 8, 12})
    EXPECT_EQ(std::count(found.begin(), found.end(), step), 1) << step;
  EXPECT_LE(found.size(), 5u) << "the clock begins anew at each save";
}

TEST_F(Triggers, a_best_validation_is_saved) {
  double loss = 0;  // what the validation is made to say: best at 4 and 8
  Session run({"trainer.max_steps=12", "trainer.validate_every_n_steps=4",
               "trainer.validate_every_n_epochs=0", "checkpoint.every_n_seconds=0"},
              folder);
  run.trainer->add(make_hook("say", HookPhase::after_eval, [&](HookContext& c) {
    for (auto& [name, value] : *c.values)
      if (name == "valid/loss") value = c.state.attempted == 12 ? 9 : 5 - loss++;
  }));
  Steps steps;
  run.trainer->on_saved([&] { steps.push_back(run.trainer->state().attempted); });
  run.trainer->fit();
  EXPECT_EQ(steps, (Steps{4, 8, 12}));
  EXPECT_EQ(bytes_of(folder / "checkpoints/best"), "step_000000008\n");
}

TEST_F(Triggers, what_comes_together_is_one_save) {
  // Step 5 is a multiple, listed, asked for, and an epoch's end; step 12 is the last and listed
  // too.
  EXPECT_EQ(saves({"checkpoint.every_n_steps=5", "checkpoint.at_steps=[5, 12]",
                   "checkpoint.every_n_epochs=1"},
                  [](HookContext& c) {
                    if (c.state.attempted == 5) c.trainer.request_save();
                  }),
            (Steps{5, 10, 12}));
}

}  // namespace
}  // namespace gradus::trainer
