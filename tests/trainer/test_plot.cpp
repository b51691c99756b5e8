// gradus plot: what is read, how it is arranged, and both kinds of picture.
#include <gtest/gtest.h>

#include <fstream>

#define STB_IMAGE_IMPLEMENTATION
#define STB_IMAGE_STATIC
#define STBI_ONLY_PNG
#include <stb/stb_image.h>

#include "gradus/tests/trainer/command.h"
#include "gradus/tests/trainer/failing_files.h"
#include "gradus/trainer/plot/figure.h"
#include "gradus/trainer/plot/font.h"

namespace gradus::trainer::plot {
namespace {

namespace fs = std::filesystem;

struct Pixels {
  int width = 0, height = 0, channels = 0;
  stbi_uc* bytes = nullptr;
  explicit Pixels(const std::string& png) {
    bytes = stbi_load_from_memory(reinterpret_cast<const stbi_uc*>(png.data()),
                                  static_cast<int>(png.size()), &width, &height, &channels, 3);
    EXPECT_NE(bytes, nullptr);
  }
  ~Pixels() { stbi_image_free(bytes); }
  int red(int x, int y) const { return bytes[(y * width + x) * 3]; }
  int blue(int x, int y) const { return bytes[(y * width + x) * 3 + 2]; }
};

std::int64_t count(const std::string& text, const std::string& part) {
  std::int64_t n = 0;
  for (std::size_t at = 0; (at = text.find(part, at)) != text.npos; at += part.size()) ++n;
  return n;
}

TEST(Plot, ticks_are_round_and_within_the_range) {
  EXPECT_EQ(ticks(0, 1), (std::vector<double>{0, 0.2, 0.4, 0.6000000000000001, 0.8, 1}));
  EXPECT_EQ(ticks(-3, 690).size(), 4u);  // 0, 200, 400, 600
  EXPECT_EQ(tick_text(0.6000000000000001, 0.2), "0.6");
  EXPECT_EQ(tick_text(0.25, 0.25), "0.25");
  EXPECT_EQ(tick_text(0.0025, 0.0025), "0.0025");
  EXPECT_EQ(tick_text(20'000, 10'000), "20k");
  EXPECT_EQ(tick_text(0, 1), "0");
  EXPECT_EQ(tick_text(1e13, 1e13), "1e+13");
  EXPECT_EQ(log_ticks(0.9, 12), (std::vector<double>{1, 2, 5, 10}));
  EXPECT_EQ(log_ticks(0.5, 5e4), (std::vector<double>{1, 10, 100, 1000, 1e4}));
  const auto far = log_ticks(1e-9, 1e13);
  EXPECT_EQ(far.size(), 8u);
  EXPECT_EQ(far.front(), 1e-9);
  EXPECT_NEAR(far[1] / 1e-6, 1, 1e-12);
}

TEST(Plot, thinned_lines_keep_ends_and_extremes) {
  std::vector<Point> points;
  for (int i = 0; i < 100'000; ++i) points.push_back({double(i), double(i % 7)});
  points[50'001].y = 1000;
  points[70'002].y = -1000;
  const auto thin = thinned(points, 100);
  EXPECT_LT(thin.size(), 420u);
  EXPECT_EQ(thin.front().x, 0);
  EXPECT_EQ(thin.back().x, 99'999);
  double least = 0, most = 0;
  for (std::size_t i = 0; i < thin.size(); ++i) {
    least = std::min(least, thin[i].y), most = std::max(most, thin[i].y);
    if (i > 0) {
      EXPECT_LT(thin[i - 1].x, thin[i].x);
    }
  }
  EXPECT_EQ(least, -1000);
  EXPECT_EQ(most, 1000);
}

struct PlotCommand : ::testing::Test {
  ScratchDirectory scratch;
  /// 40 steps whose loss ends at `last`.
  fs::path run(const std::string& name, double last) {
    fs::create_directories(scratch / name);
    std::ofstream file(scratch / name / "metrics.jsonl");
    for (int step = 1; step <= 40; ++step)
      file << R"({"event": "step", "step": )" << step << R"(, "epoch": 0, "train/loss": )"
           << last + 1.0 / step << R"(, "lr": 0.1, "skipped": 0, "averaged": 1})"
           << "\n";
    file << R"({"event": "step", "step": 40, "epoch": 1, "valid/loss": "nan"})"
         << "\n"
         << R"({"event": "end", "step": 40, "epoch": 1, "test/loss": 0.5})"
         << "\n{\"torn";
    return scratch / name;
  }
};

TEST_F(PlotCommand, rows_become_curves_and_panels) {
  const std::vector<plot::Run> runs = {read_run(run("a", 1))};
  EXPECT_EQ(runs[0].name, "a");
  EXPECT_EQ(runs[0].curves.at("train/loss").size(), 40u);
  EXPECT_EQ(runs[0].curves.at("test/loss").size(), 1u);
  EXPECT_FALSE(runs[0].curves.count("valid/loss")) << "a NaN has no place";
  const auto panels = panels_of(runs, {});
  ASSERT_EQ(panels.size(), 2u) << "no step was skipped, the weights were always averaged";
  EXPECT_EQ(panels[0].title, "loss");
  EXPECT_EQ(panels[0].names, (std::vector<std::string>{"test/loss", "train/loss"}));
  EXPECT_EQ(panels[1].title, "learning rate");
  EXPECT_EQ(panels_of(runs, {"skipped"}).size(), 1u);
  EXPECT_THROW(panels_of(runs, {"nothing"}), Error);

  fs::create_directories(scratch / "csv");
  std::ofstream(scratch / "csv" / "metrics.csv")
      << "step,epoch,event,train/loss,\"odd,name\"\n10,0,step,0.5,\n20,0,step,nan,7\n";
  const plot::Run csv = read_run(scratch / "csv");
  EXPECT_EQ(csv.curves.at("train/loss").size(), 1u);
  EXPECT_EQ(csv.curves.at("odd,name").at(0).x, 20);
  EXPECT_EQ(csv.curves.size(), 2u);
}

TEST_F(PlotCommand, several_runs_are_compared_in_one_svg) {
  const std::string a = run("a<1>", 1), b = run("b", 2), out = scratch / "c.svg";
  const cli::Said said = cli::run({"plot", a, b, "-o", out});
  EXPECT_EQ(said.status, 0) << said.err;
  EXPECT_EQ(said.out, out + ": 2 panels, 2 runs\n");
  const std::string svg = read_file(Files::system(), out, 1 << 20);
  EXPECT_EQ(svg.substr(0, 4), "<svg");
  EXPECT_EQ(svg.substr(svg.size() - 7), "</svg>\n");
  EXPECT_EQ(count(svg, ">a&lt;1&gt;</text>"), 1);
  EXPECT_EQ(count(svg, ">b</text>"), 1);
  for (const char* color : {"#0072b2", "#d55e00"}) {  // legend, loss, learning rate; test a dot
    EXPECT_EQ(count(svg, std::string("stroke=\"") + color), 3) << color;
    EXPECT_EQ(count(svg, std::string("fill=\"") + color), 1) << color;
  }
  EXPECT_EQ(cli::run({"plot", a}).out, a + "/plot.svg: 2 panels, 1 run\n");
  EXPECT_EQ(cli::run({"plot", a, "-o", scratch / "c.pdf"}).status, 2);
  const cli::Said none = cli::run({"plot", scratch / "none"});
  EXPECT_EQ(none.status, 2);
  EXPECT_EQ(none.err, "gradus: " + (scratch / "none").string() +
                          ": there is no such run directory; `gradus plot RUN_DIR...` takes what "
                          "`gradus train` wrote to\n");
  const cli::Said some = cli::run({"plot", a, scratch / "none", b, "-o", out});  // as of runs/*
  EXPECT_EQ(some.status, 0);
  EXPECT_EQ(some.out, out + ": 2 panels, 2 runs\n");
  EXPECT_EQ(some.err.find("gradus: passed over " + (scratch / "none").string()), 0u) << some.err;
  EXPECT_EQ(cli::run({"plot", scratch / "none", scratch / "nor"}).status, 2);
  EXPECT_EQ(cli::run({"plot"}).status, 2);
  EXPECT_EQ(cli::run({"plot", a, "--select", "x"}).status, 2);
}

TEST_F(PlotCommand, a_png_has_the_size_and_the_colours_of_the_figure) {
  const std::string a = run("a", 1), b = run("b", 2), out = scratch / "c.png";
  ASSERT_EQ(cli::run({"plot", a, b, "-o", out}).status, 0);
  const Pixels image(read_file(Files::system(), out, 1 << 22));
  const std::vector<plot::Run> runs = {read_run(a), read_run(b)};
  const Size size = size_of(panels_of(runs, {}), runs);
  EXPECT_EQ(image.width, 2 * size.width);
  EXPECT_EQ(image.height, 2 * size.height);
  int blue = 0, orange = 0;
  for (int y = 0; y < image.height; ++y)
    for (int x = 0; x < image.width; ++x) {
      blue += image.red(x, y) == 0 && image.blue(x, y) == 178;
      orange += image.red(x, y) == 213 && image.blue(x, y) == 0;
    }
  EXPECT_GT(blue, 100);
  EXPECT_GT(orange, 100);
}

TEST(Canvas, lines_dashes_and_letters_fall_where_they_should) {
  const auto canvas = png_canvas(40, 20, 1);
  canvas->line({{5, 5.5}, {35, 5.5}}, {{0, 0, 0}, 1, {5, 5}});
  canvas->circle({20, 14}, 3, {0, 0, 255});
  const Pixels image(canvas->finish());
  ASSERT_EQ(image.width, 40);
  EXPECT_EQ(image.red(7, 5), 0);
  EXPECT_EQ(image.red(12, 5), 255) << "between two dashes";
  EXPECT_EQ(image.red(17, 5), 0);
  EXPECT_EQ(image.red(17, 7), 255) << "a line of one pixel";
  EXPECT_EQ(image.red(20, 14), 0);
  EXPECT_EQ(image.blue(20, 14), 255);
  EXPECT_EQ(image.red(26, 14), 255);
  for (const Font* f : {&font(), &plain_font()}) {
    int covered = 0;
    double right = 0;
    f->draw("loss \xce\xb1", 20, 3, 30, false, [&](int x, int y, float cover) {
      covered += cover > 0.5F;
      right = std::max(right, double(x));
      EXPECT_LE(y, 36);
      EXPECT_GE(y, 8);
    });
    EXPECT_GT(covered, 60);
    EXPECT_LE(right, 3 + f->width("loss \xce\xb1", 20, false) + 2);
    EXPECT_GT(f->width("loss", 20, false), 20);
    EXPECT_LT(f->width("loss", 20, false), 60);
  }
}

}  // namespace
}  // namespace gradus::trainer::plot
