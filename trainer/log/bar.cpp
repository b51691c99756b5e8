// The progress bar as text: the most important parts first, the bar itself takes what room is left.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "gradus/trainer/log/console.h"

namespace gradus::trainer {

std::string clock_text(double seconds) {
  const auto all = static_cast<std::int64_t>(std::llround(std::clamp(seconds, 0.0, 1e15)));
  if (all >= 3600) return fmt::format("{}:{:02}:{:02}", all / 3600, all / 60 % 60, all % 60);
  return fmt::format("{}:{:02}", all / 60, all % 60);
}

std::string bytes_text(std::int64_t bytes) {
  const char* const units[] = {"B", "kB", "MB", "GB", "TB"};
  double v = static_cast<double>(bytes);
  int unit = 0;
  for (; v >= 999.5 && unit < 4; ++unit) v /= 1000;
  return unit == 0 || v >= 99.5 ? fmt::format("{:.0f} {}", v, units[unit])
                                : fmt::format("{:.1f} {}", v, units[unit]);
}

void Pace::step(const Progress& progress, double now) {
  if (++seen_ <= untimed) {
    first_ = progress;
    first_seconds_ = now;
    return;
  }
  steps_ = progress.step - first_.step;
  samples_ = progress.samples - first_.samples;
  data_seconds_ = progress.data_seconds - first_.data_seconds;
  seconds_ = now - first_seconds_;
}

double Pace::seconds_left(const Progress& progress) const {
  if (!known() || progress.steps <= 0) return -1;
  return static_cast<double>(std::max<std::int64_t>(0, progress.steps - progress.step)) /
         steps_a_second();
}

namespace {

/// 0.5, 12.3, 456, 7.9k, 1.2M
std::string rate_text(double v) {
  if (v >= 999.5e3) return fmt::format("{:.1f}M", v / 1e6);
  if (v >= 9999.5) return fmt::format("{:.1f}k", v / 1e3);
  return v >= 99.5 ? fmt::format("{:.0f}", v) : fmt::format("{:.1f}", v);
}

std::string count_text(std::int64_t at, std::int64_t of) {
  return of > 0 ? fmt::format("{}/{}", at, of) : fmt::format("{}", at);
}

struct Piece {
  int rank;  // the highest is left out first
  std::string text;
};

std::string bar(double share, int width) {
  const int inner = width - 2;
  const int full = static_cast<int>(std::clamp(share, 0.0, 1.0) * inner);
  std::string text(static_cast<std::size_t>(inner), ' ');
  std::fill_n(text.begin(), full, '=');
  if (full < inner) text[static_cast<std::size_t>(full)] = '>';
  return "[" + text + "]";
}

}  // namespace

std::string bar_text(const BarParts& parts, int width) {
  const Progress& p = parts.progress;
  const Pace& pace = parts.pace;
  const bool in_epoch = p.epoch_steps > 0;
  const std::int64_t at = in_epoch ? p.epoch_step : p.step;
  const std::int64_t of = in_epoch ? p.epoch_steps : p.steps;
  const double left = pace.seconds_left(p);

  std::vector<Piece> pieces;  // in the order of the line
  const auto piece = [&](int rank, std::string text) {
    if (!text.empty()) pieces.push_back({rank, std::move(text)});
  };
  if (in_epoch) piece(2, "epoch " + count_text(p.epoch + 1, p.epochs));
  const std::size_t bar_at = pieces.size();
  piece(0, count_text(at, of));
  piece(3, left >= 0 ? "eta " + clock_text(left) : "");
  piece(1, parts.loss.empty() ? "" : "loss " + parts.loss);
  if (pace.known()) {
    piece(4, rate_text(pace.steps_a_second()) + (parts.units ? " steps/s" : ""));
    piece(8, rate_text(pace.samples_a_second()) + (parts.units ? " samples/s" : ""));
  }
  piece(5, parts.grad_norm.empty() ? "" : "norm " + parts.grad_norm);
  piece(6, parts.lr.empty() ? "" : "lr " + parts.lr);
  piece(7, p.memory_bytes > 0 ? "mem " + bytes_text(p.memory_bytes) : "");
  if (pace.known()) piece(9, fmt::format("data {:.0f}%", 100 * pace.data_share()));

  // Leave out the least important until the line fits.
  const auto length = [&] {
    std::size_t sum = pieces.empty() ? 0 : pieces.size() - 1;
    for (const Piece& one : pieces) sum += one.text.size();
    return static_cast<int>(sum);
  };
  std::size_t before_bar = bar_at;
  while (length() > width && pieces.size() > 1) {
    const auto last = std::max_element(pieces.begin(), pieces.end(),
                                       [](auto& a, auto& b) { return a.rank < b.rank; });
    if (static_cast<std::size_t>(last - pieces.begin()) < before_bar) --before_bar;
    pieces.erase(last);
  }
  const int room = std::min(width - length() - 1, 30);
  if (parts.bar && of > 0 && room >= 8)
    pieces.insert(pieces.begin() + static_cast<std::ptrdiff_t>(before_bar),
                  {10, bar(static_cast<double>(at) / static_cast<double>(of), room)});
  std::string line;
  for (const Piece& one : pieces) (line += line.empty() ? "" : " ") += one.text;
  return line.substr(0, static_cast<std::size_t>(std::max(width, 0)));
}

}  // namespace gradus::trainer
