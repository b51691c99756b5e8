// Where the time of a step goes. Times are shown and logged apart; nothing is ever decided by them,
// except by the stop condition that names seconds.
#pragma once

#include <chrono>
#include <cstdint>

#include "gradus/tensor/profiler_range.h"

namespace gradus::trainer {

inline double now_seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

/// Seconds since the last log row.
struct Times {
  double data = 0;     // waiting for a batch
  double forward = 0;  // the task's step
  double backward = 0;
  double optimizer = 0;
  double other = 0;  // hooks, logging, validation, saving
  double since = 0;  // when this interval began
  std::int64_t steps = 0, samples = 0;
};

/// Adds the time until it goes to one of the sums, and is a range of that name in a profiler.
class Timed {
 public:
  Timed(double& sum, const char* name) : sum_(sum), start_(now_seconds()), range_(name) {}
  ~Timed() { sum_ += now_seconds() - start_; }
  Timed(const Timed&) = delete;
  Timed& operator=(const Timed&) = delete;

 private:
  double& sum_;
  double start_;
  ProfilerRange range_;
};

}  // namespace gradus::trainer
