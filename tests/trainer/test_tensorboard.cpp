// Event files: bytes known from elsewhere, every kind of summary read back, and rows that a resume
// takes back.
#include <gtest/gtest.h>

#include <cmath>
#include <numeric>

#include "gradus/kernels/create.h"
#include "gradus/kernels/literal.h"
#include "gradus/tests/trainer/event_reader.h"
#include "gradus/tests/trainer/failing_files.h"
#include "gradus/trainer/log/protobuf.h"
#include "gradus/trainer/log/tensorboard.h"

namespace gradus::trainer {
namespace {

namespace fs = std::filesystem;

std::string from_hex(const std::string& hex) {
  std::string out;
  for (std::size_t i = 0; i < hex.size(); i += 2)
    out += static_cast<char>(std::stoi(hex.substr(i, 2), nullptr, 16));
  return out;
}

TEST(TensorBoardFile, records_have_the_bytes_that_other_writers_give_them) {
  EXPECT_EQ(crc32c("123456789"), 0xE3069283U);
  EXPECT_EQ(slow_crc32c("123456789"), 0xE3069283U);
  const Protobuf version = Protobuf().number(1, 1.0).bytes(3, "brain.Event:2");
  const std::string first =
      from_hex("1800000000000000a37f4b2209000000000000f03f1a0d627261696e2e4576656e743a3286bf577a");
  EXPECT_EQ(event_record(version.text()), first);
  const Protobuf value = Protobuf().bytes(1, "loss/train").single(2, 2.5F);
  const Protobuf scalar =
      Protobuf().number(1, 2.0).integer(2, 100).message(5, Protobuf().message(1, value));
  const std::string second = from_hex(
      "200000000000000029eda95009000000000000004010642a130a110a0a6c6f73732f747261696e1500002040dc86"
      "3d62");
  EXPECT_EQ(event_record(scalar.text()), second);
  // Reading stops where a file was cut or damaged, and keeps what stands before.
  const std::string whole = first + second;
  EXPECT_EQ(event_records(whole).size(), 2u);
  for (std::size_t n = first.size(); n < whole.size(); ++n)
    EXPECT_EQ(event_records(std::string_view(whole).substr(0, n)).size(), 1u) << n;
  for (std::size_t i = 0; i < whole.size(); ++i) {
    std::string damaged = whole;
    damaged[i] ^= 4;
    EXPECT_EQ(event_records(damaged).size(), i < first.size() ? 0u : 1u) << i;
  }
}

struct TensorBoardSink : ::testing::Test {
  ScratchDirectory scratch;
  std::unique_ptr<TensorBoard> open(std::int64_t resumed) {
    TensorBoard::Options options{.every_n_steps = 10};
    options.parameters = {{"optim.lr", 0.5}, {"optim.nesterov", true}, {"model.type", "mlp"}};
    options.metrics = {"valid/loss"};
    options.configuration = "[optim]\nlr = 0.5\n";
    auto sink = std::make_unique<TensorBoard>(Files::system(), scratch.path(), options);
    sink->resume(resumed);
    return sink;
  }
  static Record row(std::int64_t step, const std::string& name, double value, bool at_end = false) {
    return {Record::metrics, step, 0, at_end, {{name, value}}};
  }
  /// Every summary value of all files: tag -> (step, value message).
  std::map<std::string, std::vector<std::pair<std::int64_t, Message>>> all() {
    std::map<std::string, std::vector<std::pair<std::int64_t, Message>>> out;
    for (const fs::path& file : event_files(scratch.path())) {
      const auto events = read_events(file);
      EXPECT_EQ(events.at(0).text(3), "brain.Event:2");
      for (std::size_t i = 1; i < events.size(); ++i) {
        EXPECT_GT(events[i].number<double>(1), 1.7e9) << "wall time";
        for (const Message& value : events[i].message(5).messages(1))
          out[value.text(1)].push_back({events[i].integer(2), value});
      }
    }
    return out;
  }
};

TEST_F(TensorBoardSink, writes_scalars_texts_histograms_images_and_parameters) {
  auto sink = open(-1);
  sink->write({Record::metrics, 20, 1, false, {{"train/loss", 0.25}, {"lr", NAN}}});
  sink->write({Record::timing, 20, 1, false, {{"step_ms", 3}}});
  const Tensor values = tensor({-1.0F, 0.0F, 0.5F, 0.5F, 3.0F, NAN});
  sink->write_entry({{20, 1}, "weights/0", histogram_of(values, 4)});
  const Tensor pixels = tensor({0.0F, 1.0F, 0.5F, 2.0F, NAN, -1.0F}).reshape({1, 2, 3});
  sink->write_entry({{20, 1}, "digits", picture_of(pixels)});
  sink->write_entry({{20, 1}, "sample", Text{"once"}});
  sink->write_entry({{20, 1}, "confusion", Table{{"a", "b"}, {{"1", "x|y"}}}});
  sink->end("done");
  auto found = all();

  ASSERT_EQ(found["train/loss"].size(), 1u);
  EXPECT_EQ(found["train/loss"][0].first, 20);
  EXPECT_EQ(found["train/loss"][0].second.number<float>(2), 0.25F);
  EXPECT_TRUE(std::isnan(found["lr"][0].second.number<float>(2)));
  EXPECT_EQ(found["timing/step_ms"].size(), 1u);

  const Message histo = found["weights/0"].at(0).second.message(5);
  EXPECT_EQ(histo.number<double>(1), -1);
  EXPECT_EQ(histo.number<double>(2), 3);
  EXPECT_EQ(histo.number<double>(3), 5);
  EXPECT_EQ(histo.number<double>(4), 3);
  EXPECT_EQ(histo.number<double>(5), 10.5);
  EXPECT_EQ(histo.packed(6), (std::vector<double>{-1, 0, 1, 2, 3}));
  EXPECT_EQ(histo.packed(7), (std::vector<double>{0, 2, 2, 0, 1}));

  const Message image = found["digits"].at(0).second.message(4);
  EXPECT_EQ(image.integer(1), 2);
  EXPECT_EQ(image.integer(2), 3);
  EXPECT_EQ(image.integer(3), 1);
  EXPECT_EQ(image.text(4).substr(0, 8), "\x89PNG\r\n\x1a\n");

  const auto text = [&](const std::string& tag) {
    const Message value = found[tag + "/text_summary"].at(0).second;
    EXPECT_EQ(value.message(9).message(1).text(1), "text");
    EXPECT_EQ(value.message(8).integer(1), 7) << "DT_STRING";
    EXPECT_EQ(value.message(8).message(2).message(2).integer(1), 1) << "shape (1)";
    return value.message(8).text(8);
  };
  EXPECT_EQ(text("sample"), "once");
  EXPECT_EQ(text("confusion"), "| a | b |\n| --- | --- |\n| 1 | x\\|y |\n");
  EXPECT_EQ(text("config"), "```toml\n[optim]\nlr = 0.5\n```\n");

  const auto hparams = [&](const char* tag, int field) {
    const Message data = found[tag].at(0).second.message(9).message(1);
    EXPECT_EQ(data.text(1), "hparams");
    return Message(data.text(2)).message(field);
  };
  const Message experiment = hparams("_hparams_/experiment", 2);
  ASSERT_EQ(experiment.messages(4).size(), 3u);
  EXPECT_EQ(experiment.messages(4)[0].text(1), "optim.lr");
  EXPECT_EQ(experiment.messages(4)[0].integer(4), 3) << "float64";
  EXPECT_EQ(experiment.message(5).message(1).text(2), "valid/loss");
  const auto given = hparams("_hparams_/session_start_info", 3).messages(1);
  ASSERT_EQ(given.size(), 3u);
  EXPECT_EQ(given[0].message(2).number<double>(2), 0.5);
  EXPECT_EQ(given[1].message(2).integer(4), 1);
  EXPECT_EQ(given[2].message(2).text(3), "mlp");
  EXPECT_EQ(hparams("_hparams_/session_end_info", 4).integer(1), 1) << "success";
}

TEST_F(TensorBoardSink, a_resume_takes_back_what_is_going_to_be_written_again) {
  auto first = open(-1);
  for (std::int64_t step = 10; step <= 50; step += 10) {
    first->write(row(step, "train/loss", 1.0 / static_cast<double>(step)));
    first->tick({});
  }
  first->write(row(50, "test/loss", 9, true));
  first->end("done");
  first.reset();
  std::ofstream(event_files(scratch.path())[0], std::ios::app) << "torn";  // its writer died

  auto second = open(30);
  for (std::int64_t step = 40; step <= 60; step += 10) second->write(row(step, "train/loss", 2));
  second->write(row(60, "test/loss", 8, true));
  second->flush();
  EXPECT_EQ(event_files(scratch.path()).size(), 2u) << "each start has a file of its own";
  auto found = all();
  std::vector<std::int64_t> steps;
  for (const auto& [step, value] : found["train/loss"]) steps.push_back(step);
  EXPECT_EQ(steps, (std::vector<std::int64_t>{10, 20, 30, 40, 50, 60}));
  ASSERT_EQ(found["test/loss"].size(), 1u);
  EXPECT_EQ(found["test/loss"][0].first, 60);
  EXPECT_EQ(found["_hparams_/session_end_info"].size(), 0u) << "the run is not over";
  EXPECT_EQ(found["config/text_summary"].size(), 1u);
  second.reset();

  auto fresh = open(-1);  // what a dead attempt without checkpoints left
  fresh->write(row(10, "train/loss", 3));
  fresh->flush();
  EXPECT_EQ(event_files(scratch.path()).size(), 1u);
  EXPECT_EQ(all()["train/loss"].size(), 1u);
}

TEST_F(TensorBoardSink, histograms_hold_every_number_once) {
  const Histogram same = histogram_of(tensor({2.0F, 2.0F, 2.0F}));
  EXPECT_EQ(std::accumulate(same.counts.begin(), same.counts.end(), std::int64_t{0}), 3);
  EXPECT_LT(same.edges.front(), 2);
  EXPECT_GT(same.edges.back(), 2);
  const Histogram none = histogram_of(tensor({NAN, HUGE_VALF}));
  EXPECT_EQ(none.count, 0);
  EXPECT_EQ(none.not_finite, 2);
  EXPECT_TRUE(none.edges.empty());
  const Histogram wide =
      histogram_of(tensor(std::vector<double>{-1.7e308, 0, 1.7e308}, {Dtype::f64}));
  EXPECT_EQ(std::accumulate(wide.counts.begin(), wide.counts.end(), std::int64_t{0}), 3);
  for (const Histogram* h : {&same, &wide}) {
    EXPECT_EQ(h->edges.size(), h->counts.size() + 1);
    EXPECT_TRUE(std::is_sorted(h->edges.begin(), h->edges.end()));
  }
}

}  // namespace
}  // namespace gradus::trainer
