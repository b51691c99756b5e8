// Runs of the trainer on the digits of examples/, whole, killed and resumed.
#pragma once

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <map>
#include <string>
#include <vector>

#include "gradus/tensor/parallel.h"
#include "gradus/trainer/checkpoint/start.h"
#include "gradus/trainer/data/readers.h"
#include "gradus/trainer/tasks/classify.h"
#include "gradus/trainer/trainer.h"

namespace gradus::trainer {

namespace fs = std::filesystem;

/// The digits of examples/, a network with dropout, clipping, averages and a schedule.
inline std::string digits(const std::string& more = "") {
  return "[data.train]\npath = \"" GRADUS_SOURCE_DIR
         "/examples/data/digits.csv.gz\"\nshape = [1, 8, 8]\n"
         "batch_size = 64\n[data.valid]\nfrom = \"train\"\nfraction = 0.1\n[data.test]\nfrom = "
         "\"train\"\n"
         "fraction = 0.1\n[model]\ntype = \"mlp\"\nhidden = [32]\ndropout = 0.2\n[optim]\nlr = "
         "3e-3\n"
         "max_grad_norm = 1.0\nema_decay = 0.9\n[schedule]\ntype = \"cosine\"\nwarmup = "
         "10\n[trainer]\n"
         "max_steps = 60\ntraining_metric = \"valid/loss\"\n[log]\nevery_n_steps = 7\n" +
         more;
}

struct Session {
  Config config;
  std::unique_ptr<Trainer> trainer;
  explicit Session(const std::vector<std::string>& settings = {}, const fs::path& directory = {}) {
    config = parse_config(digits(), "test.toml", ".", settings);
    auto data = open_datasets(config);
    auto task = make_classify(config, data);
    trainer = std::make_unique<Trainer>(config, task, data);
    if (directory.empty()) return;
    fs::create_directories(directory);
    trainer->use_directory(directory);
    const Start start = choose_start(Files::system(), directory, "latest", "");
    if (start.kind == Start::resumed) trainer->load(start.path);
  }
};

class DigitsTest : public ::testing::Test {
 protected:
  /// In memory where there is such a place: fsync is not what is tested here, and it is slow.
  static fs::path home() {
    return fs::exists("/dev/shm") ? fs::path("/dev/shm") : fs::path(::testing::TempDir());
  }
  fs::path folder = home() / ("gradus_trainer_" + std::to_string(getpid()));
  void SetUp() override { fs::remove_all(folder); }
  void TearDown() override {
    fs::remove_all(folder);
    set_num_threads(2);
  }
};

inline std::string bytes_of(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  EXPECT_TRUE(file.good()) << path;
  return {std::istreambuf_iterator<char>(file), {}};
}

/// Everything of a finished run that must be the same, bit for bit: weights, averages, optimizer,
/// rows.
inline std::string outcome(const fs::path& directory, const char* step = "step_000000060") {
  const fs::path last = directory / "checkpoints" / step;
  return bytes_of(last / "model.safetensors") + bytes_of(last / "ema.safetensors") +
         bytes_of(last / "optimizer/main.safetensors") + bytes_of(directory / "metrics.csv") +
         bytes_of(directory / "metrics.jsonl");
}

inline std::map<std::string, std::vector<float>> weights_after(
    const std::vector<std::string>& settings, Result* out = nullptr) {
  Session run(settings);
  const Result result = run.trainer->fit();
  if (out != nullptr) *out = result;
  std::map<std::string, std::vector<float>> weights;
  for (const Parameter& p : run.trainer->task().module().parameters())
    weights[p.name] = p.to_vector<float>();
  return weights;
}

/// Trains in a child process that is killed right after step `kill_at` (0: never).
inline int train_in_child(const fs::path& directory, const std::vector<std::string>& settings,
                          std::int64_t kill_at, const std::function<void(Trainer&)>& prepare = {}) {
  const pid_t child = fork();
  if (child == 0) {
    try {
      Session run(settings, directory);
      run.trainer->add(make_hook("kill", HookPhase::step_end, [&](HookContext& c) {
        if (c.state.attempted == kill_at) ::raise(SIGKILL);
      }));
      if (prepare) prepare(*run.trainer);
      run.trainer->fit();
    } catch (const std::exception& e) {
      std::fprintf(stderr, "%s\n", e.what());
      _exit(1);
    }
    _exit(0);
  }
  int status = 0;
  waitpid(child, &status, 0);
  return status;
}

/// Keeps what a run tells the log handler.
struct SayingTest : DigitsTest {
  static inline std::string said;
  void SetUp() override {
    DigitsTest::SetUp();
    said.clear();
    set_log_handler([](std::string_view text) { said += std::string(text) + "\n"; });
  }
  void TearDown() override {
    set_log_handler(nullptr);
    DigitsTest::TearDown();
  }
};

}  // namespace gradus::trainer
