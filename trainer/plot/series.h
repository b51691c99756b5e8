// The curves of a run: what its rows say about each name, step by step.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "gradus/trainer/plot/canvas.h"

namespace gradus::trainer::plot {

struct Run {
  std::string name;                                  // of its directory
  std::map<std::string, std::vector<Point>> curves;  // "train/loss" -> (step, value); ascending
};
/// From metrics.jsonl of a run directory, or metrics.csv if there is no other. What is not finite
/// is left out. Throws Error(argument) if there is neither, or no row in it.
Run read_run(const std::filesystem::path& directory);

/// At most about `buckets` x 4 points that look the same as all: first, last, least and most of
/// each bucket along x.
std::vector<Point> thinned(const std::vector<Point>& points, std::size_t buckets);

}  // namespace gradus::trainer::plot
