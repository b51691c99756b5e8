// Rows on the disk: one a step, exact numbers, cut back on resume; and what a person is shown.
#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <fstream>
#include <limits>
#include <nlohmann/json.hpp>

#include "gradus/tests/trainer/failing_files.h"
#include "gradus/trainer/log/console.h"
#include "gradus/trainer/log/json_line.h"
#include "gradus/trainer/log/row_file.h"

namespace gradus::trainer {
namespace {

namespace fs = std::filesystem;

std::string text_of(const fs::path& file) { return read_file(Files::system(), file, 1 << 20); }

Record metrics(std::int64_t step, std::vector<std::pair<std::string, double>> values,
               bool at_end = false) {
  return {Record::metrics, step, step / 100, at_end, std::move(values)};
}

TEST(JsonLine, numbers_read_back_exactly) {
  std::uint64_t bits = 1;
  for (int i = 0; i < 20000; ++i) {
    bits = bits * 6364136223846793005u + 1442695040888963407u;
    double v;
    std::memcpy(&v, &bits, 8);
    if (!std::isfinite(v)) continue;
    EXPECT_EQ(std::strtod(number_text(v).c_str(), nullptr), v);
    EXPECT_EQ(nlohmann::json::parse(number_text(v)).get<double>(), v);
  }
  EXPECT_EQ(number_text(0.1), "0.1");
  EXPECT_EQ(number_text(1), "1");
  EXPECT_EQ(number_text(-0.0), "-0");
  EXPECT_EQ(number_text(-std::nan("")), "nan") << "the sign of a NaN differs between machines";
}

TEST(JsonLine, any_text_gives_valid_json) {
  const std::string nasty =
      std::string("a\"b\\c\n\t\0\x7f", 9) + "\xff\xc0\xaf\xe2\x82\xac\xed\xa0\x80";
  const auto parsed = nlohmann::json::parse(json_quoted(nasty)).get<std::string>();
  EXPECT_EQ(parsed.substr(0, 9), nasty.substr(0, 9));
  EXPECT_NE(parsed.find("\xe2\x82\xac"), std::string::npos);
  JsonLine line;
  line.add("event", "result").add("nan", std::nan("")).add("inf", -HUGE_VAL).add("n", INT64_MIN);
  EXPECT_EQ(line.text(),
            R"({"event": "result", "nan": "nan", "inf": "-inf", "n": -9223372036854775808})");
  EXPECT_TRUE(nlohmann::json::accept(line.text()));
}

TEST(RowFile, csv_has_one_row_a_step_and_stable_columns) {
  ScratchDirectory scratch;
  const fs::path path = scratch / "metrics.csv";
  CsvFile csv(Files::system(), path, Record::metrics, 50);
  EXPECT_TRUE(csv.wants(100, "train/loss"));
  EXPECT_FALSE(csv.wants(101, "train/loss"));
  csv.resume(-1);
  csv.write(metrics(50, {{"train/loss", 0.5}, {"lr", 0.001}}));
  csv.write({Record::timing, 50, 0, false, {{"seconds", 3}}});
  csv.tick({});
  csv.write(metrics(100, {{"train/loss", 0.25}, {"lr", 0.001}}));
  csv.write(metrics(100, {{"valid/a,\"b\"", std::nan("")}}));
  csv.tick({});
  csv.write(metrics(150, {{"lr", 0.0005}, {"train/loss", 0.125}}));
  csv.write(metrics(150, {{"test/accuracy", 1}}, true));
  csv.flush();
  EXPECT_EQ(text_of(path),
            "step,epoch,event,train/loss,lr,\"valid/a,\"\"b\"\"\",test/accuracy\n"
            "50,0,step,0.5,0.001,,\n"
            "100,1,step,0.25,0.001,nan,\n"
            "150,1,step,0.125,0.0005,,\n"
            "150,1,end,,,,1\n");
}

TEST(RowFile, jsonl_rows_are_json) {
  ScratchDirectory scratch;
  JsonlFile jsonl(Files::system(), scratch / "m.jsonl", Record::metrics, 1);
  jsonl.write(metrics(1, {{"train/loss", 0.1}, {"x", HUGE_VAL}}));
  jsonl.write(metrics(1, {{"x", 2}}));
  jsonl.flush();
  EXPECT_EQ(text_of(scratch / "m.jsonl"),
            "{\"event\": \"step\", \"step\": 1, \"epoch\": 0, \"train/loss\": 0.1, \"x\": 2}\n");
  EXPECT_THROW(jsonl.write(metrics(1, {{"a\nb", 2}})), Error);
}

/// Writes what a run of 300 steps writes from `from` on.
void run(Sink& sink, std::int64_t from, std::int64_t to = 300, bool with_end = true) {
  for (std::int64_t step = from + 1; step <= to; ++step) {
    const double v = 1 / static_cast<double>(step);
    if (step % 10 == 0) sink.write(metrics(step, {{"train/loss", v}}));
    if (step % 100 == 0) sink.write(metrics(step, {{"valid/loss", 2 * v}}));
    sink.tick({});
  }
  if (with_end) sink.write(metrics(to, {{"test/loss", 0.5}}, true));
  sink.flush();
}

template <class File>
void check_resume(const char* name) {
  ScratchDirectory scratch;
  const fs::path whole = scratch / "whole", path = scratch / name;
  const auto open = [&](const fs::path& file) {
    return std::make_unique<File>(Files::system(), file, Record::metrics, 10);
  };
  run(*open(whole), 0);
  for (const std::int64_t resumed : {-1, 0, 5, 10, 99, 100, 101, 250, 300}) {
    for (const std::int64_t killed : {10, 105, 300}) {
      if (killed < resumed) continue;
      auto first = open(path);
      first->resume(-1);
      run(*first, 0, killed, killed == 300);
      std::ofstream(path, std::ios::app) << "12,torn";  // the writer died in the middle of a line
      auto second = open(path);
      second->resume(resumed);
      run(*second, std::max<std::int64_t>(resumed, 0));
      EXPECT_EQ(text_of(path), text_of(whole)) << "killed " << killed << " resumed " << resumed;
    }
  }
}

TEST(RowFile, resumed_csv_is_the_uninterrupted_one) { check_resume<CsvFile>("m.csv"); }
TEST(RowFile, resumed_jsonl_is_the_uninterrupted_one) { check_resume<JsonlFile>("m.jsonl"); }

TEST(RowFile, cutting_back_fails_whole_or_not_at_all) {
  for (int n = 1;; ++n) {
    ScratchDirectory scratch;
    const fs::path path = scratch / "m.csv";
    run(*std::make_unique<CsvFile>(Files::system(), path, Record::metrics, 10), 0);
    const std::string before = text_of(path);
    FailingFiles files(FailingFiles::Fault::fail_once, n);
    CsvFile csv(files, path, Record::metrics, 10);
    try {
      csv.resume(100);
    } catch (const FileError&) {
    }
    const std::string after = text_of(path);
    EXPECT_TRUE(after == before || after.size() < before.size());
    EXPECT_EQ(after, before.substr(0, after == before ? before.size() : before.find("110,"))) << n;
    if (!files.reached()) break;
  }
}

TEST(RowFile, damaged_and_foreign_files) {
  ScratchDirectory scratch;
  const fs::path path = scratch / "m.csv";
  std::ofstream(path) << "something,else\n1,2\n";
  CsvFile csv(Files::system(), path, Record::metrics, 10);
  csv.resume(50);
  csv.write(metrics(60, {{"x", 1}}));
  csv.flush();
  EXPECT_EQ(text_of(path), "step,epoch,event,x\n60,0,step,1\n");
  EXPECT_EQ(text_of(scratch / "m.csv.damaged"), "something,else\n1,2\n");

  std::ofstream(path) << "step,epoch,event,x\n10,0,step,1\ngarbage\n,,,\n20,0,step\n"
                         "30,0,step,1\n99999999999999999999,0,step,1\n40,0,what,1\n";
  CsvFile again(Files::system(), path, Record::metrics, 10);
  again.resume(50);
  EXPECT_EQ(text_of(path), "step,epoch,event,x\n10,0,step,1\n30,0,step,1\n");

  std::ofstream(scratch / "m.jsonl") << "{\"event\": \"step\", \"step\": 10, \"epoch\": 0}\n{}\n\n"
                                        "{\"event\": \"step\", \"step\": 20, \"ep\n";
  JsonlFile jsonl(Files::system(), scratch / "m.jsonl", Record::metrics, 10);
  jsonl.resume(50);
  EXPECT_EQ(text_of(scratch / "m.jsonl"), "{\"event\": \"step\", \"step\": 10, \"epoch\": 0}\n");
}

Progress progress(std::int64_t step) {
  Progress p;
  p.step = step;
  p.steps = 3752;
  p.epoch = (step - 1) / 469;
  p.epochs = 8;
  p.epoch_step = (step - 1) % 469 + 1;
  p.epoch_steps = 469;
  p.samples = step * 128;
  p.data_seconds = 0.001 * static_cast<double>(step);
  p.memory_bytes = 1'234'000'000;
  return p;
}

TEST(Console, pace_leaves_out_the_first_ten_steps) {
  Pace pace;
  // Ten slow steps of 5 s, then 0.1 s each.
  for (int step = 1; step <= 60; ++step) {
    pace.step(progress(step), step <= 10 ? 5.0 * step : 50 + 0.1 * (step - 10));
    EXPECT_EQ(pace.known(), step > 10);
  }
  EXPECT_NEAR(pace.steps_a_second(), 10, 1e-9);
  EXPECT_NEAR(pace.samples_a_second(), 1280, 1e-6);
  EXPECT_NEAR(pace.seconds_left(progress(60)), 369.2, 1e-6);
  EXPECT_NEAR(pace.data_share(), 0.01, 1e-9);
  Progress endless = progress(60);
  endless.steps = 0;
  EXPECT_EQ(pace.seconds_left(endless), -1);
}

TEST(Console, bar_fits_every_width_and_keeps_the_important) {
  BarParts parts;
  for (int step = 1; step <= 600; ++step) parts.pace.step(progress(step), 0.1 * step);
  parts.progress = progress(600);
  parts.loss = "0.4321 (mean 0.5012)";
  parts.grad_norm = "1.25";
  parts.lr = "0.002";
  for (int width = 0; width <= 250; ++width)
    EXPECT_LE(static_cast<int>(bar_text(parts, width).size()), width);
  EXPECT_EQ(bar_text(parts, 40), "131/469 loss 0.4321 (mean 0.5012)");
  EXPECT_EQ(bar_text(parts, 80),
            "epoch 2/8 131/469 eta 5:15 loss 0.4321 (mean 0.5012) 10.0 steps/s norm 1.25");
  EXPECT_EQ(bar_text(parts, 200),
            "epoch 2/8 [=======>                    ] 131/469 eta 5:15 loss 0.4321 (mean 0.5012) "
            "10.0 steps/s 1280 samples/s norm 1.25 lr 0.002 mem 1.2 GB data 1%");
  parts.progress.epoch_steps = parts.progress.steps = 0;
  EXPECT_EQ(bar_text(parts, 40), "600 loss 0.4321 (mean 0.5012)") << "nothing known about the end";
}

TEST(Console, clock_and_bytes) {
  EXPECT_EQ(clock_text(0), "0:00");
  EXPECT_EQ(clock_text(65.4), "1:05");
  EXPECT_EQ(clock_text(3725), "1:02:05");
  EXPECT_EQ(clock_text(-3), "0:00");
  EXPECT_EQ(bytes_text(999), "999 B");
  EXPECT_EQ(bytes_text(1234), "1.2 kB");
  EXPECT_EQ(bytes_text(999'960), "1.0 MB");
  EXPECT_EQ(bytes_text(123'456'789), "123 MB");
}

struct ConsoleTest : ::testing::Test {
  std::string screen;
  double now = 0;
  ConsoleOptions options(bool bar) {
    ConsoleOptions o;
    o.bar = bar;
    o.out = [this](std::string_view text) { screen += text; };
    o.seconds = [this] { return now; };
    return o;
  }
};

TEST_F(ConsoleTest, lines_come_by_time_and_validations_at_once) {
  ConsoleOptions lines = options(false);
  lines.every_n_seconds = 12.5;
  Console console(std::move(lines));
  for (int step = 1; step <= 300; ++step) {
    now += 0.125;
    if (step % 50 == 0)
      console.write(
          {Record::metrics, step, 0, false, {{"train/loss", 100.0 / step}, {"lr/a/b", 0.5}}});
    if (step == 200)
      console.write(
          {Record::metrics, step, 0, false, {{"valid/loss", 0.3333333}, {"valid/top1", 0.9}}});
    console.tick(progress(step));
  }
  EXPECT_EQ(
      screen,
      "step 100  epoch 1/8 100/469 eta 7:37 loss 1 (mean 1.5) 8.0 steps/s 1024 samples/s lr 0.5 "
      "mem 1.2 GB data 1%\n"
      "step 200  valid/loss 0.3333  valid/top1 0.9\n"
      "step 200  epoch 1/8 200/469 eta 7:24 loss 0.5 (mean 1.042) 8.0 steps/s 1024 samples/s "
      "lr 0.5 mem 1.2 GB data 1%\n"
      "step 300  epoch 1/8 300/469 eta 7:12 loss 0.3333 (mean 0.8167) 8.0 steps/s 1024 "
      "samples/s lr 0.5 mem 1.2 GB data 1%\n");
  EXPECT_FALSE(console.wants(300, "train/loss")) << "nothing is computed only to be shown";
}

TEST_F(ConsoleTest, lines_come_by_steps_and_without_units_if_asked_for) {
  ConsoleOptions lines = options(false);
  lines.every_n_steps = 100;
  lines.units = false;
  Console console(std::move(lines));
  for (int step = 1; step <= 250; ++step) {
    now += 0.125;
    console.tick(progress(step));
  }
  EXPECT_EQ(screen,
            "step 100  epoch 1/8 100/469 eta 7:37 8.0 1024 mem 1.2 GB data 1%\n"
            "step 200  epoch 1/8 200/469 eta 7:24 8.0 1024 mem 1.2 GB data 1%\n");
}

TEST_F(ConsoleTest, an_evaluation_is_seen_to_go_on) {
  ConsoleOptions narrow = options(true);
  narrow.width = [] { return 20; };
  Console bar(std::move(narrow)), lines(options(false));
  for (int batch = 1; batch <= 30; ++batch) {
    now += 0.5;
    if (batch == 4) bar.evaluating("valid", batch, 0);
    lines.evaluating("valid", batch, 30);
  }
  EXPECT_EQ(screen, "\revaluating valid 4\x1b[Kstep 0  evaluating valid 20/30\n");
  screen.clear();
  now += 1;
  bar.evaluating("a long name of a data set", 5, 6);
  EXPECT_EQ(screen, "\revaluating a long n\x1b[K") << "a line too long would wrap";
  screen.clear();
  bar.say("it is over");
  EXPECT_EQ(screen, "\r\x1b[Kit is over\n");
}

TEST_F(ConsoleTest, bar_is_drawn_over_itself_and_below_lines) {
  Console console(options(true));
  for (int step = 1; step <= 100; ++step) {
    now += 0.01;
    console.tick(progress(step));
  }
  EXPECT_LE(std::count(screen.begin(), screen.end(), '\r'), 12) << "ten times a second";
  EXPECT_EQ(std::count(screen.begin(), screen.end(), '\n'), 0);
  screen.clear();
  console.say("a line");
  EXPECT_EQ(screen, "\r\x1b[Ka line\n");
  screen.clear();
  console.tick(progress(101));
  EXPECT_EQ(screen.substr(0, 11), "\repoch 1/8 ");
  console.finish();
  EXPECT_EQ(screen.substr(screen.size() - 4), "\r\x1b[K");
}

}  // namespace
}  // namespace gradus::trainer
