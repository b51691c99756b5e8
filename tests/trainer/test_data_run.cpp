// Data sets within a run: caps as shares, names that are ignored, evaluation alone, the preflight,
// patience with readers that fail, and nested structures of tensors.
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <map>
#include <thread>

#include "gradus/autograd/functions.h"
#include "gradus/kernels/create.h"
#include "gradus/trainer/data/loader.h"
#include "gradus/trainer/data/readers.h"
#include "gradus/trainer/tasks/classify.h"
#include "gradus/trainer/trainer.h"

namespace gradus::trainer {
namespace {

std::string digits_for_cnn(const std::string& more) {
  return "[data.train]\npath = \"" GRADUS_SOURCE_DIR
         "/examples/data/digits.csv.gz\"\nshape = [1, 8, 8]\nbatch_size = 64\n"
         "[data.valid]\nfrom = \"train\"\nfraction = 0.1\n[model]\ntype = \"cnn\"\n"
         "channels = [4]\nhidden = []\nbatch_norm = true\n[trainer]\nmax_steps = 20\n"
         "[run]\ndevice = \"cpu\"\n[log]\nprogress = \"none\"\n" +
         more;
}

struct Convolutional {
  Config config;
  std::unique_ptr<Trainer> trainer;
  explicit Convolutional(const std::vector<std::string>& settings, const std::string& more = "") {
    config = parse_config(digits_for_cnn(more), "test.toml", ".", settings);
    auto data = open_datasets(config);
    auto task = make_classify(config, data);
    trainer = std::make_unique<Trainer>(config, task, data);
  }
};

std::vector<float> weights(Trainer& trainer) {
  std::vector<float> all;
  for (const auto& [name, t] : nn::state_dict(trainer.task().module()))
    for (const float v : t.to_vector<float>()) all.push_back(v);
  return all;
}

TEST(DataRun, CapsAreCountsOrShares) {
  // 1,617 samples for training: 26 batches; a quarter is 6 of them.
  Convolutional share(
      {"trainer.batches_per_epoch=0.25", "trainer.max_steps=0", "trainer.max_epochs=2"});
  EXPECT_EQ(share.trainer->fit().state.attempted, 12);
  Convolutional count(
      {"trainer.batches_per_epoch=5", "trainer.max_steps=0", "trainer.max_epochs=2"});
  EXPECT_EQ(count.trainer->fit().state.attempted, 10);
  std::map<std::string, std::int64_t> rows;
  Convolutional valid({"trainer.valid_batches_per_epoch=0.5", "data.valid.batch_size=20",
                       "trainer.max_steps=1", "trainer.validate_every_n_steps=1"},
                      "[data.test]\nfrom = \"train\"\nfraction = 0.2\nbatch_size = 20\n");
  valid.trainer->add(make_hook("rows", HookPhase::after_eval_step, [&](HookContext& c) {
    rows[std::string(c.dataset)] += c.batch->size;
  }));
  valid.trainer->fit();
  EXPECT_EQ(rows["valid"], 80) << "4 of 9 batches";
  EXPECT_EQ(rows["test"], valid.trainer->samples("test")) << "what is asked once is asked whole";
  rows.clear();
  valid.trainer->evaluate("valid");
  EXPECT_EQ(rows["valid"], 180) << "and so is what the caller asks";
}

TEST(DataRun, NamesThatBeginWithAnUnderscoreAreIgnored) {
  Convolutional s({}, "[data._old]\npath = \"there/is/no/such.csv\"\n");
  EXPECT_EQ(s.trainer->samples("_old"), 0);
  EXPECT_EQ(s.trainer->samples("valid"), 180);
}

TEST(DataRun, WithoutTrainEverythingElseIsEvaluated) {
  Config config = parse_config(digits_for_cnn(""), "test.toml", ".");
  auto data = open_datasets(config);
  auto task = make_classify(config, data);
  data.erase("train");
  Trainer trainer(config, task, data);
  const std::vector<float> before = weights(trainer);
  const Result result = trainer.fit();
  EXPECT_EQ(result.status, "done");
  EXPECT_EQ(result.state.attempted, 0);
  EXPECT_NE(find(result.last, "valid/accuracy"), nullptr);
  EXPECT_EQ(weights(trainer), before);
  EXPECT_THROW(trainer.optimizer(), Error);
}

TEST(DataRun, ThePreflightChangesNothing) {
  Convolutional without({}), with({"trainer.preflight=true"});
  int first = 0;
  static std::string said;
  said.clear();
  set_log_handler([](std::string_view line) { said += line; });
  with.trainer->add(make_hook("first", HookPhase::before_forward, [&](HookContext&) { ++first; }));
  with.trainer->fit();
  set_log_handler(nullptr);
  without.trainer->fit();
  EXPECT_EQ(weights(*with.trainer), weights(*without.trainer));  // running statistics, too
  EXPECT_EQ(with.trainer->state().samples, without.trainer->state().samples);
  EXPECT_EQ(first, 20);
  EXPECT_NE(said.find("preflight: the first batch after"), std::string::npos) << said;
}

TEST(DataRun, ThePreflightMeasuresWhatAStepHoldsAtOnce) {
  static std::string said;
  const auto megabytes = [](const char* pieces) {
    said.clear();
    set_log_handler([](std::string_view line) { said += line; });
    Convolutional run({"trainer.preflight=true", "trainer.max_steps=1",
                       "data.train.batch_size=1600", "model.channels=[16]",
                       std::string("trainer.split_batches=") + pieces});
    run.trainer->fit();
    set_log_handler(nullptr);
    const std::size_t end = said.find(" MB more than before of ");
    EXPECT_NE(end, said.npos) << said;
    return std::stod(said.substr(said.rfind(' ', end - 1)));
  };
  const double whole = megabytes("1"), piece = megabytes("8");
  EXPECT_GT(whole, 10) << "sixteen maps of 8 x 8, and more than one of each";
  EXPECT_LT(piece, 0.5 * whole);
}

/// Samples 0 ... 9, one of which cannot be read the first `failures` times.
struct Flaky final : Dataset {
  mutable std::atomic<int> failures;
  std::chrono::milliseconds pause;
  Flaky(int failures, int pause) : failures(failures), pause(pause) {}
  std::int64_t size() const override { return 10; }
  std::vector<Field> fields() const override { return {{"x", {}, Dtype::f32}}; }
  std::vector<Tensor> get(std::int64_t i) const override {
    std::this_thread::sleep_for(pause);
    if (i == 6 && failures-- > 0) raise(ErrorKind::io, {"the server is away"});
    return {full({}, static_cast<double>(i))};
  }
};

std::string read_through(const DatasetPointer& data, LoaderOptions options) {
  std::string seen;
  try {
    Loader loader(data, options);
    loader.start(0);
    while (const Batch* b = loader.next())
      for (const float v : (*b)["x"].to_vector<float>()) seen += std::to_string(int(v));
  } catch (const Error& e) {
    return e.what();
  }
  return seen;
}

TEST(DataRun, AReaderThatFailsIsTriedAgain) {
  for (const int workers : {0, 1}) {
    const auto read = [&](int failures, int retries) {
      return read_through(std::make_shared<Flaky>(failures, 0),
                          {.batch_size = 4, .workers = workers, .retries = retries});
    };
    EXPECT_EQ(read(2, 2), "0123456789");
    EXPECT_EQ(read(2, 1), "sample 6 of the data set: the server is away");
    EXPECT_EQ(read(1, 0), "sample 6 of the data set: the server is away");
  }
}

TEST(DataRun, ABatchThatTakesTooLongIsAnError) {
  const std::string error = read_through(std::make_shared<Flaky>(0, 60),
                                         {.batch_size = 5, .workers = 1, .timeout_s = 0.05});
  EXPECT_NE(error.find("batch 0 of epoch 0 (from sample 0 of the order) was not read within 0.05"),
            std::string::npos)
      << error;
  EXPECT_EQ(
      read_through(std::make_shared<Flaky>(0, 1), {.batch_size = 5, .workers = 1, .timeout_s = 30}),
      "0123456789");
}

TEST(DataRun, NestedStructuresAreMapped) {
  const Tensor one = ones({2});
  const auto doubled = [](const Tensor& t) { return t * 2; };
  const std::map<std::string, std::vector<Tensor>> nested = {{"a", {one, one * 3}}, {"b", {}}};
  const auto out = map_nested_tensor(doubled, nested);
  EXPECT_EQ(out.at("a").at(1).to_vector<float>(), (std::vector<float>{6, 6}));
  EXPECT_TRUE(out.at("b").empty());
  EXPECT_EQ(nested.at("a").at(0).to_vector<float>(), (std::vector<float>{1, 1}));
  Batch batch;
  batch.fields = {{"x", one}};
  batch.size = 2;
  const std::vector<Batch> batches = map_nested_tensor(doubled, std::vector<Batch>{batch, batch});
  EXPECT_EQ(batches[1]["x"].to_vector<float>(), (std::vector<float>{2, 2}));
  EXPECT_EQ(batches[1].size, 2);
}

/// A validation set that is a part of train is prepared like it, but never augmented.
TEST(DataRun, APartTakesOverTransformsThatDoNotDraw) {
  Config config = parse_config(digits_for_cnn(""), "test.toml", ".",
                               {"data.train.transforms=[{type='normalize',mean=4,std=2},'flip',"
                                "{type='pad_crop',padding=2}]"});
  const auto augmented = open_datasets(config);
  config = parse_config(digits_for_cnn(""), "test.toml", ".",
                        {"data.train.transforms=[{type='normalize',mean=4,std=2}]"});
  const auto plain = open_datasets(config);
  int moved = 0;
  for (std::int64_t i = 0; i < 20; ++i) {
    EXPECT_EQ(augmented.at("valid")->get(i)[0].to_vector<float>(),
              plain.at("valid")->get(i)[0].to_vector<float>());
    moved += augmented.at("train")->get(i)[0].to_vector<float>() !=
             plain.at("train")->get(i)[0].to_vector<float>();
  }
  EXPECT_GT(moved, 15);
}

}  // namespace
}  // namespace gradus::trainer
