// Streams: data that can only be read on, with a place that is saved.
#include <atomic>
#include <cmath>

#include "gradus/autograd/functions.h"
#include "gradus/kernels/create.h"
#include "gradus/tests/trainer/digits.h"
#include "gradus/trainer/data/loader.h"

namespace gradus::trainer {
namespace {

struct StreamTest : DigitsTest {};

/// The numbers 0, 1, 2 ... up to `length` (0: without end), times 1000 an epoch more.
struct Counting final : StreamDataset {
  explicit Counting(std::int64_t length, std::int64_t known = 0) : length(length), known(known) {}
  struct Reading final : Pass {
    std::optional<std::vector<Tensor>> next() override {
      if (from->length > 0 && at >= from->length) return {};
      if (from->fail_at == at && from->fails-- > 0) throw std::runtime_error("the line is down");
      return std::vector<Tensor>{full({1}, static_cast<double>(epoch * 1000 + at++))};
    }
    std::string cursor() const override { return std::to_string(at); }
    const Counting* from = nullptr;
    std::int64_t epoch = 0, at = 0;
  };
  std::unique_ptr<Pass> open(std::int64_t epoch, const std::string& cursor) const override {
    auto pass = std::make_unique<Reading>();
    pass->from = this;
    pass->epoch = epoch;
    pass->at = cursor.empty() ? 0 : std::stoll(cursor);
    return pass;
  }
  std::vector<Field> fields() const override { return {{"x", {1}, Dtype::f32}}; }
  std::int64_t size() const override { return known; }
  std::int64_t length, known, fail_at = -1;
  mutable std::atomic<int> fails = 0;
};

std::vector<float> rest_of(Loader& loader, std::vector<StreamPlace>* places = nullptr) {
  std::vector<float> all;
  while (Batch* batch = loader.next()) {
    for (const float v : (*batch)["x"].to_vector<float>()) all.push_back(v);
    StreamPlace place;
    loader.tell(place);
    if (places != nullptr) places->push_back(place);
  }
  return all;
}

std::vector<float> counted(int from, int to) {
  std::vector<float> out;
  for (int i = from; i < to; ++i) out.push_back(static_cast<float>(i));
  return out;
}

TEST_F(StreamTest, BatchesComeInOrderAndSayWhereTheyEnd) {
  for (const int workers : {0, 1, 4}) {
    Loader loader(std::make_shared<Counting>(10), {.batch_size = 4, .workers = workers});
    EXPECT_EQ(loader.batches(), unknown_length);
    loader.start(0);
    std::vector<StreamPlace> places;
    EXPECT_EQ(rest_of(loader, &places), counted(0, 10)) << workers;
    ASSERT_EQ(places.size(), 3u);
    EXPECT_EQ(places[0].cursor, "4") << "what was read ahead does not count";
    EXPECT_FALSE(places[0].ended || places[1].ended);
    EXPECT_TRUE(places[2].ended);
    loader.start(0, 4, places[0].cursor);
    EXPECT_EQ(rest_of(loader), counted(4, 10)) << "gone on from a cursor";
    loader.start(2);
    EXPECT_EQ(rest_of(loader), counted(2000, 2010));
  }
  Loader full(std::make_shared<Counting>(8), {.batch_size = 4, .workers = 1});
  full.start(0);
  std::vector<StreamPlace> places;
  EXPECT_EQ(rest_of(full, &places).size(), 8u);
  EXPECT_TRUE(places.at(1).ended) << "a last batch that is full is known to be the last";
  Loader dropping(std::make_shared<Counting>(10),
                  {.batch_size = 4, .drop_last = true, .workers = 1});
  dropping.start(0);
  EXPECT_EQ(rest_of(dropping), counted(0, 8));
  Loader empty(std::make_shared<Counting>(4), {.batch_size = 4, .workers = 1});
  empty.start(0, 4, "4");
  EXPECT_EQ(empty.next(), nullptr);
}

TEST_F(StreamTest, AFailedReadIsTriedAgainFromTheLastBatch) {
  for (const int workers : {0, 1}) {
    const auto stream = std::make_shared<Counting>(10);
    stream->fail_at = 6;
    stream->fails = 1;
    Loader patient(stream, {.batch_size = 4, .workers = workers, .retries = 2});
    patient.start(0);
    EXPECT_EQ(rest_of(patient), counted(0, 10)) << "nothing lost, nothing twice";
    stream->fails = 1;
    Loader hasty(stream, {.batch_size = 4, .workers = workers});
    hasty.start(0);
    EXPECT_NE(hasty.next(), nullptr);
    try {
      hasty.next();
      FAIL();
    } catch (const Error& e) {
      EXPECT_STREQ(e.what(), "sample 6 of the stream: the line is down");
    }
  }
}

/// Remembers what it was given: the sum goes into its weight.
struct Remember final : Task {
  struct Net final : nn::Module {
    Tensor a = zeros({1}, {.requires_grad = true});
    void visit(nn::Visitor& v) override { v("a", a); }
  } net;
  std::vector<float> seen;
  nn::Module& module() override { return net; }
  std::optional<StepResult> step(const Batch& batch, const State& state) override {
    if (state.phase == Phase::train)
      for (const float v : batch["x"].to_vector<float>()) seen.push_back(v);
    StepResult result;
    result.losses.push_back({"loss", (net.a * batch["x"]).reshape({batch.size})});
    return result;
  }
};

struct StreamRun {
  std::shared_ptr<Remember> task = std::make_shared<Remember>();
  std::unique_ptr<Trainer> trainer;
  StreamRun(DatasetPointer data, const std::vector<std::string>& settings,
            const fs::path& directory = {}) {
    Config config = parse_config(
        "[data.train]\npath = 'x'\nbatch_size = 4\n[optim]\ntype = 'sgd'\nlr = 1e-3\n[run]\n"
        "device = 'cpu'\n[trainer]\nmax_steps = 12\n[checkpoint]\nevery_n_steps = 1\n"
        "[log]\nevery_n_steps = 3\n",
        "s.toml", ".", settings);
    trainer = std::make_unique<Trainer>(config, task,
                                        std::map<std::string, DatasetPointer>{{"train", data}});
    if (directory.empty()) return;
    fs::create_directories(directory);
    trainer->use_directory(directory);
    const Start start = choose_start(Files::system(), directory, "latest", "");
    if (start.kind == Start::resumed) trainer->load(start.path);
  }
};

TEST_F(StreamTest, AnEpochIsAPassOrWhatTheCapAllows) {
  StreamRun passes(std::make_shared<Counting>(10), {"trainer.max_steps=6"});
  const Result result = passes.trainer->fit();
  EXPECT_EQ(result.state.epoch, 2) << "three batches a pass";
  std::vector<float> expected = counted(0, 10);
  for (const float v : counted(1000, 1010)) expected.push_back(v);
  EXPECT_EQ(passes.task->seen, expected);

  StreamRun endless(std::make_shared<Counting>(0),
                    {"trainer.max_steps=0", "trainer.max_epochs=2", "trainer.batches_per_epoch=2"});
  EXPECT_EQ(endless.trainer->fit().state.attempted, 4);
  expected = counted(0, 8);
  for (const float v : counted(1008, 1016)) expected.push_back(v);
  EXPECT_EQ(endless.task->seen, expected) << "the second epoch goes on where the first stopped";

  const auto error = [](const std::string& setting) -> std::string {
    try {
      StreamRun(std::make_shared<Counting>(10), {setting}).trainer->fit();
    } catch (const Error& e) {
      return e.what();
    }
    return "none";
  };
  EXPECT_NE(error("trainer.batches_per_epoch=0.5").find("length is not known"), std::string::npos);
  StreamRun known(std::make_shared<Counting>(10, 10),
                  {"trainer.max_steps=0", "trainer.max_epochs=1", "trainer.batches_per_epoch=0.7"});
  EXPECT_EQ(known.trainer->fit().state.attempted, 2);
}

TEST_F(StreamTest, WhatFillsNoBatchEndsTheEpochAndNothingAtAllIsAnError) {
  StreamRun dropping(std::make_shared<Counting>(10),
                     {"trainer.max_steps=6", "data.train.drop_last=true"});
  EXPECT_EQ(dropping.trainer->fit().state.epoch, 2) << "that the third is over was not asked";
  EXPECT_THROW(
      StreamRun(std::make_shared<Counting>(3), {"data.train.drop_last=true"}).trainer->fit(),
      Error);
  StreamRun endless(std::make_shared<Counting>(0),
                    {"trainer.batches_per_epoch=2400000000000000000"});
  EXPECT_EQ(endless.trainer->fit().status, "done");
}

TEST_F(StreamTest, StoppedAndResumedAfterAnyStepNothingIsLostOrRepeated) {
  for (const auto& [length, drop] : std::vector<std::pair<std::int64_t, const char*>>{
           {0, "false"}, {10, "false"}, {12, "false"}, {10, "true"}, {12, "true"}}) {
    const std::vector<std::string> settings = {std::string("data.train.drop_last=") + drop};
    StreamRun whole(std::make_shared<Counting>(length), settings, folder / "whole");
    whole.trainer->fit();
    const auto bytes = [&](const fs::path& directory) {
      return bytes_of(directory / "checkpoints/step_000000012/model.safetensors") +
             bytes_of(directory / "metrics.csv");
    };
    const std::string expected = bytes(folder / "whole");
    for (std::int64_t stop = 1; stop < 12; ++stop) {
      const fs::path directory = folder / std::to_string(stop);
      StreamRun first(std::make_shared<Counting>(length), settings, directory);
      first.trainer->add(make_hook("stop", HookPhase::step_end, [&](HookContext& c) {
        if (c.state.attempted == stop) c.trainer.request_stop();
      }));
      EXPECT_EQ(first.trainer->fit().status, "partial");
      StreamRun second(std::make_shared<Counting>(length), settings, directory);
      EXPECT_EQ(second.trainer->fit().status, "done");
      std::vector<float> seen = first.task->seen;
      seen.insert(seen.end(), second.task->seen.begin(), second.task->seen.end());
      EXPECT_EQ(seen, whole.task->seen) << "stopped after step " << stop;
      EXPECT_EQ(bytes(directory), expected) << "stopped after step " << stop;
    }
    fs::remove_all(folder);
  }
}

}  // namespace
}  // namespace gradus::trainer
