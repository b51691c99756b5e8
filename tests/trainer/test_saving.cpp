// Checkpoints written beside training, what is kept of them, and runs that are trials of a search.
#include <gtest/gtest.h>
#include <signal.h>

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <nlohmann/json.hpp>
#include <sstream>

#include "gradus/tensor/safetensors.h"
#include "gradus/tests/trainer/command.h"
#include "gradus/tests/trainer/failing_files.h"
#include "gradus/trainer/checkpoint/background.h"
#include "gradus/trainer/checkpoint/store.h"
#include "gradus/trainer/data/readers.h"
#include "gradus/trainer/tasks/classify.h"
#include "gradus/trainer/trainer.h"

namespace gradus::trainer {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

const std::string digits_toml = std::string(GRADUS_SOURCE_DIR) + "/examples/digits.toml";

std::unique_ptr<Trainer> make(const std::vector<std::string>& settings) {
  Config config = load_config(digits_toml, settings);
  auto data = open_datasets(config);
  auto task = make_classify(config, data);
  return std::make_unique<Trainer>(config, task, data);
}

/// A disk whose checkpoints wait until they are let go.
class SlowFiles final : public Files {
 public:
  int make_directory(const fs::path& path) override {
    if (path.filename().string().starts_with(".tmp_step")) {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [this] { return open_; });
    }
    return Files::make_directory(path);
  }
  void let_go() {
    const std::lock_guard lock(mutex_);
    open_ = true;
    changed_.notify_all();
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool open_ = false;
};

TEST(AsynchronousSave, training_goes_on_and_the_checkpoint_is_of_its_step) {
  ScratchDirectory scratch;
  SlowFiles files;
  auto trainer = make({"trainer.max_epochs=0", "trainer.max_steps=20", "checkpoint.every_n_steps=5",
                       "checkpoint.asynchronous=true", "checkpoint.keep_all=true",
                       "trainer.training_metric=none"});
  trainer->use_directory(scratch.path(), {}, files);
  std::map<std::int64_t, std::vector<float>> weights;
  bool beside = false;
  trainer->add(make_hook("watch", HookPhase::step_end, [&](HookContext& c) {
    const std::int64_t step = c.state.attempted;
    weights[step] = c.trainer.task().module().parameters()[0].to_vector<float>();
    if (step == 9) {  // four steps have been made since the save began
      beside = !fs::exists(scratch / "checkpoints" / "step_000000005");
      files.let_go();
    }
  }));
  EXPECT_EQ(trainer->fit().status, "done");
  EXPECT_TRUE(beside);
  const CheckpointStore store(Files::system(), scratch / "checkpoints");
  EXPECT_EQ(store.steps(), (std::vector<std::int64_t>{5, 10, 15, 20}));
  const std::string name = trainer->task().module().parameters()[0].name;
  for (const std::int64_t step : store.steps()) {
    EXPECT_EQ(verify_directory(Files::system(), store.path_of(step)), "");
    const TensorMap saved = load_safetensors(store.path_of(step) / "model.safetensors");
    EXPECT_EQ(saved.at(name).to_vector<float>(), weights[step]) << step;
  }
}

TEST(AsynchronousSave, leaves_what_a_save_that_waits_leaves) {
  ScratchDirectory scratch;
  const auto outcome = [&](const std::string& name, const char* asynchronous) {
    auto trainer = make({"trainer.max_epochs=2", "checkpoint.every_n_steps=7",
                         std::string("checkpoint.asynchronous=") + asynchronous});
    fs::create_directories(scratch / name);
    trainer->use_directory(scratch / name);
    trainer->fit();
    std::string text;
    std::vector<fs::path> paths;
    for (const auto& entry : fs::recursive_directory_iterator(scratch / name / "checkpoints"))
      if (entry.path().filename() != "state.json" && entry.path().filename() != manifest_name)
        paths.push_back(entry.path());  // those hold times
    std::sort(paths.begin(), paths.end());
    for (const fs::path& path : paths) {
      text += path.lexically_relative(scratch / name).string() + "\n";
      if (fs::is_regular_file(path)) text += read_file(Files::system(), path, 1 << 24);
    }
    return text;
  };
  EXPECT_EQ(outcome("background", "true"), outcome("waiting", "false"));
}

/// A disk on which no checkpoint has room.
class FullForCheckpoints final : public Files {
 public:
  int open(const fs::path& path, int flags) override {
    return path.filename() == "model.safetensors" && full ? -ENOSPC : Files::open(path, flags);
  }
  std::atomic<bool> full{true};
};

TEST(AsynchronousSave, an_error_surfaces_at_a_later_step) {
  ScratchDirectory scratch;
  FullForCheckpoints files;
  auto trainer =
      make({"trainer.max_epochs=0", "trainer.max_steps=400", "checkpoint.every_n_steps=5",
            "checkpoint.asynchronous=true", "trainer.training_metric=none"});
  trainer->use_directory(scratch.path(), {}, files);
  try {
    trainer->fit();
    FAIL() << "a full disk went unnoticed";
  } catch (const FileError& error) {
    EXPECT_EQ(error.code(), ENOSPC);
  }
  const std::int64_t step = trainer->state().attempted;
  EXPECT_GT(step, 5);
  EXPECT_LE(step, 10) << "at the next save at the latest";
  files.full = false;
  EXPECT_TRUE(trainer->rescue());
  EXPECT_EQ(CheckpointStore(Files::system(), scratch / "checkpoints").steps(),
            std::vector<std::int64_t>{step});
}

/// Refuses, once, the row of a validation.
struct RefusesValidation final : Sink {
  bool wants(std::int64_t, std::string_view) const override { return false; }
  void write(const Record& record) override {
    if (!refused && find(record.values, "valid/loss") != nullptr) {
      refused = true;
      throw std::bad_alloc();
    }
  }
  bool refused = false;
};

TEST(Rescue, a_validation_that_came_to_nothing_is_made_again) {
  ScratchDirectory scratch;
  const auto start = [&](const char* name) {
    auto trainer = make({"trainer.max_epochs=0", "trainer.max_steps=12", "log.every_n_steps=1",
                         "trainer.validate_every_n_steps=6", "checkpoint.every_n_steps=4"});
    fs::create_directories(scratch / name);
    trainer->use_directory(scratch / name);
    return trainer;
  };
  start("whole")->fit();
  auto trainer = start("run");
  trainer->add(std::make_unique<RefusesValidation>());
  EXPECT_THROW(trainer->fit(), std::bad_alloc);
  EXPECT_EQ(trainer->state().attempted, 6);
  EXPECT_TRUE(trainer->rescue());
  trainer = start("run");
  trainer->load(CheckpointStore(Files::system(), scratch / "run" / "checkpoints").path_of(6));
  trainer->fit();
  const auto rows = [&](const char* name) {
    return read_file(Files::system(), scratch / name / "metrics.csv", 1 << 20);
  };
  EXPECT_EQ(rows("run"), rows("whole"));
}

TEST(AsynchronousSave, background_work_is_one_at_a_time) {
  Background background;
  std::atomic<int> running{0}, most{0};
  for (int i = 0; i < 5; ++i) {
    background.start([&] {
      most = std::max(most.load(), ++running);
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
      --running;
    });
  }
  background.wait();
  EXPECT_EQ(most, 1);
  background.start([] { throw std::runtime_error("once"); });
  EXPECT_THROW(background.wait(), std::runtime_error);
  EXPECT_NO_THROW(background.wait());
  EXPECT_TRUE(background.ended());
}

TEST(Retention, ends_of_epochs_can_be_kept) {
  const auto is_end = [](std::int64_t step) { return step % 10 == 0; };
  const std::vector<std::int64_t> steps = {5, 10, 15, 20, 25, 27, 30};
  CheckpointConfig rules;
  rules.keep_previous = 0;
  rules.keep_best = false;
  EXPECT_EQ(steps_to_delete(steps, rules, 30, {}, is_end),
            (std::vector<std::int64_t>{27, 25, 20, 15, 10, 5}));
  rules.keep_previous_epoch = true;
  EXPECT_EQ(steps_to_delete(steps, rules, 30, {}, is_end),
            (std::vector<std::int64_t>{27, 25, 15, 10, 5}));
  rules.keep_epochs = true;
  EXPECT_EQ(steps_to_delete(steps, rules, 30, {}, is_end),
            (std::vector<std::int64_t>{27, 25, 15, 5}));
  rules.keep_previous = 1;
  EXPECT_EQ(steps_to_delete(steps, rules, 30, {}, is_end), (std::vector<std::int64_t>{25, 15, 5}));

  ScratchDirectory scratch;  // 23 steps an epoch
  auto trainer = make({"trainer.max_epochs=3", "checkpoint.every_n_steps=10",
                       "checkpoint.every_n_epochs=1", "checkpoint.keep_previous=0",
                       "checkpoint.keep_epochs=true", "trainer.training_metric=none"});
  trainer->use_directory(scratch.path());
  trainer->fit();
  EXPECT_EQ(CheckpointStore(Files::system(), scratch / "checkpoints").steps(),
            (std::vector<std::int64_t>{23, 46, 69}));
}

TEST(Trial, is_told_each_validation_and_may_prune) {
  struct Second final : Trial {
    std::vector<std::pair<std::int64_t, double>> reports;
    std::int64_t number() const override { return 7; }
    void report(std::int64_t step, double value) override { reports.push_back({step, value}); }
    bool should_prune() override { return reports.size() == 2; }
  };
  ScratchDirectory scratch;
  const auto trial = std::make_shared<Second>();
  auto trainer = make({"trainer.max_epochs=5", "checkpoint.every_n_steps=1"});
  trainer->set_trial(trial);
  trainer->use_directory(scratch.path());
  const Result result = trainer->fit();
  EXPECT_EQ(result.status, "pruned");
  EXPECT_EQ(result.state.epoch, 2);
  ASSERT_EQ(trial->reports.size(), 2u);
  EXPECT_EQ(trial->reports[1].first, 46);
  EXPECT_EQ(trial->reports[1].second, result.last[0].second);
  EXPECT_FALSE(fs::exists(scratch / "checkpoints"));
  EXPECT_TRUE(fs::exists(scratch / "metrics.csv"));
}

TEST(Trial, of_the_command_line_reports_lines_and_is_pruned_by_sigterm) {
  ScratchDirectory scratch;
  const cli::Words words = {"train", digits_toml, "--trial",
                            "3",     "--set",     "run.base=" + scratch.path().string(),
                            "--set"};
  cli::Words some = words;
  some.push_back("trainer.max_epochs=2");
  const cli::Said said = cli::run(some);
  EXPECT_EQ(said.status, 0) << said.err;
  std::istringstream lines(said.out);
  std::vector<json> reports;
  for (std::string line; std::getline(lines, line);)
    if (const json j = json::parse(line, nullptr, false); j.is_object() && j["event"] == "report")
      reports.push_back(j);
  ASSERT_EQ(reports.size(), 2u) << said.out;
  EXPECT_EQ(reports[0]["trial"], 3);
  EXPECT_EQ(reports[0]["step"], 23);
  const json result = json::parse(said.last_line());
  EXPECT_EQ(result["status"], "done");
  EXPECT_EQ(reports[1]["value"], result["valid/loss"]);
  EXPECT_GT(result["test/accuracy"], 0.1) << "the best weights are kept in memory";
  EXPECT_TRUE(fs::exists(scratch / "trial_3" / "metrics.jsonl"));
  EXPECT_FALSE(fs::exists(scratch / "trial_3" / "checkpoints"));

  cli::Words endless = words;
  endless.insert(endless.end(), {"trainer.max_epochs=100000", "--set",
                                 "run.directory=" + (scratch / "endless").string()});
  const int status = cli::run_apart(
      endless, [] {},
      [&](pid_t child) {
        for (int i = 0; i < 3000 && !fs::exists(scratch / "endless" / "metrics.csv"); ++i)
          std::this_thread::sleep_for(std::chrono::milliseconds(10));
        kill(child, SIGTERM);
      });
  EXPECT_EQ(status, 0);
  EXPECT_FALSE(fs::exists(scratch / "endless" / "checkpoints"));
}

TEST(ProfileWindow, keeps_the_active_steps_as_a_chrome_trace) {
  ScratchDirectory scratch;
  auto trainer = make({"trainer.max_epochs=0", "trainer.max_steps=9", "profiler.wait=1",
                       "profiler.warm=2", "profiler.active=3"});
  trainer->use_directory(scratch.path());
  trainer->fit();
  const json trace = json::parse(read_file(Files::system(), scratch / "trace_6.json", 1 << 20));
  std::map<std::string, int> names;
  std::vector<std::pair<double, double>> steps;
  for (const json& event : trace["traceEvents"]) {
    ++names[event["name"].get<std::string>()];
    if (event["ph"] == "X" && event["name"].get<std::string>().starts_with("step "))
      steps.push_back({event["ts"], event["ts"].get<double>() + event["dur"].get<double>()});
  }
  for (const char* name : {"step 4", "step 5", "step 6"}) EXPECT_EQ(names[name], 1) << name;
  EXPECT_EQ(names.count("step 3"), 0u) << "it was warming up";
  EXPECT_EQ(names.count("step 7"), 0u);
  for (const char* name : {"data", "forward", "backward", "optimizer", "memory"})
    EXPECT_EQ(names[name], 3) << name;
  for (const json& event : trace["traceEvents"]) {
    if (event["ph"] != "X") continue;
    const double begin = event["ts"], end = begin + event["dur"].get<double>();
    EXPECT_TRUE(std::any_of(steps.begin(), steps.end(), [&](const auto& step) {
      return begin >= step.first - 0.01 && end <= step.second + 0.01;
    })) << event;
  }
}

TEST(Statistics, of_time_and_memory_have_a_row_at_each_logging_step) {
  ScratchDirectory scratch;
  auto trainer = make({"trainer.max_epochs=0", "trainer.max_steps=20", "log.every_n_steps=10"});
  trainer->use_directory(scratch.path());
  trainer->fit();
  std::istringstream lines(read_file(Files::system(), scratch / "timing.jsonl", 1 << 20));
  std::int64_t rows = 0;
  for (std::string line; std::getline(lines, line); ++rows) {
    const json row = json::parse(line);
    double parts = 0;
    for (const char* name : {"data_ms", "forward_ms", "backward_ms", "optimizer_ms"}) {
      EXPECT_GE(row[name], 0) << name;
      parts += row[name].get<double>();
    }
    EXPECT_LE(parts, row["step_ms"].get<double>() + 1e-6) << line;
    for (const char* name : {"samples_per_second", "memory_bytes", "device_memory_bytes"})
      EXPECT_GT(row[name], 0) << name;
    EXPECT_GT(row["resident_bytes"], row["memory_bytes"]);
    EXPECT_GE(row["cpu_percent"], 0);
  }
  EXPECT_EQ(rows, 2);
}

TEST(Plan, counts_modules_and_bytes) {
  const cli::Said said = cli::run({"plan", digits_toml});
  EXPECT_EQ(said.status, 0) << said.err;
  const auto has = [&](const std::string& part) {
    EXPECT_NE(said.out.find(part), std::string::npos) << part << "\n" << said.out;
  };
  has("  module  type        trainable  frozen  buffers   memory\n");
  has("  1       Linear           8320       -        -  33.3 kB\n");
  has("  total   Sequential       9610       -        -  38.4 kB\n");
  has("a batch of 64: x (64, 1, 8, 8), y (64)\n");
  has("  weights                38440  38.4 kB\n");
  has("  gradients              38440  38.4 kB\n");
  has("  average                38440  38.4 kB\n");
  has("1437 samples, 23 steps an epoch\n");
  const cli::Said frozen = cli::run({"plan", digits_toml, "--set", "trainer.freeze=['1.*']"});
  EXPECT_NE(frozen.out.find("  1       Linear              -    8320        -  33.3 kB\n"),
            std::string::npos)
      << frozen.out;
  EXPECT_NE(frozen.out.find("  gradients               5160  5.2 kB\n"), std::string::npos);
  EXPECT_EQ(cli::run({"plan", "/no/such.toml"}).status, 2);
}

/// The peak that is planned is the one that a run has, batches that are read ahead included.
TEST(Plan, is_what_a_run_takes) {
  ScratchDirectory scratch;
  for (const char* prefetch : {"2", "12"}) {
    const std::string ahead = std::string("data.train.prefetch=") + prefetch;
    const std::string planned =
        cli::run({"plan", digits_toml, "--set", ahead, "--set", "trainer.max_steps=30"}).out;
    const double plan = std::stod(planned.substr(planned.find("  peak") + 6));
    const std::filesystem::path run = scratch / prefetch;
    ASSERT_EQ(cli::run({"train", digits_toml, "--set", ahead, "--set", "trainer.max_steps=30",
                        "--set", "log.every_n_steps=10", "--set", "run.directory=" + run.string()})
                  .status,
              0);
    std::string timing = read_file(Files::system(), run / "timing.jsonl", 1 << 20);
    timing = timing.substr(timing.rfind("\"memory_bytes\": ") + 16);
    EXPECT_NEAR(std::stod(timing) / plan, 1, 0.15) << prefetch;
  }
}

}  // namespace
}  // namespace gradus::trainer
