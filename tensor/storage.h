// The memory behind one or more tensors: who owns it, how often it was written, its low-precision
// copy.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>

#include "gradus/tensor/allocator.h"
#include "gradus/tensor/ref.h"

namespace gradus {

struct TensorBody;

struct Storage {
  std::atomic<std::int32_t> references{1};
  Device device = Device::cpu();
  /// A recorded view of this memory exists: writing it in place would leave that view's history
  /// wrong.
  bool recorded_view = false;
  void* data = nullptr;
  std::size_t bytes = 0;
  Allocator* allocator = nullptr;  // owner of `data`; null for foreign memory
  Allocator* self = nullptr;       // owner of this struct
  std::function<void()>* release_foreign = nullptr;
  std::atomic<std::uint64_t> version{
      0};                            // counts in-place writes: a saved tensor must not have changed
  Storage* shadow = nullptr;         // the same elements in a half type, same offsets; or null
  std::uint64_t shadow_version = 0;  // `version` when the shadow was made
  Dtype shadow_dtype{};              // bf16 or f16
};

void destroy(Storage* storage) noexcept;
inline void retain(Storage* s) noexcept { s->references.fetch_add(1, std::memory_order_relaxed); }
inline void release(Storage* s) noexcept {
  if (let_go(s->references)) destroy(s);
}

/// New memory of `bytes` bytes, uninitialised.
Ref<Storage> make_storage(std::size_t bytes, Device device);
/// Foreign memory: `release_foreign`, if any, is called when the last tensor lets go.
Ref<Storage> wrap_storage(void* data, std::size_t bytes, Device device,
                          std::function<void()> release_foreign);

}  // namespace gradus
