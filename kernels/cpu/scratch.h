// Memory that a kernel needs for the length of one call: packed panels, a temporary of rows.
#pragma once

#include <cstddef>
#include <cstdint>

#include "gradus/tensor/allocator.h"

namespace gradus::cpu {

/// `count` uninitialised elements, aligned to 64 bytes, given back at the end of the block. Comes
/// from the thread's allocator: a warm call asks the system for nothing, a MemoryScope holds it.
template <class T>
class Scratch {
 public:
  explicit Scratch(std::int64_t count)
      : allocator_(cpu_allocator()),
        bytes_(static_cast<std::size_t>(count) * sizeof(T)),
        data_(static_cast<T*>(allocator_.allocate(bytes_))) {}
  ~Scratch() { allocator_.deallocate(data_, bytes_); }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  T* data() const { return data_; }

 private:
  Allocator& allocator_;
  std::size_t bytes_;
  T* data_;
};

}  // namespace gradus::cpu
