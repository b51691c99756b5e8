// Counting what a piece of code asks of the heap. tests/tensor/test_allocations.cpp replaces
// operator new for the whole test program; under a sanitizer, which needs its own, nothing is
// counted, and what is left to check is that memory in use is the same afterwards.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>

#include "gradus/tensor/allocator.h"

namespace gradus::testing {

/// False under sanitizers; the library's free lists pass through to malloc there, too.
bool allocations_are_counted();
/// Calls of operator new since the program began.
std::int64_t allocations_of_this_thread();
std::int64_t allocations_of_all_threads();
/// The n-th call of operator new from now on, of any thread, throws std::bad_alloc. 0: none does.
void fail_allocation(std::int64_t n);

/// Whether the steps between its making and expect_nothing() were warm ones: nothing new from
/// operator new (of any thread) nor from the system, and as much memory in use as before.
class HeapUse {
 public:
  HeapUse() : news_(allocations_of_all_threads()), memory_(memory_stats(Device::cpu())) {}
  void expect_nothing() const {
    const std::int64_t news = allocations_of_all_threads();
    const MemoryStats now = memory_stats(Device::cpu());
    EXPECT_EQ(now.now, memory_.now) << "bytes in use";
    if (!allocations_are_counted()) return;
    EXPECT_EQ(news, news_) << "calls of operator new";
    EXPECT_EQ(now.system_calls, memory_.system_calls) << "blocks from the system";
  }

 private:
  std::int64_t news_;
  MemoryStats memory_;
};

}  // namespace gradus::testing
