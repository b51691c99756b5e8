// The streams of a device: one for all computing, one that copies batches ahead. No tensor is ever
// used on two streams. Also the copies between host and device, which go through pinned memory, and
// what a kernel has to say when an index is out of range.
#pragma once

#include "gradus/tensor/cuda/runtime.h"

namespace gradus::cuda {

/// Throws Error(device) naming the device unless it can be used.
void check_device(int device);

/// Where this thread's kernels for `device` go: the device's own stream, or a StreamGuard's.
Stream compute_stream(int device);
/// For the data loader's ring alone.
Stream copy_stream(int device);

/// From the host: `from` may be changed as soon as this returns. Waits only when the pinned ring is
/// full, that is, when the device is far behind.
void upload(void* to, const void* from, std::size_t bytes, int device);
/// To the host: waits for everything before it.
void download(void* to, const void* from, std::size_t bytes, int device);
/// Waits for this thread's compute stream, and throws what a kernel reported.
void wait_for(int device);

/// What a kernel has to say: the first index that was out of range since the last wait, or the
/// first value outside [0, 1] (size -1). In pinned memory: kernels write it, the host reads it
/// where it waits anyway.
struct Report {
  unsigned taken;
  const char* op;
  std::int64_t index, size;
  double value;
};
Report* report_of(int device);

}  // namespace gradus::cuda
