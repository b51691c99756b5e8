// Which validation was the best, and when to give up waiting for a better one.
#pragma once

#include <cstdint>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "gradus/trainer/metrics.h"

namespace gradus::trainer {

/// Watches one metric, "<dataset>/<name>". Better means better by more than `min_delta`; NaN never
/// is.
class Selection {
 public:
  Selection() = default;
  Selection(std::string metric, bool maximise, double min_delta, std::int64_t patience)
      : metric_(std::move(metric)),
        maximise_(maximise),
        min_delta_(min_delta),
        patience_(patience) {}

  bool active() const { return !metric_.empty(); }
  const std::string& metric() const { return metric_; }

  /// Throws (argument) naming what there is if the metric is not among them.
  void check_named(const Values& values) const;
  /// Takes the values of a validation after `step`. True if they are the best so far. With `last`,
  /// of a validation that is made because the run ends, only then: one that goes on has had none.
  /// Throws as check_named().
  bool offer(const Values& values, std::int64_t step, bool last = false);
  /// The patience is used up. A patience of 0 never is.
  bool exhausted() const { return patience_ > 0 && since_best_ >= patience_; }

  bool has_best() const { return best_step_ >= 0; }
  std::int64_t best_step() const { return best_step_; }
  double best() const { return best_; }
  const Values& best_values() const { return best_values_; }
  std::int64_t since_best() const { return since_best_; }
  /// Step and value of every validation, in their order.
  using History = std::vector<std::pair<std::int64_t, double>>;
  const History& history() const { return history_; }
  void restore(History history) { history_ = std::move(history); }
  void restore(double best, std::int64_t best_step, std::int64_t since_best, Values best_values) {
    best_ = best;
    best_step_ = best_step;
    since_best_ = since_best;
    best_values_ = std::move(best_values);
  }

 private:
  std::string metric_;
  bool maximise_ = false;
  double min_delta_ = 0;
  std::int64_t patience_ = 0;
  double best_ = std::numeric_limits<double>::quiet_NaN();
  std::int64_t best_step_ = -1;
  std::int64_t since_best_ = 0;
  Values best_values_;
  History history_;
};

}  // namespace gradus::trainer
