// A figure of one or more runs: a panel for each quantity (loss, accuracy, learning rate ...), in
// each a line for each run and data set.
#pragma once

#include <string>
#include <vector>

#include "gradus/trainer/plot/canvas.h"
#include "gradus/trainer/plot/series.h"

namespace gradus::trainer::plot {

/// Lines of names that belong together: all data sets' "loss", or "lr" of all groups.
struct Panel {
  std::string title;               // "loss"
  std::vector<std::string> names;  // "train/loss", "valid/loss"
};
/// What there is to see in these runs, the losses first; `select`: patterns of names, all if empty.
/// Throws Error(argument) naming what there is if nothing fits.
std::vector<Panel> panels_of(const std::vector<Run>& runs, const std::vector<std::string>& select);

/// About five round numbers within [low, high].
std::vector<double> ticks(double low, double high);
/// The same by powers of ten, for 0 < low < high.
std::vector<double> log_ticks(double low, double high);
/// Of a tick: "0.25", "10k", "1e-5".
std::string tick_text(double value, double step);

struct Size {
  double width, height;
};
Size size_of(const std::vector<Panel>& panels, const std::vector<Run>& runs);
void draw(Canvas& canvas, const std::vector<Panel>& panels, const std::vector<Run>& runs);

}  // namespace gradus::trainer::plot
