#include "gradus/trainer/clock.h"

#include <ctime>

namespace gradus::trainer {
namespace {

double seconds_of(clockid_t clock) {
  timespec t{};
  clock_gettime(clock, &t);
  return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_nsec) * 1e-9;
}

}  // namespace

double now_seconds() { return seconds_of(CLOCK_MONOTONIC); }
double wall_seconds() { return seconds_of(CLOCK_REALTIME); }
double processor_seconds() { return seconds_of(CLOCK_PROCESS_CPUTIME_ID); }

}  // namespace gradus::trainer
