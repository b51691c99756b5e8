// A window of steps looked at closely: where their time went, as a file for chrome://tracing or
// ui.perfetto.dev.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace gradus::trainer {

/// Passes over `wait` steps, then over `warm` more while recording is already on, then keeps
/// `active` steps.
class Profile {
 public:
  Profile(std::int64_t wait, std::int64_t warm, std::int64_t active)
      : first_(wait + warm), begin_(wait), end_(wait + warm + active) {}

  /// At the start of each step; `step` is the attempted one it will be.
  void begin_step(std::int64_t step);
  /// At its end; `memory` in bytes. True when the window has just closed: take trace().
  bool end_step(std::int64_t memory);
  /// Times in seconds of trainer/clock.h.
  void range(const char* name, double begin, double end);
  bool recording() const { return recording_; }

  /// The Chrome trace: a JSON object. Ranges nest by their times.
  std::string trace() const;

 private:
  struct Event {
    const char* name;  // null: the step itself
    double begin, end;
    std::int64_t step, memory;
  };
  std::int64_t first_, begin_, end_;
  std::int64_t seen_ = 0, step_ = 0;
  double began_ = 0;
  bool recording_ = false;
  std::vector<Event> events_;
};

/// The one that ranges of this thread go to; null: none.
inline thread_local Profile* current_profile = nullptr;

}  // namespace gradus::trainer
