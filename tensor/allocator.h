// Where memory comes from: one allocator object a device, replaceable for a scope by the caller's
// own. Tensor data, tensor bodies, graph nodes and kernel scratch all come from here.
#pragma once

#include <cstddef>
#include <cstdint>

#include "gradus/tensor/device.h"

namespace gradus {

/// Hands out blocks aligned to 64 bytes. Safe to call from any thread.
class Allocator {
 public:
  virtual ~Allocator() = default;
  /// Throws Error(memory) when there is none left. 0 bytes give a null pointer.
  virtual void* allocate(std::size_t bytes) = 0;
  virtual void deallocate(void* p, std::size_t bytes) noexcept = 0;
};

/// The allocator that this thread uses for CPU memory: the innermost MemoryScope's, or the shared
/// pool.
Allocator& cpu_allocator();
Allocator& allocator(Device device);

/// Makes `a` this thread's allocator for CPU memory (null: the shared pool) and returns the one
/// before, null for the shared pool. The thread pool takes its caller's to the workers with this.
Allocator* exchange_thread_allocator(Allocator* a);

struct MemoryStats {
  std::int64_t now = 0;           // bytes handed out and not yet returned
  std::int64_t peak = 0;          // the most there was of `now` since reset_peak_memory_stats()
  std::int64_t system_calls = 0;  // blocks asked of the operating system: constant in a warm step
};

/// Exact to 64 KiB a thread: small blocks are counted in thread-local portions.
MemoryStats memory_stats(Device device);
MemoryStats cpu_memory_stats();
/// `peak` counts from here on. A Trainer does so at each row of times.
void reset_peak_memory_stats(Device device);
void reset_cpu_peak_memory_stats();

/// Bytes that could still be had: of this machine or its container, or of a device, what is kept
/// there for reuse included. 0 where the system does not say.
std::int64_t available_memory(Device device);
std::int64_t cpu_available_memory();

/// While it lives, everything this thread makes on the CPU (tensors, nodes, optimizer state) lies
/// in `buffer`. Whatever was made inside must be gone before the scope ends. One byte too few is
/// Error(memory).
class MemoryScope {
 public:
  MemoryScope(void* buffer, std::size_t bytes);
  ~MemoryScope();
  MemoryScope(const MemoryScope&) = delete;
  MemoryScope& operator=(const MemoryScope&) = delete;
  std::size_t peak() const;  // the most bytes of the buffer in use at once, headers included
  bool empty() const;        // nothing in use now

 private:
  Allocator* arena_;
  Allocator* outer_;
};

}  // namespace gradus
