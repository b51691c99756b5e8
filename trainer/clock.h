// Where the time of a step goes. Times are shown and logged apart; nothing is ever decided by them,
// except by the stop condition that names seconds.
#pragma once

#include <cstdint>

#include "gradus/tensor/profiler_range.h"
#include "gradus/trainer/profile.h"

namespace gradus::trainer {

/// Of a clock that never goes back.
double now_seconds();
/// Since 1970, for files that say when.
double wall_seconds();
/// Of all threads of this process.
double processor_seconds();

/// Seconds since the last log row.
struct Times {
  double data = 0;     // waiting for a batch
  double forward = 0;  // the task's step
  double backward = 0;
  double optimizer = 0;
  double other = 0;      // hooks, logging, validation, saving
  double since = 0;      // when this interval began
  double processor = 0;  // seconds of all threads when it began
  std::int64_t steps = 0, samples = 0;
};

/// Adds the time until it goes to one of the sums, and is a range of that name in a profiler and in
/// the trainer's own profile.
class Timed {
 public:
  Timed(double& sum, const char* name)
      : sum_(sum), name_(name), start_(now_seconds()), range_(name) {}
  ~Timed() {
    const double end = now_seconds();
    sum_ += end - start_;
    if (current_profile != nullptr) current_profile->range(name_, start_, end);
  }
  Timed(const Timed&) = delete;
  Timed& operator=(const Timed&) = delete;

 private:
  double& sum_;
  const char* name_;
  double start_;
  ProfilerRange range_;
};

}  // namespace gradus::trainer
