#include "gradus/trainer/plot/series.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "gradus/tensor/json.h"
#include "gradus/trainer/run/files.h"

namespace gradus::trainer::plot {
namespace {

namespace fs = std::filesystem;
constexpr std::size_t most_bytes = std::size_t{1} << 32;

/// Calls take(line) for each whole line.
template <class Take>
void for_lines(const std::string& text, Take take) {
  for (std::size_t begin = 0, end; (end = text.find('\n', begin)) != text.npos; begin = end + 1)
    take(std::string_view(text).substr(begin, end - begin));
}

void add(Run& run, const std::string& name, double step, double value) {
  if (std::isfinite(value)) run.curves[name].push_back({step, value});
}

void read_jsonl(const std::string& text, Run& run) {
  for_lines(text, [&](std::string_view line) {
    const std::optional<Json> row = Json::parse_if(line);
    const Json* const step = row ? row->find("step") : nullptr;
    if (step == nullptr || !step->is_number()) return;
    for (const auto& [name, value] : row->members())
      if (name != "step" && name != "epoch" && value.is_number())
        add(run, name, step->number(), value.number());
  });
}

/// Our own names hold no comma in practice; a quoted one is taken apart all the same.
std::vector<std::string> cells(std::string_view line) {
  std::vector<std::string> out(1);
  bool quoted = false;
  for (const char c : line) {
    if (c == '"')
      quoted = !quoted;
    else if (c == ',' && !quoted)
      out.emplace_back();
    else
      out.back() += c;
  }
  return out;
}

void read_csv(const std::string& text, Run& run) {
  std::vector<std::string> names;
  for_lines(text, [&](std::string_view line) {
    const std::vector<std::string> row = cells(line);
    if (names.empty()) {
      names = row;
      return;
    }
    double step = 0;
    for (std::size_t i = 0; i < std::min(row.size(), names.size()); ++i) {
      double v = 0;
      const char* const end = row[i].data() + row[i].size();
      if (row[i].empty() || std::from_chars(row[i].data(), end, v).ptr != end) continue;
      if (i == 0)
        step = v;
      else if (i > 2)  // step, epoch, event
        add(run, names[i], step, v);
    }
  });
}

}  // namespace

Run read_run(const fs::path& directory) {
  std::error_code code;
  const fs::path real = fs::canonical(directory, code);
  if (code) throw FileError("open", directory.native(), code.value(), false);
  Run run;
  run.name = real.filename().string();
  const fs::path jsonl = real / "metrics.jsonl", csv = real / "metrics.csv";
  if (fs::exists(jsonl, code))
    read_jsonl(read_file(Files::system(), jsonl, most_bytes), run);
  else if (fs::exists(csv, code))
    read_csv(read_file(Files::system(), csv, most_bytes), run);
  else
    raise(ErrorKind::argument,
          {directory.native(), ": has no metrics.jsonl or metrics.csv to draw from"});
  check(!run.curves.empty(), ErrorKind::argument, directory.native(), ": no row to draw yet");
  for (auto& [name, points] : run.curves)
    std::stable_sort(points.begin(), points.end(), [](Point a, Point b) { return a.x < b.x; });
  return run;
}

std::vector<Point> thinned(const std::vector<Point>& points, std::size_t buckets) {
  if (points.size() <= buckets * 4) return points;
  const double from = points.front().x, width = (points.back().x - from) / double(buckets);
  std::vector<Point> out;
  for (std::size_t i = 0; i < points.size();) {
    const double bucket = std::floor((points[i].x - from) / width);
    std::size_t end = i, least = i, most = i;
    for (; end < points.size() && std::floor((points[end].x - from) / width) == bucket; ++end) {
      if (points[end].y < points[least].y) least = end;
      if (points[end].y > points[most].y) most = end;
    }
    std::vector<std::size_t> kept = {i, least, most, end - 1};
    std::sort(kept.begin(), kept.end());
    kept.erase(std::unique(kept.begin(), kept.end()), kept.end());
    for (const std::size_t k : kept) out.push_back(points[k]);
    i = end;
  }
  return out;
}

}  // namespace gradus::trainer::plot
