// gradus plot: curves of one run, or of several in one picture.
#include <fmt/format.h>

#include "gradus/trainer/cli/commands.h"
#include "gradus/trainer/cli/output.h"
#include "gradus/trainer/plot/figure.h"
#include "gradus/trainer/run/files.h"

namespace gradus::cli {

namespace fs = std::filesystem;
namespace figures = trainer::plot;

static figures::Run run_in(const fs::path& path) {
  std::error_code code;
  check(fs::is_directory(path, code), ErrorKind::argument, path.string(),
        ": there is no such run directory; `gradus plot RUN_DIR...` takes what `gradus train` "
        "wrote to");
  return figures::read_run(path);
}

int plot(const Arguments& arguments, const Tasks&) {
  fs::path output = arguments.output;
  if (output.empty()) {
    output = arguments.paths.size() == 1 ? arguments.paths[0] / "plot.svg" : fs::path("plot.svg");
  }
  const bool svg = output.extension() == ".svg";
  check(svg || output.extension() == ".png", ErrorKind::argument, "-o ", output.string(),
        ": expected a name that ends in .svg or .png");
  std::vector<figures::Run> runs;
  std::vector<fs::path> places;
  for (const fs::path& path : arguments.paths) {
    try {
      runs.push_back(run_in(path));
      places.push_back(path);
    } catch (const Error& error) {  // of `runs/*` some may be something else
      if (arguments.paths.size() == 1) throw;
      warn(std::string("passed over ") + error.what());
    }
  }
  check(!runs.empty(), ErrorKind::argument, "plot: none of these is a run");
  check_output(output);
  // Runs of the same name are told apart by where they lie.
  for (std::size_t i = 0; i < runs.size(); ++i)
    for (std::size_t k = 0; k < i; ++k)
      if (runs[k].name == runs[i].name) {
        runs[k].name = places[k].lexically_normal().string();
        runs[i].name = places[i].lexically_normal().string();
      }
  const auto panels = figures::panels_of(runs, arguments.select);
  const figures::Size size = figures::size_of(panels, runs);
  const auto canvas = svg ? figures::svg_canvas(size.width, size.height)
                          : figures::png_canvas(size.width, size.height);
  figures::draw(*canvas, panels, runs);
  write_durably(trainer::Files::system(), fs::weakly_canonical(output), canvas->finish());
  print(fmt::format("{}: {} panel{}, {} run{}\n", output.string(), panels.size(),
                    panels.size() == 1 ? "" : "s", runs.size(), runs.size() == 1 ? "" : "s"));
  return 0;
}

}  // namespace gradus::cli
