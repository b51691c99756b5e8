#include "gradus/trainer/selection.h"

#include <cmath>

#include "gradus/tensor/error.h"

namespace gradus::trainer {

void Selection::check_named(const Values& values) const {
  std::string names;
  for (const auto& [name, value] : values) {
    if (name == metric_) return;
    names += " " + name;
  }
  raise(ErrorKind::argument, {"trainer.training_metric: \"", metric_,
                              "\" is not among the metrics of a validation:", names});
}

bool Selection::offer(const Values& values, std::int64_t step, bool last) {
  check_named(values);
  for (const auto& [name, value] : values) {
    if (name != metric_) continue;
    const bool first = best_step_ < 0;
    const bool better = maximise_ ? value > best_ + min_delta_ : value < best_ - min_delta_;
    if (!std::isnan(value) && (first || better)) {
      Values copy = values;  // first: nothing is changed if there is no memory for it
      history_.emplace_back(step, value);
      restore(value, step, 0, std::move(copy));
      return true;
    }
    if (last) return false;
    history_.emplace_back(step, value);
    ++since_best_;
  }
  return false;
}

}  // namespace gradus::trainer
