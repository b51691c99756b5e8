// The block that runs now: its threads, and what they wait for. grid.cpp runs them, meetings.cpp
// lets those go that have met.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "gradus/kernels/simt/device.h"
#include "gradus/kernels/simt/fiber.h"
#include "gradus/tensor/cuda/runtime.h"

namespace gradus::simt {

inline constexpr unsigned warp = 32;

struct Thread {
  enum State { fresh, ready, at_barrier, in_meeting, done };
  State state = fresh;
  Fiber* fiber = nullptr;
  Meeting kind{};  // while in_meeting
  std::uint32_t mask = 0;
  int argument = 0, width = 32;
  std::uint64_t value = 0, result = 0;
  bool vote = false;
};

/// An array of GRADUS_SHARED, exactly as long as it was asked for: one element too far is the
/// sanitizer's to find.
struct SharedArray {
  void* data = nullptr;
  std::size_t bytes = 0, alignment = 0;
  SharedArray(std::size_t size, std::size_t align)
      : data(::operator new(size, std::align_val_t(align))), bytes(size), alignment(align) {
    std::memset(data, 0xff, size);  // NaN in every floating type, -1 in the others
  }
  SharedArray(SharedArray&& other) noexcept
      : data(std::exchange(other.data, nullptr)), bytes(other.bytes), alignment(other.alignment) {}
  ~SharedArray() { ::operator delete(data, std::align_val_t(alignment)); }
};

/// What runs now. The simulator runs one grid at a time (runtime.cpp holds a lock).
struct Now {
  const cuda::KernelCall* kernel = nullptr;
  std::vector<Thread> threads;
  std::vector<unsigned> order;  // of the threads, in this round
  std::size_t cursor = 0;       // in `order`
  Thread* thread = nullptr;     // the one that runs; null between threads
  std::unordered_map<const void*, SharedArray> shared;
  std::unique_ptr<SharedArray> dynamic;
  std::size_t shared_bytes = 0;
  std::string failure;    // of a thread; raised by the scheduler
  long stop_thread = -1;  // trap where this thread of the block begins
};
extern Now now;

std::string to_text(Index3 i);  // "(1, 0, 0)"
Index3 index_of(unsigned linear, Index3 size);
inline unsigned number_of(const Thread& t) {
  return static_cast<unsigned>(&t - now.threads.data());
}
/// Throws: kernel, block, thread, and `what`.
[[noreturn]] void fail(const Thread& t, const std::string& what);

/// Lets lanes go whose warp function all others have reached. True if there were any.
bool resolve_meetings();
/// True if the barrier let everyone go; false if the block has ended.
bool resolve_barrier();

}  // namespace gradus::simt
