// The offline run file: framing that crosses blocks, what a row holds, and rows that a resume takes
// back. tests/ecosystem/wandb_reads.py opens one with the wandb package's own reader.
#include <gtest/gtest.h>

#include <cmath>

#include "gradus/tests/trainer/event_reader.h"
#include "gradus/tests/trainer/failing_files.h"
#include "gradus/trainer/log/wandb.h"

namespace gradus::trainer {
namespace {

namespace fs = std::filesystem;

TEST(WandbFile, payloads_of_every_length_come_back_across_blocks) {
  std::string file(wandb_head);
  std::vector<std::string> expected;
  for (const std::size_t n : {0, 1, 100, 32768 - 7 - 7 - 3 * 7 - 101 - 7 - 3, 5, 32768, 100'000, 7})
    expected.push_back(std::string(n, static_cast<char>('a' + expected.size())));
  for (std::size_t n = 32700; n < 32790; ++n) expected.push_back(std::string(n, 'x'));
  std::vector<std::size_t> ends;
  for (const std::string& payload : expected) {
    file += wandb_framed(payload, file.size());
    ends.push_back(file.size());
  }
  EXPECT_EQ(wandb_payloads(file), expected);
  EXPECT_EQ(wandb_payloads(file.substr(0, ends[6] - 1)).size(), 6u) << "the writer died";
  std::string damaged = file;
  damaged[ends[2] + 20] ^= 1;
  EXPECT_EQ(wandb_payloads(damaged).size(), 3u);
  EXPECT_TRUE(wandb_payloads("something else").empty());
  // The first record: its sum is zlib's over the type's byte and the payload.
  EXPECT_EQ(wandb_framed("hello", 7), std::string("\x9d\x23\xac\x8a\x05\x00\x01hello", 12));
}

struct WandbSink : ::testing::Test {
  ScratchDirectory scratch;
  std::unique_ptr<WandbRun> open(std::int64_t resumed) {
    auto sink = std::make_unique<WandbRun>(
        Files::system(), scratch.path(),
        WandbRun::Options{10, "a run", {{"optim.lr", "0.5"}, {"model.type", "\"mlp\""}}});
    sink->resume(resumed);
    return sink;
  }
  std::vector<Message> records() {
    std::vector<fs::path> files;
    for (const auto& entry : fs::recursive_directory_iterator(scratch / "wandb"))
      if (entry.is_regular_file()) files.push_back(entry.path());
    EXPECT_EQ(files.size(), 1u);
    std::vector<Message> out;
    for (const auto& payload : wandb_payloads(read_file(Files::system(), files.at(0), 1 << 20)))
      out.emplace_back(payload);
    return out;
  }
  static std::map<std::string, std::string> items(const Message& row, int list = 1) {
    std::map<std::string, std::string> out;
    for (const Message& item : row.messages(list)) out[item.text(1)] = item.text(16);
    return out;
  }
};

TEST_F(WandbSink, a_run_its_rows_and_its_end_are_recorded_and_taken_back) {
  auto first = open(-1);
  for (std::int64_t step = 10; step <= 30; step += 10) {
    first->write({Record::metrics, step, 0, false, {{"train/loss", 1.0 / double(step)}}});
    first->write({Record::timing, step, 0, false, {{"step_ms", 2}}});
    first->tick({});
    if (step == 20) first->write({Record::metrics, step, 1, false, {{"valid/loss", NAN}}});
  }
  first->write({Record::metrics, 30, 1, true, {{"test/loss", 9}}});
  first->end("done");
  first.reset();
  auto found = records();
  ASSERT_EQ(found.size(), 8u);  // header, run, three rows, the end's, summary, exit
  for (std::size_t i = 0; i < found.size(); ++i)
    EXPECT_EQ(found[i].integer(1), std::int64_t(i) + 1);
  EXPECT_TRUE(found[0].has(21));
  const Message run = found[1].message(17);
  EXPECT_EQ(run.text(1).size(), 8u);
  EXPECT_EQ(run.text(8), "a run");
  EXPECT_EQ(items(run.message(4)).at("model.type"), "\"mlp\"");
  auto row = items(found[3].message(2));
  EXPECT_EQ(row.at("train/loss"), "0.05");
  EXPECT_EQ(row.at("valid/loss"), "NaN");
  EXPECT_EQ(row.at("timing/step_ms"), "2");
  EXPECT_EQ(row.at("_step"), "20");
  EXPECT_EQ(found[3].message(2).message(2).integer(1), 20);
  EXPECT_EQ(items(found[6].message(3)).at("test/loss"), "9");
  EXPECT_EQ(found[7].message(18).integer(1), 0);

  EXPECT_EQ(items(found[5].message(2)).count("test/loss"), 1u);

  auto again = open(30);  // goes on exactly from the end: what was said there is said again later
  again->write({Record::metrics, 40, 0, false, {{"train/loss", 5}}});
  again->flush();
  found = records();
  ASSERT_EQ(found.size(), 6u);
  EXPECT_EQ(items(found[4].message(2)).count("test/loss"), 0u);
  again.reset();

  auto second = open(20);
  second->write({Record::metrics, 30, 0, false, {{"train/loss", 5}}});
  second->flush();
  found = records();
  ASSERT_EQ(found.size(), 5u);
  EXPECT_EQ(items(found[3].message(2)).at("_step"), "20");
  EXPECT_EQ(items(found[4].message(2)).at("train/loss"), "5");
  EXPECT_EQ(found[4].integer(1), 5);
  second.reset();
  auto fresh = open(-1);
  EXPECT_FALSE(fs::exists(scratch / "wandb") && !fs::is_empty(scratch / "wandb"));
}

}  // namespace
}  // namespace gradus::trainer
