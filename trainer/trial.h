// One run of a search over configurations: the search is told how it goes and may end it early.
#pragma once

#include <cstdint>
#include <functional>
#include <string_view>

namespace gradus::trainer {

/// Derive from it to be a part of a search in the same process. `gradus train --trial N` speaks to
/// one in another process: a JSON line a report on standard output, SIGTERM to prune.
class Trial {
 public:
  virtual ~Trial() = default;
  virtual std::int64_t number() const = 0;
  /// trainer.training_metric after each validation. `step`: attempted.
  virtual void report(std::int64_t step, double value) = 0;
  /// Asked after each report: true ends the run with status "pruned".
  virtual bool should_prune() { return false; }
};

/// Writes {"event": "report", "trial": 3, "step": 500, "value": 0.25} and a line's end.
class ReportingTrial final : public Trial {
 public:
  ReportingTrial(std::int64_t number, std::function<void(std::string_view)> out)
      : number_(number), out_(std::move(out)) {}
  std::int64_t number() const override { return number_; }
  void report(std::int64_t step, double value) override;

 private:
  std::int64_t number_;
  std::function<void(std::string_view)> out_;
};

}  // namespace gradus::trainer
