// A directory to train examples/digits.toml in through the command line, and what a run leaves
// there.
#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "gradus/tests/trainer/command.h"
#include "gradus/tests/trainer/failing_files.h"
#include "gradus/trainer/checkpoint/store.h"

namespace gradus::cli {

namespace fs = std::filesystem;

inline const std::string digits = std::string(GRADUS_SOURCE_DIR) + "/examples/digits.toml";

inline std::string text_of(const fs::path& file) {
  std::ifstream stream(file, std::ios::binary);
  return (std::stringstream() << stream.rdbuf()).str();
}

struct TrainCommand : ::testing::Test {
  trainer::ScratchDirectory scratch;

  Words train(const std::string& directory, std::vector<std::string> settings = {}) {
    Words words = {"train", digits};
    settings.push_back("run.directory=" + (scratch / directory).string());
    settings.push_back("run.threads=1");
    for (const std::string& setting : settings) {
      words.push_back("--set");
      words.push_back(setting);
    }
    return words;
  }
  std::int64_t newest(const std::string& directory) {
    std::vector<std::string> skipped;
    const auto found =
        trainer::CheckpointStore(trainer::Files::system(), scratch / directory / "checkpoints")
            .newest_good(skipped);
    EXPECT_TRUE(skipped.empty());
    return found ? found->step : -1;
  }
  /// Everything deterministic that a run leaves, to be compared with another's.
  std::string traces(const std::string& directory) {
    const fs::path run = scratch / directory;
    const fs::path last = run / "checkpoints" / trainer::step_name(newest(directory));
    return text_of(run / "metrics.csv") + text_of(run / "metrics.jsonl") +
           text_of(last / "model.safetensors") + text_of(last / "ema.safetensors") +
           text_of(last / "optimizer/main.safetensors");
  }
};

}  // namespace gradus::cli
