// Pictures, texts, histograms and tables of a run; what is computed only if it is wanted; and that
// a resumed run leaves the same files as one that was never interrupted.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <set>
#include <sstream>

#define STB_IMAGE_IMPLEMENTATION
#define STB_IMAGE_STATIC
#define STBI_ONLY_PNG
#define STBI_ONLY_JPEG
#include <stb/stb_image.h>

#include "gradus/kernels/create.h"
#include "gradus/kernels/literal.h"
#include "gradus/tensor/json.h"
#include "gradus/tests/trainer/event_reader.h"
#include "gradus/tests/trainer/failing_files.h"
#include "gradus/trainer/checkpoint/store.h"
#include "gradus/trainer/data/readers.h"
#include "gradus/trainer/log/entry.h"
#include "gradus/trainer/logging.h"
#include "gradus/trainer/tasks/classify.h"
#include "gradus/trainer/trainer.h"

namespace gradus::trainer {
namespace {

namespace fs = std::filesystem;

TEST(Picture, grids_shades_and_files_are_exact) {
  const Picture grey = picture_of(tensor({{0.0F, 0.5F}, {1.0F, 7.0F}}));
  EXPECT_EQ(grey.pixels, (std::vector<std::uint8_t>{0, 128, 255, 255}));
  const Picture dark = picture_of(tensor({{NAN, -1.0F, -HUGE_VALF, HUGE_VALF}}));
  EXPECT_EQ(dark.pixels, (std::vector<std::uint8_t>{0, 0, 0, 255}));
  // Five RGB pictures of 2 x 3: three columns, two rows, two black pixels between them.
  Tensor batch = zeros({5, 3, 2, 3}, {Dtype::u8});
  for (int i = 0; i < 5; ++i)
    for (int c = 0; c < 3; ++c)
      for (int p = 0; p < 6; ++p)
        batch.data<std::uint8_t>()[(i * 3 + c) * 6 + p] =
            static_cast<std::uint8_t>(50 * i + 10 * c + p);
  const Picture grid = picture_of(batch);
  EXPECT_EQ(grid.width, 3 * 3 + 2 * 2);
  EXPECT_EQ(grid.height, 2 * 2 + 2);
  EXPECT_EQ(grid.channels, 3);
  const auto at = [&](std::int64_t y, std::int64_t x, std::int64_t c) {
    return int{grid.pixels[static_cast<std::size_t>((y * grid.width + x) * 3 + c)]};
  };
  EXPECT_EQ(at(1, 2, 1), 10 + 5);
  EXPECT_EQ(at(0, 5, 2), 50 + 20);
  EXPECT_EQ(at(5, 6, 0), 200 + 4);
  EXPECT_EQ(at(0, 3, 0), 0);
  EXPECT_EQ(at(4, 11, 0), 0) << "a place without a picture";
  const std::string png = png_of(grid);
  int w = 0, h = 0, c = 0;
  stbi_uc* back = stbi_load_from_memory(reinterpret_cast<const stbi_uc*>(png.data()),
                                        static_cast<int>(png.size()), &w, &h, &c, 0);
  ASSERT_NE(back, nullptr);
  EXPECT_EQ(std::vector<std::uint8_t>(back, back + grid.pixels.size()), grid.pixels);
  stbi_image_free(back);
  EXPECT_EQ(jpg_of(grid).substr(0, 2), "\xff\xd8");
  EXPECT_THROW(picture_of(zeros({2, 5, 5})), Error);
  EXPECT_THROW(picture_of(zeros({5})), Error);
  EXPECT_THROW(picture_of(zeros({5, 5}, {Dtype::i64})), Error);
}

struct Entries : ::testing::Test {
  ScratchDirectory scratch;
  std::vector<std::string> wanted;  // "step name" of what was computed
  int computed = 0;

  /// 24 steps of the digits, of which every sixth is logged; checkpoints after 12 and 24.
  std::unique_ptr<Trainer> make(const std::vector<std::string>& settings, const fs::path& directory,
                                std::int64_t resume = -1) {
    const Config config = parse_config(
        "[data.train]\npath = \"" GRADUS_SOURCE_DIR
        "/examples/data/digits.csv.gz\"\nshape = [1, 8, 8]\nbatch_size = 64\n"
        "[data.valid]\nfrom = \"train\"\nfraction = 0.1\n"
        "[data.test]\nfrom = \"train\"\nfraction = 0.1\n[model]\ntype = \"mlp\"\nhidden = [4]\n"
        "[trainer]\nmax_steps = 24\nvalidate_every_n_steps = 9\n[log]\nevery_n_steps = 6\n"
        "[checkpoint]\nevery_n_steps = 12\nkeep_all = true\n",
        "test.toml", ".", settings);
    auto data = open_datasets(config);
    Config copy = config;
    auto task = make_classify(copy, data);
    auto trainer = std::make_unique<Trainer>(copy, task, data);
    const auto speak = [this](HookContext& c) {
      log_value("slow", [&] {
        ++computed;
        return full({}, 1.0);
      });
      log_entry("digits", Entry::image, [&] {
        wanted.push_back(std::to_string(c.state.attempted) + " digits");
        return picture_of((*c.batch)["x"].slice(0, 0, 4));
      });
      log_text("note", "step " + std::to_string(c.state.attempted));
      log_histogram("pixels", (*c.batch)["x"]);
      log_table("cells", {{"a"}, {{"1"}}});
    };
    trainer->add(make_hook("speak", HookPhase::after_loss, speak));
    trainer->add(make_hook("show", HookPhase::after_eval_step, speak));
    if (!directory.empty()) {
      fs::create_directories(directory);
      trainer->use_directory(directory);
      if (resume >= 0)
        trainer->load(CheckpointStore(Files::system(), directory / "checkpoints").path_of(resume));
    }
    return trainer;
  }

  static std::vector<std::string> files(const fs::path& directory) {
    std::vector<std::string> out;
    for (const auto& entry : fs::recursive_directory_iterator(directory))
      if (entry.is_regular_file())
        out.push_back(entry.path().lexically_relative(directory).string());
    std::sort(out.begin(), out.end());
    return out;
  }
};

TEST_F(Entries, pictures_lie_where_they_were_logged) {
  make({"log.images=true"}, scratch / "run")->fit();
  std::vector<std::string> expected;
  for (const char* place : {"12/", "18/", "18/valid/", "23/valid/", "24/", "24_end/test/",
                            "24_end/valid/", "6/", "9/valid/"})
    for (const char* name : {"digits.png", "inputs.png"})
      expected.push_back(std::string(place) + name);
  EXPECT_EQ(files(scratch / "run" / "visualizations"), expected);
  // Within the window of a step the clock still stands at the one before.
  EXPECT_EQ(wanted,
            (std::vector<std::string>{"5 digits", "9 digits", "11 digits", "17 digits", "18 digits",
                                      "23 digits", "23 digits", "24 digits", "24 digits"}));
  make({"log.images=true", "log.images_format=jpg", "log.images_every_n_steps=24",
        "trainer.validate_every_n_steps=0", "trainer.validate_every_n_epochs=0",
        "trainer.evaluate_at_end=false"},
       scratch / "jpg")
      ->fit();
  EXPECT_EQ(files(scratch / "jpg" / "visualizations"),
            (std::vector<std::string>{"24/digits.jpg", "24/inputs.jpg"}));
}

TEST_F(Entries, nothing_is_computed_that_no_due_sink_wants) {
  make({"log.csv=false", "log.jsonl=false", "trainer.max_steps=8", "trainer.evaluate_at_end=false"},
       {})
      ->fit();
  EXPECT_EQ(computed, 0);
  EXPECT_TRUE(wanted.empty());
  make({"trainer.max_steps=8", "trainer.evaluate_at_end=false"}, scratch / "rows")->fit();
  EXPECT_EQ(computed, 1) << "of eight steps the sixth is logged";
  EXPECT_TRUE(wanted.empty()) << "rows take no pictures";

  struct Picky final : Sink {
    bool wants(std::int64_t, std::string_view name) const override { return name == "slow"; }
    bool wants_entry(const Moment& at, Entry::Kind kind) const override {
      return kind == Entry::image && at.step == 3;
    }
    void write(const Record&) override {}
    void write_entry(const Entry& entry) override { names.push_back(entry.name); }
    std::vector<std::string>& names;
    explicit Picky(std::vector<std::string>& to) : names(to) {}
  };
  computed = 0;
  std::vector<std::string> names;
  auto trainer = make({"trainer.max_steps=8", "trainer.evaluate_at_end=false"}, {});
  trainer->add(std::make_unique<Picky>(names));
  trainer->fit();
  EXPECT_EQ(computed, 8) << "it wants that value of every step";
  EXPECT_EQ(names, (std::vector<std::string>{"inputs", "digits"}));
  EXPECT_EQ(wanted, std::vector<std::string>{"2 digits"});
  log_text("outside", "a trainer: goes nowhere");
  EXPECT_FALSE(log_wanted("outside"));
}

/// Takes down "step value" of one metric at a rate of its own.
struct Every final : Sink {
  bool wants(std::int64_t step, std::string_view name) const override {
    return step % n == 0 && name == "train/loss";
  }
  void write(const Record& record) override {
    if (record.at_end) return;  // what came after the last row, for every sink
    for (const auto& [name, value] : record.values)
      rows.push_back(fmt::format("{} {} {}", record.step, name, value));
  }
  std::int64_t n;
  std::vector<std::string>& rows;
  Every(std::int64_t steps, std::vector<std::string>& to) : n(steps), rows(to) {}
};

TEST_F(Entries, every_sink_has_a_rate_of_its_own) {
  const std::vector<std::string> settings = {
      "trainer.max_steps=16", "trainer.validate_every_n_steps=0",
      "trainer.validate_every_n_epochs=0", "trainer.evaluate_at_end=false",
      "log.jsonl_every_n_steps=4"};
  std::vector<std::string> fives, ones;
  auto trainer = make(settings, scratch / "two");
  trainer->add(std::make_unique<Every>(5, fives));
  trainer->add(std::make_unique<Every>(1, ones));
  trainer->fit();
  ASSERT_EQ(fives.size(), 3u);
  ASSERT_EQ(ones.size(), 16u);
  for (std::size_t i = 0; i < 3; ++i) EXPECT_EQ(fives[i], ones[5 * i + 4]);
  const auto steps = [&](const char* run, const char* file) {
    std::string found;
    std::istringstream lines(read_file(Files::system(), scratch / run / file, 1 << 20));
    for (std::string line; std::getline(lines, line);)
      if (const Json row = Json::parse(line);
          row.find("train/loss") && row.at("event").string() == "step")
        found += std::to_string(row.at("step").integer()) + " ";
    return found;
  };
  EXPECT_EQ(steps("two", "metrics.jsonl"), "4 8 12 16 ");
  make(settings, scratch / "one")->fit();
  const auto bytes = [&](const char* run) {
    return read_file(Files::system(), scratch / run / "metrics.csv", 1 << 20);
  };
  EXPECT_EQ(bytes("one"), bytes("two")) << "a sink changes nothing in what others write";
  EXPECT_EQ(bytes("one").find("\n4,"), std::string::npos);
}

TEST_F(Entries, values_logged_in_an_evaluation_are_its_metrics) {
  const Result result = [&] {
    auto trainer = make({"trainer.max_steps=9"}, {});
    trainer->add(make_hook("count", HookPhase::after_eval_step, [](HookContext& c) {
      log_value("size", static_cast<double>(c.batch->size), static_cast<double>(c.batch->size));
    }));
    return trainer->fit();
  }();
  double size = 0;
  for (const auto& [name, value] : result.last)
    if (name == "valid/size") size = value;
  EXPECT_NEAR(size, (5 * 32 * 32 + 20 * 20) / 180.0, 1e-9) << "weighted by the batches' sizes";
}

TEST_F(Entries, an_interrupted_run_leaves_the_same_entries) {
  const std::vector<std::string> settings = {"log.images=true", "log.tensorboard=true",
                                             "log.histograms_every_n_steps=4"};
  const auto bytes = [](const fs::path& file) { return read_file(Files::system(), file, 1 << 24); };
  make(settings, scratch / "whole")->fit();
  make(settings, scratch / "cut")->fit();  // to its end, images of the final evaluation included
  make(settings, scratch / "cut", 12)->fit();
  EXPECT_EQ(files(scratch / "cut" / "visualizations"), files(scratch / "whole" / "visualizations"));
  EXPECT_EQ(bytes(scratch / "cut" / "entries.jsonl"), bytes(scratch / "whole" / "entries.jsonl"));
  const auto tags = [](const fs::path& directory) {
    std::multiset<std::string> out;
    for (const fs::path& file : event_files(directory))
      for (const Message& event : read_events(file))
        for (const Message& value : event.message(5).messages(1))
          out.insert(std::to_string(event.integer(2)) + " " + value.text(1));
    return out;
  };
  EXPECT_EQ(event_files(scratch / "cut").size(), 2u);
  const auto expected = tags(scratch / "whole");
  EXPECT_EQ(tags(scratch / "cut"), expected);
  for (const char* tag :
       {"6 train/loss", "9 valid/loss", "24 test/loss", "6 timing/step_ms", "4 weights/1.weight",
        "8 gradients/1.weight", "6 digits", "9 valid/digits", "6 note/text_summary",
        "6 cells/text_summary", "6 pixels", "0 _hparams_/session_end_info"})
    EXPECT_EQ(expected.count(tag), 1u) << tag;

  std::istringstream lines(bytes(scratch / "whole" / "entries.jsonl"));
  std::string line;
  std::getline(lines, line);
  while (nlohmann::json::parse(line)["name"] != "note") std::getline(lines, line);
  EXPECT_EQ(
      line,
      R"({"event": "text", "step": 6, "epoch": 0, "evaluating": false, "at_end": false, "name": "note", )"
      R"("text": "step 5"})");
}

}  // namespace
}  // namespace gradus::trainer
