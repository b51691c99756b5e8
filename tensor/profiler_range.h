// Named stretches of the host's time in a profiler's timeline (NVTX), where the build has a real
// CUDA backend; nothing at all elsewhere.
#pragma once

#include "gradus/config.h"

namespace gradus {

#if GRADUS_HAS_CUDA && !GRADUS_CUDA_IS_SIMULATED
/// While it lives, a profiler that watches shows this thread to be in `name`. Ranges nest.
class ProfilerRange {
 public:
  explicit ProfilerRange(const char* name);
  ~ProfilerRange();
  ProfilerRange(const ProfilerRange&) = delete;
  ProfilerRange& operator=(const ProfilerRange&) = delete;
};
#else
class ProfilerRange {
 public:
  explicit ProfilerRange(const char*) {}
  ~ProfilerRange() {}  // not trivial: a variable that is never read is no warning
  ProfilerRange(const ProfilerRange&) = delete;
  ProfilerRange& operator=(const ProfilerRange&) = delete;
};
#endif

}  // namespace gradus
