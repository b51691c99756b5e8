// Going on with a run whose configuration has changed, and the parts of a run that only show when
// it goes on: drawn seeds, a plateau's memory, steps that are made up for, a best checkpoint that
// is gone.
#include <signal.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "gradus/autograd/functions.h"
#include "gradus/tests/trainer/command.h"
#include "gradus/tests/trainer/failing_files.h"
#include "gradus/trainer/config/changes.h"
#include "gradus/trainer/tasks/classify.h"

namespace gradus::cli {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using trainer::Change;
using trainer::ScratchDirectory;

const std::string digits = std::string(GRADUS_SOURCE_DIR) + "/examples/digits.toml";

std::string text_of(const fs::path& file) {
  std::ifstream stream(file, std::ios::binary);
  return (std::stringstream() << stream.rdbuf()).str();
}

struct Resume : ::testing::Test {
  ScratchDirectory scratch;

  Words train(const std::string& directory, Words settings = {}) const {
    Words words = {"train", digits};
    settings.insert(settings.begin(),
                    {"run.threads=1", "run.directory=" + (scratch / directory).string()});
    for (const std::string& setting : settings) words.insert(words.end(), {"--set", setting});
    return words;
  }
  static json result(const Said& said) { return json::parse(said.last_line(), nullptr, false); }
  /// Every value of one name in metrics.jsonl.
  std::vector<double> logged(const std::string& directory, const std::string& name) const {
    std::istringstream lines(text_of(scratch / directory / "metrics.jsonl"));
    std::vector<double> values;
    for (std::string line; std::getline(lines, line);)
      if (const json row = json::parse(line); row.contains(name)) values.push_back(row[name]);
    return values;
  }
};

TEST(Changes, each_key_is_free_warned_or_refused) {
  const std::string text =
      "[data.train]\npath = 'a.csv'\n[data.valid]\nfrom = 'train'\nfraction = 0.1\n[data.test]\n"
      "path = 'b.csv'\n[model]\ntype = 'mlp'\n[trainer]\nmax_steps = 9\n";
  const auto parsed = [&](const Words& settings) {
    return trainer::parse_config(text, "a.toml", "/folder", settings);
  };
  const std::string before = to_toml(parsed({}));
  EXPECT_TRUE(trainer::changes(before, parsed({})).empty());
  struct {
    const char* setting;
    Change::Kind kind;
    const char *before, *after;
  } const cases[] = {
      {"trainer.max_steps=10", Change::free, "9", "10"},
      {"log.every_n_steps=1", Change::free, "50", "1"},
      {"checkpoint.keep_all=true", Change::free, "false", "true"},
      {"data.test.path=c.csv", Change::free, nullptr, nullptr},
      {"data.train.workers=3", Change::free, "1", "3"},
      {"optim.lr=0.5", Change::warned, "0.001", "0.5"},
      {"schedule.type=cosine", Change::warned, "\"constant\"", "\"cosine\""},
      {"data.train.batch_size=64", Change::warned, "32", "64"},
      {"trainer.accumulate=2", Change::warned, "1", "2"},
      {"run.seed=1", Change::refused, "0", "1"},
      {"model.type=cnn", Change::refused, "\"mlp\"", "\"cnn\""},
      {"data.train.path=c.csv", Change::refused, nullptr, nullptr},
      {"data.train.transforms=[{type='normalize', std=2}]", Change::refused, nullptr, nullptr},
      {"data.valid.fraction=0.2", Change::refused, "0.1", "0.2"},
      {"optim.type=sgd", Change::refused, "\"adamw\"", "\"sgd\""},
      {"optim.ema_decay=0.9", Change::refused, "0.0", "0.9"},
      {"trainer.freeze=['0.*']", Change::refused, nullptr, nullptr},
  };
  EXPECT_EQ(trainer::kind_of_change("task.top_k", "[]", "[2]"), Change::free)
      << "told, not trained";
  for (const auto& c : cases) {
    const auto found = trainer::changes(before, parsed({c.setting}));
    ASSERT_EQ(found.size(), 1u) << c.setting;
    const std::string setting = c.setting;
    EXPECT_EQ(found[0].key, setting.substr(0, setting.find('='))) << c.setting;
    EXPECT_EQ(found[0].kind, c.kind) << c.setting;
    if (!c.before) continue;
    EXPECT_EQ(found[0].before, c.before) << c.setting;
    EXPECT_EQ(found[0].after, c.after) << c.setting;
  }
  // A group may say more in a later release; it may not say something else.
  const std::string groups = "optim.groups=[{name='a', parameters=['*.bias'], lr=0.1";
  std::string then = to_toml(parsed({groups + "}]"}));
  const std::string added = ", decay_by_role = true";
  ASSERT_NE(then.find(added), std::string::npos) << then;
  then.erase(then.find(added), added.size());
  EXPECT_TRUE(trainer::changes(then, parsed({groups + "}]"})).empty());
  EXPECT_EQ(trainer::changes(then, parsed({groups + ", weight_decay=1}]"})).size(), 1u);
  EXPECT_EQ(trainer::changes(then, parsed({})).size(), 1u);
  // A split that comes or goes changes what is trained on; another data set does not.
  const auto more = trainer::changes(before, parsed({"data.more={from='train', fraction=0.1}"}));
  ASSERT_EQ(more.size(), 1u);
  EXPECT_EQ(more[0].kind, Change::refused);
  EXPECT_TRUE(trainer::changes(before, parsed({"data.more={path='m.csv'}"})).empty());
}

TEST_F(Resume, refuses_another_run_and_tells_what_changed) {
  ASSERT_EQ(run(train("run", {"trainer.max_steps=5"})).status, 0);
  const Said other = run(train("run", {"model.hidden=[9]", "run.seed=7"}));
  EXPECT_EQ(other.status, 2);
  EXPECT_NE(other.err.find("model.hidden: [128] -> [9]; run.seed: 0 -> 7; give it a run.directory "
                           "of its own, or say --allow-change model.hidden --allow-change "
                           "run.seed\n"),
            std::string::npos)
      << other.err;
  Words typo = train("run", {"run.seed=7", "trainer.max_steps=6"});
  typo.insert(typo.end(), {"--allow-change", "run.sed"});
  EXPECT_NE(run(typo).err.find("--allow-change run.sed: no key has that name\n"),
            std::string::npos);
  Words seed = train("run", {"run.seed=7", "trainer.max_steps=6"});
  seed.insert(seed.end(), {"--allow-change", "run.*"});
  const Said allowed = run(seed);
  EXPECT_EQ(allowed.status, 0) << allowed.err;
  EXPECT_NE(allowed.out.find("changed since the checkpoint: run.seed: 0 -> 7\n"),
            std::string::npos);
  Words model = train("run", {"run.seed=7", "model.hidden=[9]"});
  model.insert(model.end(), {"--allow-change", "model.hidden"});
  const Said unfit = run(model);
  EXPECT_EQ(unfit.status, 2);
  EXPECT_NE(unfit.err.find("checkpoints/step_000000006: "), std::string::npos) << unfit.err;
  const Said rate =
      run(train("run", {"run.seed=7", "optim.lr=0.5", "schedule.type=constant", "schedule.warmup=0",
                        "trainer.max_steps=7", "log.every_n_steps=1"}));
  EXPECT_EQ(rate.status, 0) << rate.err;
  EXPECT_NE(rate.out.find("changed since the checkpoint: optim.lr: 0.003 -> 0.5\n"),
            std::string::npos)
      << rate.out;
  EXPECT_EQ(logged("run", "lr"), std::vector<double>{0.5}) << "the new rate is obeyed";
}

TEST_F(Resume, notices_another_training_set_under_the_same_name) {
  const fs::path file = scratch / "data.csv";
  const auto write = [&](int rows) {
    std::ofstream out(file);
    for (int i = 0; i < rows; ++i) out << i % 7 << "," << i % 3 << "," << i % 2 << "\n";
  };
  const Words words = {"train", scratch / "c.toml", "--set",
                       "run.directory=" + (scratch / "run").string()};
  std::ofstream(scratch / "c.toml") << "[data.train]\npath = \"data.csv\"\n[model]\ntype = "
                                       "\"mlp\"\n[trainer]\nmax_steps = 2\n";
  write(20);
  ASSERT_EQ(run(words).status, 0);
  write(21);
  const Said said = run(words);
  EXPECT_EQ(said.status, 2);
  EXPECT_NE(said.err.find("data.train: 21 samples, the checkpoint's run had 20"), std::string::npos)
      << said.err;
}

TEST_F(Resume, keeps_the_seed_that_was_drawn) {
  ASSERT_EQ(run(train("run", {"run.seed=\"time\"", "trainer.max_steps=2"})).status, 0);
  const Said said = run(train("run", {"run.seed=\"time\"", "trainer.max_steps=4"}));
  EXPECT_EQ(said.status, 0) << said.err;
  EXPECT_EQ(said.out.find("run.seed"), std::string::npos) << said.out;
}

TEST_F(Resume, a_plateau_remembers) {
  // Nothing is an improvement of 99 %: every validation after the first halves the rate.
  const Words settings = {"schedule.type=plateau",   "schedule.warmup=0",
                          "schedule.patience=0",     "schedule.gamma=0.5",
                          "schedule.threshold=0.99", "log.every_n_steps=23",
                          "optim.ema_decay=0.0"};
  const auto with = [&](const std::string& more) {
    Words all = settings;
    all.push_back(more);
    return all;
  };
  ASSERT_EQ(run(train("whole", with("trainer.max_epochs=4"))).status, 0);
  EXPECT_EQ(logged("whole", "lr"), (std::vector<double>{0.003, 0.003, 0.0015, 0.00075}));
  for (int epochs = 1; epochs <= 4; ++epochs)
    ASSERT_EQ(run(train("parts", with("trainer.max_epochs=" + std::to_string(epochs)))).status, 0);
  EXPECT_EQ(logged("parts", "lr"), logged("whole", "lr"));
  const Said blind = run(train("blind", {"schedule.type=plateau", "trainer.training_metric=none"}));
  EXPECT_EQ(blind.status, 2);
  EXPECT_NE(blind.err.find("plateau watches trainer.training_metric"), std::string::npos);
}

/// The stock task with something done to each step.
Tasks doing(std::function<void(trainer::StepResult&, const trainer::State&)> act) {
  struct Doing : trainer::Task {
    std::shared_ptr<trainer::Task> task;
    std::function<void(trainer::StepResult&, const trainer::State&)> act;
    nn::Module& module() override { return task->module(); }
    std::optional<trainer::StepResult> step(const trainer::Batch& batch,
                                            const trainer::State& state) override {
      auto result = task->step(batch, state);
      act(*result, state);
      return result;
    }
    trainer::StepResult evaluate(const trainer::Batch& batch, std::string_view set) override {
      return task->evaluate(batch, set);
    }
  };
  return {{"mine", [act](trainer::Config& config, const auto& data) {
             auto task = std::make_shared<Doing>();
             task->task = trainer::make_classify(config, data);
             task->act = act;
             return task;
           }}};
}

TEST_F(Resume, applied_steps_are_made_up_for) {
  const Tasks tasks = doing([](trainer::StepResult& result, const trainer::State& state) {
    const bool bad = state.attempted == 3 || state.attempted == 10;  // the second one at the end
    if (bad) result.losses[0].value = result.losses[0].value * NAN;
  });
  const auto settings = [](int steps, const char* count) {
    return Words{"task.type=mine", "trainer.max_steps=" + std::to_string(steps),
                 std::string("trainer.count=") + count, "schedule.length=100"};
  };
  const json attempted = result(run(train("a", settings(10, "attempted")), tasks));
  EXPECT_EQ(attempted["step"], 10);
  EXPECT_EQ(attempted["applied"], 9);
  const json applied = result(run(train("b", settings(10, "applied")), tasks));
  EXPECT_EQ(applied["step"], 12);
  EXPECT_EQ(applied["applied"], 10);
  // In parts: the same steps, the same weights.
  for (const int steps : {2, 9, 10}) run(train("c", settings(steps, "applied")), tasks);
  const auto weights = [&](const char* name) {
    return text_of(scratch / name / "checkpoints/step_000000012/model.safetensors");
  };
  EXPECT_FALSE(weights("b").empty());
  EXPECT_EQ(weights("c"), weights("b"));
}

TEST_F(Resume, a_best_checkpoint_that_is_gone_is_no_failure) {
  // The best is the first validation: the rate makes everything later worse.
  const Words settings = {"trainer.max_epochs=3", "optim.lr=3.0", "schedule.warmup=23",
                          "checkpoint.keep_best=false", "checkpoint.keep_previous=0"};
  const Said said = run(train("run", settings));
  EXPECT_EQ(said.status, 0) << said.err;
  EXPECT_TRUE(result(said).contains("test/loss"));
}

TEST_F(Resume, an_interrupted_run_says_how_it_goes_on) {
  const Tasks tasks = doing([](trainer::StepResult&, const trainer::State& state) {
    if (state.attempted == 3) ::raise(SIGINT);
  });
  const Said said = run(train("run", {"task.type=mine"}), tasks);
  EXPECT_EQ(said.status, 130) << said.err;
  EXPECT_NE(said.out.find("step 4 is saved; `gradus resume " + (scratch / "run").string() +
                          "` goes on from there\n"),
            std::string::npos)
      << said.out;
}

}  // namespace
}  // namespace gradus::cli
