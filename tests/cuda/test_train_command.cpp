// gradus train on a CUDA device: the whole way from the command line to the last kernel.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "gradus/tensor/stream.h"
#include "gradus/tests/cuda/cuda_test.h"
#include "gradus/tests/trainer/command.h"
#include "gradus/tests/trainer/failing_files.h"

namespace gradus::cli {
namespace {

namespace fs = std::filesystem;

struct TrainOnCuda : testing::CudaTest {
  trainer::ScratchDirectory scratch;

  Said train(const std::string& name, const std::string& device, Words more = {}) {
    Words words = {"train",    std::string(GRADUS_SOURCE_DIR) + "/examples/digits.toml",
                   "--device", device,
                   "--set",    "run.directory=" + (scratch / name).string(),
                   "--set",    "run.threads=1",
                   "--set",    "log.every_n_steps=1"};
    words.insert(words.end(), more.begin(), more.end());
    return run(words);
  }
  std::string text(const std::string& name, const std::string& file) {
    std::ifstream stream(scratch / name / file, std::ios::binary);
    return (std::stringstream() << stream.rdbuf()).str();
  }
  std::string weights(const std::string& name, const std::string& step) {
    return text(name, "checkpoints/step_0000000" + step + "/model.safetensors") +
           text(name, "checkpoints/step_0000000" + step + "/optimizer/main.safetensors");
  }
};

TEST_F(TrainOnCuda, learns_as_on_the_cpu_and_goes_on_exactly) {
  const Words all = {"--set", "trainer.max_steps=24"};
  const Said cuda = train("cuda", "cuda:0", all), cpu = train("cpu", "cpu", all);
  ASSERT_EQ(cuda.status, 0) << cuda.err;
  ASSERT_EQ(cpu.status, 0) << cpu.err;
  const auto a = nlohmann::json::parse(cuda.last_line()),
             b = nlohmann::json::parse(cpu.last_line());
  EXPECT_NEAR(a["test/loss"], b["test/loss"], 1e-3 * double(b["test/loss"]));

  ASSERT_EQ(train("parts", "cuda:0", {"--set", "trainer.max_steps=15"}).status, 0);
  const Said resumed = train("parts", "cuda:0", all);
  ASSERT_EQ(resumed.status, 0) << resumed.err;
  ASSERT_FALSE(weights("cuda", "24").empty());
  EXPECT_EQ(weights("parts", "24"), weights("cuda", "24"));

  // A checkpoint is not tied to the device it was written from.
  const Said moved = run({"eval", (scratch / "cuda").string(), "--device", "cpu"});
  EXPECT_EQ(moved.status, 0) << moved.err;
}

TEST_F(TrainOnCuda, the_preflight_compares_the_devices_memory) {
  const Said said =
      train("cuda", "cuda:0", {"--set", "trainer.max_steps=1", "--set", "trainer.preflight=true"});
  ASSERT_EQ(said.status, 0) << said.err;
  const std::string all = said.out + said.err;
  const std::size_t at = all.find(" MB more than before of ");
  ASSERT_NE(at, std::string::npos) << all;
  const double free = std::stod(all.substr(all.find(" of ", at) + 4));
  EXPECT_GT(free, 0);
  EXPECT_LE(free, 1e-6 * static_cast<double>(available_memory(Device::cuda())) + 64);
}

TEST_F(TrainOnCuda, captured_steps_have_the_bits_of_eager_ones) {
  // Dropout, two micro-batches a step, and an epoch whose last batch is smaller.
  const Words more = {"--set", "trainer.max_steps=14",     "--set", "trainer.accumulate=2",
                      "--set", "data.train.batch_size=70", "--set", "model.dropout=0.2"};
  Words graphs = more;
  graphs.insert(graphs.end(),
                {"--set", "trainer.cuda_graph=true", "--set", "data.train.drop_last=false"});
  const auto launched_by = [&](const std::string& name, const Words& words) {
    const std::int64_t before = launches(Device::cuda());
    EXPECT_EQ(train(name, "cuda:0", words).status, 0);
    return launches(Device::cuda()) - before;
  };
  const std::int64_t eager = launched_by("eager", more), captured = launched_by("graphs", graphs);
  EXPECT_LT(captured, eager * 3 / 4);  // evaluation is eager in both
  ASSERT_FALSE(weights("eager", "14").empty());
  EXPECT_EQ(weights("graphs", "14"), weights("eager", "14"));
  EXPECT_EQ(text("graphs", "metrics.csv"), text("eager", "metrics.csv"));
}

}  // namespace
}  // namespace gradus::cli
