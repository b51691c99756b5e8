// Standard containers whose memory comes from where tensors' does: the thread's MemoryScope, or the
// shared pool, which asks the system for nothing in a warm step.
#pragma once

#include <cstddef>
#include <type_traits>
#include <vector>

#include "gradus/tensor/allocator.h"
#include "gradus/tensor/error.h"

namespace gradus {

/// A standard allocator over cpu_allocator() as it was where the container was made: a container
/// made inside a MemoryScope must be gone before it ends, as tensors must.
template <class T>
struct Pooled {
  using value_type = T;
  using propagate_on_container_move_assignment = std::true_type;
  using propagate_on_container_swap = std::true_type;

  Pooled() : memory(&cpu_allocator()) {}
  template <class U>
  Pooled(const Pooled<U>& other) noexcept : memory(other.memory) {}
  Pooled select_on_container_copy_construction() const { return {}; }

  T* allocate(std::size_t n) {
    static_assert(alignof(T) <= 64);
    std::size_t bytes = 0;
    check(!__builtin_mul_overflow(n, sizeof(T), &bytes), ErrorKind::memory,
          "cpu: out of memory for ", n, " elements");
    return static_cast<T*>(memory->allocate(bytes));
  }
  void deallocate(T* p, std::size_t n) noexcept { memory->deallocate(p, n * sizeof(T)); }
  template <class U>
  bool operator==(const Pooled<U>& other) const {
    return memory == other.memory;
  }

  Allocator* memory;
};

template <class T>
using PooledVector = std::vector<T, Pooled<T>>;

}  // namespace gradus
