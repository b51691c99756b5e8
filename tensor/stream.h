// Devices work by themselves: waiting for one, giving it a stream of the caller's, and counting
// what it was asked to do. The CPU has none of this: an operation is done when its call returns.
#pragma once

#include <cstdint>

#include "gradus/tensor/device.h"

namespace gradus {

/// Returns when everything that this thread gave to `device` is done. On the CPU: at once. Throws
/// (unsupported) for CUDA in a build without it, as all of these do.
void synchronize(Device device);

/// Kernels started on `device` since the program began. On the CPU: 0. A test or a benchmark takes
/// the difference over a step.
std::int64_t launches(Device device);

/// How often a host thread waited for `device` (item(), to_vector(), synchronize() ...) since the
/// program began. On the CPU: 0.
std::int64_t synchronizations(Device device);

/// While it lives, this thread's work for `device` goes to `stream` (a cudaStream_t of the
/// caller's, null for the default one), so that a program may put ours between its own kernels. The
/// CPU has no streams: there only null is accepted, and nothing changes; anything else is
/// Error(argument).
class StreamGuard {
 public:
  StreamGuard(Device device, void* stream);
  ~StreamGuard();
  StreamGuard(const StreamGuard&) = delete;
  StreamGuard& operator=(const StreamGuard&) = delete;

 private:
  Device device_;
  void* before_;  // the stream to go back to
};

}  // namespace gradus
