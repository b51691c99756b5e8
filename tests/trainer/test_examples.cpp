// The files in examples/: all of them can be read, and a new head on a trained network leaves the
// rest of it as it was.
#include <gtest/gtest.h>

#include <cstring>
#include <filesystem>

#include "gradus/tensor/safetensors.h"
#include "gradus/tests/trainer/command.h"
#include "gradus/tests/trainer/failing_files.h"
#include "gradus/trainer/checkpoint/store.h"
#include "gradus/trainer/config.h"

namespace gradus::cli {
namespace {

namespace fs = std::filesystem;
const fs::path examples = fs::path(GRADUS_SOURCE_DIR) / "examples";

TEST(Examples, configurations_can_be_read) {
  int count = 0;
  for (const auto& entry : fs::recursive_directory_iterator(examples)) {
    if (entry.path().extension() != ".toml") continue;
    EXPECT_NO_THROW(trainer::load_config(entry.path())) << entry.path();
    ++count;
  }
  EXPECT_GE(count, 5);
}

TensorMap newest(const fs::path& run, const char* file) {
  std::vector<std::string> skipped;
  const trainer::CheckpointStore store(trainer::Files::system(), run / "checkpoints");
  return load_safetensors(store.newest_good(skipped)->path / file);
}

bool same(const Tensor& a, const Tensor& b) {
  return a.shape() == b.shape() &&
         std::memcmp(a.data(), b.data(), static_cast<std::size_t>(a.numel()) * 4) == 0;
}

TEST(Examples, finetune_trains_a_new_head_and_nothing_else) {
  const trainer::ScratchDirectory scratch;
  const fs::path folder = scratch.path();
  const auto train = [&](const char* name, std::vector<std::string> more) {
    Words words = {"train", (examples / name).string(),
                   "--set", "run.directory=" + (folder / name).string(),
                   "--set", "run.device=cpu"};
    for (const std::string& word : more) words.insert(words.end(), {"--set", word});
    return run(words);
  };
  const Said base = train("digits.toml", {"trainer.max_epochs=3", "checkpoint.keep_best=false"});
  ASSERT_EQ(base.status, 0) << base.err;
  const Said fine = train(
      "finetune.toml",
      {"trainer.max_epochs=3", "checkpoint.warm_start.path=" + (folder / "digits.toml").string()});
  ASSERT_EQ(fine.status, 0) << fine.err;
  EXPECT_NE(fine.out.find("loaded 2 of 4 tensors; 2 missing: 4.weight, 4.bias"), std::string::npos)
      << fine.out;
  const TensorMap before = newest(folder / "digits.toml", "ema.safetensors"),
                  after = newest(folder / "finetune.toml", "model.safetensors");
  for (const char* name : {"1.weight", "1.bias"})
    EXPECT_TRUE(same(before.at(name), after.at(name))) << name;
  for (const char* name : {"4.weight", "4.bias"})
    EXPECT_FALSE(same(before.at(name), after.at(name))) << name;
}

}  // namespace
}  // namespace gradus::cli
