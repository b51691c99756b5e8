// When something is drawn or printed, and from which values.
#include "gradus/trainer/log/console.h"

#include <fmt/format.h>

#include <algorithm>

namespace gradus::trainer {
namespace {

bool of_training(const std::string& name) {
  return name.find('/') == name.npos || name.compare(0, 6, "train/") == 0 ||
         name.compare(0, 3, "lr/") == 0;
}

}  // namespace

Console::Console(ConsoleOptions options) : options_(std::move(options)) {
  drawn_at_ = options_.seconds();
}

Console::~Console() { finish(); }

bool Console::wants(std::int64_t, std::string_view) const {
  return false;  // it shows what the others have asked for
}

void Console::write(const Record& record) {
  if (record.kind != Record::metrics) return;
  if (record.epoch != epoch_) {
    epoch_ = record.epoch;
    sums_.clear();
    const bool running = progress_.epoch == epoch_ && progress_.step > 0;
    summed_to_ = running ? progress_.step - progress_.epoch_step : record.step - 1;
  }
  // A logged value is the mean since the record before: it counts as many steps as it stands for.
  const auto weight = static_cast<double>(record.step - summed_to_);
  std::string evaluated;
  bool trained = false;
  for (const auto& [name, value] : record.values) {
    last_[name] = value;
    if (of_training(name)) {
      trained = true;
      auto& [sum, total] = sums_[name];
      sum += weight * value;
      total += weight;
    } else {
      evaluated += fmt::format("  {} {:.4g}", name, value);
    }
  }
  if (trained) summed_to_ = record.step;
  if (!evaluated.empty())
    say(fmt::format("step {}{}{}", record.step, record.at_end ? " (end)" : "", evaluated));
}

void Console::tick(const Progress& progress) {
  const double now = options_.seconds();
  progress_ = progress;
  pace_.step(progress, now);
  const double since = now - drawn_at_;
  const std::int64_t steps = options_.every_n_steps;
  const bool line = steps > 0 ? progress.step % steps == 0 : since >= options_.every_n_seconds;
  if (options_.bar ? since >= 0.1 || !on_screen_ : line) draw(now);
}

void Console::evaluating(std::string_view name, std::int64_t batch, std::int64_t batches) {
  const double now = options_.seconds(), since = now - drawn_at_;
  if (options_.bar ? since < 0.1 : options_.every_n_steps > 0 || since < options_.every_n_seconds)
    return;
  drawn_at_ = now;
  const std::string text = fmt::format("evaluating {} {}", name, batch) +
                           (batches > 0 ? fmt::format("/{}", batches) : "");
  if (!options_.bar) return options_.out(fmt::format("step {}  {}\n", progress_.step, text));
  const auto most = static_cast<std::size_t>(std::max(0, options_.width() - 1));
  options_.out(fmt::format("\r{}\x1b[K", text.substr(0, most)));
  on_screen_ = true;
}

void Console::draw(double now) {
  drawn_at_ = now;
  const BarParts parts{progress_,   pace_,          shown("train/loss"), shown("grad_norm"),
                       shown("lr"), options_.units, options_.bar};
  if (!options_.bar) {
    options_.out(fmt::format("step {}  {}\n", progress_.step, bar_text(parts, 1000)));
    return;
  }
  // One column less than there is: a full line would wrap on some terminals.
  options_.out(fmt::format("\r{}\x1b[K", bar_text(parts, options_.width() - 1)));
  on_screen_ = true;
}

/// The newest value and, where they differ, the mean since the epoch began.
std::string Console::shown(const std::string& name) const {
  auto last = last_.find(name);
  if (last == last_.end()) last = last_.lower_bound(name + "/");  // lr/<optimizer>/<group>
  if (last == last_.end() || last->first.compare(0, name.size(), name) != 0) return "";
  std::string text = fmt::format("{:.4g}", last->second);
  const auto sum = sums_.find(name);
  if (name == "lr" || sum == sums_.end() || sum->second.second <= 0) return text;
  const std::string mean = fmt::format("{:.4g}", sum->second.first / sum->second.second);
  return mean == text ? text : text + " (mean " + mean + ")";
}

void Console::say(std::string_view text) {
  options_.out(fmt::format("{}{}\n", on_screen_ ? "\r\x1b[K" : "", text));
  on_screen_ = false;
}

void Console::finish() {
  if (on_screen_) options_.out("\r\x1b[K");
  on_screen_ = false;
}

}  // namespace gradus::trainer
