// An allocator inside one block of memory that the caller gives: best fit over a sorted free list.
#pragma once

#include <cstddef>
#include <mutex>

#include "gradus/tensor/allocator.h"

namespace gradus {

/// Blocks are multiples of 64 bytes; free neighbours are joined, so that a step which repeats
/// leaves the arena as it found it. The bookkeeping lies in the free blocks themselves.
class Arena final : public Allocator {
 public:
  Arena(void* buffer, std::size_t bytes);
  void* allocate(std::size_t bytes) override;
  void deallocate(void* p, std::size_t bytes) noexcept override;
  std::size_t in_use() const { return in_use_; }
  std::size_t peak() const { return peak_; }

 private:
  struct Hole {  // a free block; holes are linked by rising address
    std::size_t bytes;
    Hole* next;
  };
  std::mutex mutex_;
  Hole* holes_ = nullptr;
  std::size_t total_ = 0, in_use_ = 0, peak_ = 0;
};

}  // namespace gradus
