// Device memory: blocks are asked of the runtime in large segments and kept, because that call
// waits for the device. A block that is given back is free at once for later work of the same
// stream: what was put into the stream before is done before. A warm training step asks for
// nothing.
#pragma once

#include "gradus/tensor/allocator.h"
#include "gradus/tensor/cuda/runtime.h"

namespace gradus::cuda {

/// The allocator of a device. Throws Error(device) where there is no such device. Memory goes to
/// this thread's stream (StreamGuard) and pool (PoolScope), and back to those it came from.
Allocator& device_allocator(int device);

/// Gives every segment without a block in use back to the runtime, those of captures excepted.
void release_cached(int device);

MemoryStats device_memory_stats(int device);
void reset_device_peak_memory_stats(int device);
std::int64_t available_device_memory(int device);

/// While it lives, this thread's device memory comes from pool `id`, not 0: a captured graph writes
/// to the addresses it was captured with, so nobody else may be given them.
class PoolScope {
 public:
  explicit PoolScope(int id);
  ~PoolScope();
  PoolScope(const PoolScope&) = delete;
  PoolScope& operator=(const PoolScope&) = delete;

 private:
  int before_;
};

}  // namespace gradus::cuda
