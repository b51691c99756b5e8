// Where everything goes. One run: a colour for each data set. Several: a colour for each run, and
// the data set told by the kind of line.
#include "gradus/trainer/plot/figure.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "gradus/tensor/error.h"
#include "gradus/trainer/patterns.h"

namespace gradus::trainer::plot {
namespace {

// Okabe and Ito's colours, told apart by all kinds of sight; the darkest first.
constexpr Color colors[] = {{0, 114, 178},  {213, 94, 0},  {0, 158, 115}, {204, 121, 167},
                            {86, 180, 233}, {230, 159, 0}, {90, 90, 90},  {148, 103, 189},
                            {140, 86, 75},  {160, 170, 30}};
constexpr Color ink = {38, 38, 38}, pale_ink = {110, 110, 110}, grid = {232, 232, 232},
                axis = {150, 150, 150};
constexpr double panel_width = 460, panel_height = 270, margin = 24, gap_x = 30, gap_y = 26,
                 label_room = 52, title_room = 26, tick_room = 22, line_height = 20;

std::string last_part(const std::string& name) { return name.substr(name.rfind('/') + 1); }

/// "train/loss" -> {"train", "loss"}; names that are no data set's are panels of their own.
std::string data_set(const std::string& name) {
  const std::size_t slash = name.rfind('/');
  return slash == name.npos || name.starts_with("lr/") ? "" : name.substr(0, slash);
}

std::string title_of(const std::string& name) {
  if (name == "lr" || name.starts_with("lr/")) return "learning rate";
  if (name == "grad_norm") return "gradient norm";
  if (name == "skipped") return "skipped steps";
  return last_part(name);
}

/// Losses, then other metrics by name, then what tells how the run went.
int rank(const std::string& title) {
  constexpr const char* last[] = {"learning rate", "gradient norm", "skipped steps"};
  if (title == "loss") return 0;
  for (int i = 0; i < 3; ++i)
    if (title == last[i]) return 10 + i;
  return title.find("loss") != title.npos ? 1 : 2;
}

/// Counts and flags that say nothing unless they change: no skipped step, averaged weights always.
bool is_dull(const std::vector<Run>& runs, const std::string& name) {
  if (name != "skipped" && name != "averaged") return false;
  for (const Run& run : runs)
    if (const auto curve = run.curves.find(name); curve != run.curves.end())
      for (const Point& p : curve->second)
        if (p.y != curve->second.front().y || (name == "skipped" && p.y != 0)) return false;
  return true;
}

/// What a data set's lines look like where colours tell runs apart.
Stroke stroke_of(const std::string& set, Color color) {
  if (set == "train") return {color, 1.3, {}, 0.55};
  if (set == "test") return {color, 1.8, {2, 3}};
  if (set.empty() || set == "valid") return {color, 1.8};
  return {color, 1.8, {7, 3}};
}

struct Figure {
  Canvas& canvas;
  const std::vector<Run>& runs;
  std::vector<std::string> sets;  // of all panels, in the order of their colours

  Stroke stroke(std::size_t run, const std::string& name) const {
    const std::string set = data_set(name);
    const std::size_t i =
        runs.size() > 1
            ? run
            : static_cast<std::size_t>(std::find(sets.begin(), sets.end(), set) - sets.begin());
    const bool alone = set.empty() && runs.size() == 1;  // of no data set: no colour of the legend
    Stroke s = stroke_of(set, alone ? pale_ink : colors[i % std::size(colors)]);
    if (runs.size() == 1) s.dash.clear(), s.opacity = 1, s.width = 1.6;
    return s;
  }
};

struct Range {
  double low = HUGE_VAL, high = -HUGE_VAL;
  bool log = false;
  void take(double v) { low = std::min(low, v), high = std::max(high, v); }
  double share(double v) const {
    if (log) return (std::log10(v) - std::log10(low)) / (std::log10(high) - std::log10(low));
    return (v - low) / (high - low);
  }
};

/// A range that shows all points, with some air; by powers of ten where linear would hide most.
Range range_of(const Figure& figure, const Panel& panel) {
  Range r;
  for (const Run& run : figure.runs)
    for (const std::string& name : panel.names)
      if (const auto curve = run.curves.find(name); curve != run.curves.end())
        for (const Point& p : curve->second) r.take(p.y);
  if (r.low > 0 && r.high / r.low > 50 && panel.title != "learning rate") {
    r.log = true;
    r.low /= 1.3, r.high *= 1.3;
    return r;
  }
  const bool touches_zero = r.low >= 0 && r.low < 0.35 * r.high;
  const double air =
      r.high > r.low ? 0.05 * (r.high - r.low) : std::max(std::abs(r.high), 1.0) / 10;
  r.high += air;
  r.low = touches_zero ? 0 : r.low - air;
  return r;
}

void draw_axes(const Figure& figure, Point corner, const Range& x, const Range& y, double width,
               double height) {
  Canvas& c = figure.canvas;
  const double bottom = corner.y + height;
  const std::vector<double> ys = y.log ? log_ticks(y.low, y.high) : ticks(y.low, y.high);
  for (const double v : ys) {
    const double at = bottom - y.share(v) * height;
    c.line({{corner.x, at}, {corner.x + width, at}}, {grid, 1});
    c.text({corner.x - 7, at + 4},
           tick_text(v, y.log           ? v
                        : ys.size() > 1 ? ys[1] - ys[0]
                                        : v),
           11, pale_ink, Anchor::end);
  }
  const std::vector<double> xs = ticks(x.low, x.high);
  for (const double v : xs) {
    const double at = corner.x + x.share(v) * width;
    c.line({{at, bottom}, {at, bottom + 4}}, {axis, 1});
    c.text({at, bottom + 17}, tick_text(v, xs.size() > 1 ? xs[1] - xs[0] : v), 11, pale_ink,
           Anchor::middle);
  }
  c.line({{corner.x, corner.y}, {corner.x, bottom}, {corner.x + width, bottom}}, {axis, 1});
}

void draw_panel(const Figure& figure, const Panel& panel, Point at, const Range& x) {
  Canvas& c = figure.canvas;
  const Point corner = {at.x + label_room, at.y + title_room};
  const double width = panel_width - label_room, height = panel_height - title_room - tick_room;
  const Range y = range_of(figure, panel);
  c.text({corner.x, at.y + 13}, panel.title, 14, ink, Anchor::start, true);
  if (y.log) c.text({corner.x + width, at.y + 13}, "log scale", 11, pale_ink, Anchor::end);
  draw_axes(figure, corner, x, y, width, height);
  for (std::size_t i = 0; i < figure.runs.size(); ++i) {
    for (const std::string& name : panel.names) {
      const auto curve = figure.runs[i].curves.find(name);
      if (curve == figure.runs[i].curves.end()) continue;
      std::vector<Point> points;
      for (const Point& p : thinned(curve->second, 400))
        points.push_back(
            {corner.x + x.share(p.x) * width, corner.y + height - y.share(p.y) * height});
      const Stroke stroke = figure.stroke(i, name);
      if (points.size() > 1) c.line(points, stroke);
      if (points.size() == 1) c.circle(points[0], 4, stroke.color);
    }
  }
}

/// A sample of a line and what it stands for.
struct LegendEntry {
  Stroke stroke;
  std::string text;
  bool dot = false;  // of what is a single point in every curve
};
bool is_dot(const Figure& figure, const std::string& set) {
  for (const Run& run : figure.runs)
    for (const auto& [name, points] : run.curves)
      if (data_set(name) == set && points.size() > 1) return false;
  return true;
}
std::vector<LegendEntry> legend_of(const Figure& figure) {
  std::vector<LegendEntry> out;
  const bool several = figure.runs.size() > 1;
  for (std::size_t i = 0; several && i < figure.runs.size(); ++i)
    out.push_back({{colors[i % std::size(colors)], 3}, figure.runs[i].name});
  for (const std::string& set : figure.sets) {
    if (set.empty()) continue;
    Stroke stroke = several ? stroke_of(set, pale_ink) : figure.stroke(0, set + "/x");
    if (!several) stroke.width = 3;
    out.push_back({stroke, set, is_dot(figure, set)});
  }
  return out;
}

std::vector<std::string> sets_of(const std::vector<Panel>& panels) {
  std::vector<std::string> sets;
  for (const char* usual : {"train", "valid", "test"}) sets.emplace_back(usual);
  std::set<std::string> used;
  for (const Panel& panel : panels)
    for (const std::string& name : panel.names) {
      const std::string set = data_set(name);
      used.insert(set);
      if (std::find(sets.begin(), sets.end(), set) == sets.end()) sets.push_back(set);
    }
  std::erase_if(sets, [&](const std::string& set) { return !used.count(set); });
  return sets;
}

double columns_of(const std::vector<Panel>& panels) { return panels.size() > 1 ? 2 : 1; }
double rows_of(const std::vector<Panel>& panels) {
  return std::ceil(static_cast<double>(panels.size()) / columns_of(panels));
}
double legend_rows(const std::vector<Panel>& panels, const std::vector<Run>& runs) {
  // Names are told as wide as the widest usual letters: the room is there in any font.
  const double room = columns_of(panels) * (panel_width + gap_x) - gap_x;
  double x = 0, rows = 1;
  const auto place = [&](const std::string& text) {
    const double w = 44 + 7.5 * static_cast<double>(text.size());
    if (x > 0 && x + w > room) ++rows, x = 0;
    x += w;
  };
  if (runs.size() > 1)
    for (const Run& run : runs) place(run.name);
  for (const std::string& set : sets_of(panels)) place(set);
  return rows;
}

}  // namespace

std::vector<Panel> panels_of(const std::vector<Run>& runs, const std::vector<std::string>& select) {
  std::set<std::string> names;
  for (const Run& run : runs)
    for (const auto& [name, points] : run.curves) names.insert(name);
  std::vector<Panel> panels;
  std::string all;
  for (const std::string& name : names) {
    all += (all.empty() ? "" : ", ") + name;
    if (select.empty() ? is_dull(runs, name) : !matches_any(select, name)) continue;
    const std::string title = title_of(name);
    const auto found = std::find_if(panels.begin(), panels.end(),
                                    [&](const Panel& panel) { return panel.title == title; });
    Panel& panel = found != panels.end() ? *found : panels.emplace_back(Panel{title, {}});
    panel.names.push_back(name);
  }
  check(!panels.empty(), ErrorKind::argument, "plot: no metric fits --select; there are: ", all);
  std::stable_sort(panels.begin(), panels.end(),
                   [](const Panel& a, const Panel& b) { return rank(a.title) < rank(b.title); });
  return panels;
}

std::vector<double> ticks(double low, double high) {
  const double rough = (high - low) / 5, power = std::pow(10.0, std::floor(std::log10(rough)));
  double step = 10 * power;
  for (const double m : {1.0, 2.0, 2.5, 5.0})
    if (m * power >= rough * 0.999) {
      step = m * power;
      break;
    }
  std::vector<double> out;
  for (double k = std::ceil(low / step - 1e-9); k * step <= high + 1e-9 * step; ++k)
    out.push_back(k == 0 ? 0 : k * step);
  return out;
}

/// At most nine powers of ten, or with few of them also their double and half.
std::vector<double> log_ticks(double low, double high) {
  const double decades = std::log10(high) - std::log10(low);
  const int every = std::max(1, static_cast<int>(std::ceil(decades / 8)));
  std::vector<double> out;
  for (int e = static_cast<int>(std::floor(std::log10(low) / every)) * every;
       std::pow(10.0, e) <= high; e += every)
    for (const double m : decades < 2.5 ? std::vector<double>{1, 2, 5} : std::vector<double>{1})
      if (const double v = m * std::pow(10.0, e); v >= low && v <= high) out.push_back(v);
  return out;
}

std::string tick_text(double value, double step) {
  if (value == 0) return "0";
  const double size = std::abs(value);
  if (size >= 1e9) return fmt::format("{:.3g}", value);
  if (size >= 1e6) return fmt::format("{:g}M", value / 1e6);
  if (size >= 1e4) return fmt::format("{:g}k", value / 1e3);
  if (std::abs(step) < 1e-3 && size < 1e-2) return fmt::format("{:.3g}", value);
  const int digits = std::max(0, -static_cast<int>(std::floor(std::log10(std::abs(step)) + 1e-9)));
  const double scaled = step * std::pow(10.0, digits);  // 2.5 needs a digit more
  return fmt::format("{:.{}f}", value,
                     digits + (std::abs(scaled - std::round(scaled)) > 1e-6 ? 1 : 0));
}

Size size_of(const std::vector<Panel>& panels, const std::vector<Run>& runs) {
  return {2 * margin + columns_of(panels) * (panel_width + gap_x) - gap_x,
          2 * margin + 12 + legend_rows(panels, runs) * line_height +
              rows_of(panels) * (panel_height + gap_y) - gap_y + 14};
}

void draw(Canvas& canvas, const std::vector<Panel>& panels, const std::vector<Run>& runs) {
  const Figure figure{canvas, runs, sets_of(panels)};
  const Size size = size_of(panels, runs);
  double x = margin + label_room, y = margin + 8;
  for (const LegendEntry& entry : legend_of(figure)) {
    const double w = 30 + canvas.width(entry.text, 13);
    if (x > margin + label_room && x + w > size.width - margin)
      x = margin + label_room, y += line_height;
    if (entry.dot)
      canvas.circle({x + 11, y - 4}, 4, entry.stroke.color);
    else
      canvas.line({{x, y - 4}, {x + 22, y - 4}}, entry.stroke);
    canvas.text({x + 28, y}, entry.text, 13, ink);
    x += w + 18;
  }
  Range steps;
  steps.low = 0;
  for (const Run& run : runs)
    for (const auto& [name, points] : run.curves)
      for (const Point& p : points) steps.take(p.x);
  steps.high = std::max(steps.high, 1.0);
  const double top = margin + 12 + legend_rows(panels, runs) * line_height;
  const int columns = static_cast<int>(columns_of(panels));
  for (std::size_t i = 0; i < panels.size(); ++i) {
    const int column = static_cast<int>(i) % columns, row = static_cast<int>(i) / columns;
    draw_panel(figure, panels[i],
               {margin + column * (panel_width + gap_x), top + row * (panel_height + gap_y)},
               steps);
  }
  if (runs.size() == 1)
    canvas.text({size.width - margin, margin + 8}, runs[0].name, 13, pale_ink, Anchor::end);
  canvas.text({size.width - margin, size.height - 12}, "step", 12, pale_ink, Anchor::end);
}

}  // namespace gradus::trainer::plot
