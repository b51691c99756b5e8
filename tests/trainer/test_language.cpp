// The language task: what it counts, what it learns, and the text that `gradus predict` writes.
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <fstream>

#include "gradus/autograd/functions.h"
#include "gradus/kernels/create.h"
#include "gradus/tests/trainer/command.h"
#include "gradus/tests/trainer/failing_files.h"
#include "gradus/trainer/data/readers.h"
#include "gradus/trainer/tasks/language.h"
#include "gradus/trainer/trainer.h"

namespace gradus::trainer {
namespace {

namespace fs = std::filesystem;

class LanguageTask : public ::testing::Test {
 protected:
  ScratchDirectory scratch;
  fs::path folder = scratch.path();
  void SetUp() override {
    std::string text;
    for (int i = 0; i < 60; ++i) text += "the cat sat on the mat. ";
    std::ofstream(folder / "text.txt") << text;
    std::ofstream(folder / "prompt.txt") << "the c\n";
    std::ofstream(folder / "foreign.txt") << "the dog";
    std::ofstream(folder / "c.toml") << R"(
[task]
type = "language"
sample = 43
[data.train]
path = "text.txt"
length = 16
stride = 5
batch_size = 16
[data.valid]
from = "train"
fraction = 0.2
[model]
type = "gpt"
depth = 1
heads = 2
width = 32
[optim]
lr = 1e-2
[trainer]
max_steps = 160
[run]
directory = "run"
device = "cpu"
)";
  }
};

/// Scores that do not depend on the input: token k has log-probability log p[k].
struct Fixed : nn::Module {
  Tensor scores;
  explicit Fixed(std::vector<float> p) : scores(from_data(p.data(), {std::int64_t(p.size())})) {
    scores = gradus::log(scores).set_requires_grad(true);
  }
  Tensor forward(const Tensor& x) override {
    return scores.expand({x.size(0), x.size(1), scores.numel()});
  }
  void visit(nn::Visitor& v) override { v("scores", scores); }
};

Batch tokens(std::vector<std::int64_t> y, std::int64_t n) {
  Batch batch;
  const auto length = static_cast<std::int64_t>(y.size()) / n;
  batch.fields = {{"x", zeros({n, length}, {Dtype::i64})},
                  {"y", from_data(y.data(), {n, length}, {Dtype::i64})}};
  batch.size = n;
  return batch;
}

TEST_F(LanguageTask, LossIsNatsATokenAndPerplexityItsExponential) {
  Language task(std::make_shared<Fixed>(std::vector<float>{.5f, .25f, .125f, .125f}),
                Alphabet("abcd"), {});
  const StepResult result = *task.step(tokens({0, 1, 2, 0, 0, 3}, 2), State());
  EXPECT_EQ(result.weight, 6);
  const auto each = result.losses[0].value.to_vector<float>();
  EXPECT_NEAR(each[0], std::log(2) * (1 + 2 + 3) / 3, 1e-6);
  EXPECT_NEAR(each[1], std::log(2) * (1 + 1 + 3) / 3, 1e-6);
  Values means = {{"valid/loss", std::log(8.0)}};
  task.summarize("valid", means);
  EXPECT_NEAR(*find(means, "valid/perplexity"), 8, 1e-9);
}

TEST_F(LanguageTask, DrawsAsItsOptionsSay) {
  const auto text = [&](double temperature, std::int64_t top_k, std::uint64_t seed) {
    Language::Options o;
    o.temperature = temperature;
    o.top_k = top_k;
    o.sample = 400;
    o.seed = seed;
    o.context = 4;
    Language task(std::make_shared<Fixed>(std::vector<float>{.5f, .25f, .125f, .125f}),
                  Alphabet("abcd"), o);
    return task.write("b").substr(1);
  };
  const auto share = [](const std::string& s, char c) {
    return static_cast<double>(std::count(s.begin(), s.end(), c)) / static_cast<double>(s.size());
  };
  EXPECT_EQ(text(0, 0, 1), std::string(400, 'a'));
  const std::string s = text(1, 0, 1);
  EXPECT_NEAR(share(s, 'a'), 0.5, 0.08);
  EXPECT_NEAR(share(s, 'b'), 0.25, 0.07);
  EXPECT_EQ(s, text(1, 0, 1));
  EXPECT_NE(s, text(1, 0, 2));
  EXPECT_NEAR(share(text(1, 2, 1), 'a'), 2.0 / 3, 0.08);
  EXPECT_NEAR(share(text(0.5, 0, 1), 'a'), 8.0 / 11, 0.08);  // squares: 16, 4, 1, 1 of 22
  EXPECT_EQ(share(text(1, 2, 1), 'c'), 0);
}

TEST_F(LanguageTask, TrainsFromAFileAndPredictGoesOnWithAText) {
  const std::string config = (folder / "c.toml").string(), run = (folder / "run").string();
  const cli::Said train = cli::run({"train", config});
  ASSERT_EQ(train.status, 0) << train.err;
  EXPECT_NE(train.last_line().find("\"valid/perplexity\": "), std::string::npos)
      << train.last_line();
  const cli::Said said =
      cli::run({"predict", run, (folder / "prompt.txt").string(), "--set", "task.temperature=0"});
  EXPECT_EQ(said.status, 0) << said.err;
  EXPECT_EQ(said.out, "the cat sat on the mat. the cat sat on the mat. \n");
  const cli::Said foreign = cli::run({"predict", run, (folder / "foreign.txt").string()});
  EXPECT_EQ(foreign.status, 2);
  EXPECT_NE(foreign.err.find("is 100, which does not occur"), std::string::npos) << foreign.err;
}

TEST_F(LanguageTask, OtherDataAreRefused) {
  Config config =
      parse_config("[task]\ntype = 'language'\n[trainer]\nmax_steps = 1\n", "t", folder);
  const auto numbers = std::make_shared<TensorDataset>(
      std::vector<TensorDataset::Column>{{{"x", {3}, Dtype::f32}, zeros({4, 3})}});
  EXPECT_THROW(make_language(config, {{"train", numbers}}), Error);
}

}  // namespace
}  // namespace gradus::trainer
