// What a person sees: a bar on a terminal, lines elsewhere. Only this sink looks at the clock;
// nothing that it shows is ever used for a decision.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "gradus/trainer/log/sink.h"

namespace gradus::trainer {

struct ConsoleOptions {
  bool bar = false;
  bool units = true;
  double every_n_seconds = 10;     // between lines; a bar is drawn ten times a second
  std::int64_t every_n_steps = 0;  // or a line each so many steps
  std::function<void(std::string_view)> out;
  std::function<double()> seconds;  // a clock that only goes forward
  std::function<int()> width = [] { return 80; };
};

/// Speed and time left, from the steps of this process; the first ten are not timed: they pay for
/// caches, page faults and the filling of the prefetch queue.
class Pace {
 public:
  void step(const Progress& progress, double now);
  bool known() const { return steps_ > 0 && seconds_ > 0; }
  double steps_a_second() const { return static_cast<double>(steps_) / seconds_; }
  double samples_a_second() const { return static_cast<double>(samples_) / seconds_; }
  /// Share of the time spent waiting for data.
  double data_share() const { return data_seconds_ / seconds_; }
  /// -1 where the end is not known.
  double seconds_left(const Progress& progress) const;

 private:
  static constexpr int untimed = 10;
  int seen_ = 0;
  std::int64_t steps_ = 0, samples_ = 0;
  double seconds_ = 0, data_seconds_ = 0;
  Progress first_;
  double first_seconds_ = 0;
};

class Console : public Sink {
 public:
  explicit Console(ConsoleOptions options);
  ~Console() override;
  bool wants(std::int64_t step, std::string_view name) const override;
  bool follows() const override { return true; }
  void write(const Record& record) override;
  void tick(const Progress& progress) override;
  void evaluating(std::string_view name, std::int64_t batch, std::int64_t batches) override;
  /// A line of text between the others; the bar is drawn again below it.
  void say(std::string_view text);
  /// Removes the bar; nothing follows.
  void finish();

 private:
  void draw(double now);
  std::string shown(const std::string& name) const;

  ConsoleOptions options_;
  Pace pace_;
  Progress progress_;
  std::map<std::string, double> last_;                     // newest value of each name
  std::map<std::string, std::pair<double, double>> sums_;  // since the epoch's start: sum, weight
  std::int64_t epoch_ = -1, summed_to_ = 0;
  double drawn_at_ = 0;
  bool on_screen_ = false;
};

/// "1:02:03", "4:05"
std::string clock_text(double seconds);
/// "1.2 GB"
std::string bytes_text(std::int64_t bytes);

/// What a bar shows, as far as there is room for it.
struct BarParts {
  Progress progress;
  Pace pace;
  std::string loss, grad_norm, lr;  // empty: not known
  bool units = true;
  bool bar = true;
};
/// One line of at most `width` columns.
std::string bar_text(const BarParts& parts, int width);

}  // namespace gradus::trainer
