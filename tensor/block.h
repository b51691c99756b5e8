// A small CPU tensor that is made with its memory is one block: its Storage, its body, its data.
// One allocation where there were two, and the three are read together. Private to tensor/.
#pragma once

#include <cstddef>

#include "gradus/tensor/tensor.h"

namespace gradus::block {

constexpr std::size_t rounded(std::size_t bytes) { return (bytes + 63) / 64 * 64; }

// Where data begin behind their Storage, without and with a body between. Beyond `most_inside`
// bytes data have a block of their own: behind a header they would fall into a larger size class.
constexpr std::size_t header = rounded(sizeof(Storage));
constexpr std::size_t header_with_body = rounded(sizeof(Storage) + sizeof(TensorBody));
constexpr std::size_t most_inside = 4096;
static_assert(sizeof(Storage) % alignof(TensorBody) == 0);

/// True if a CPU storage of this many bytes is one block with its data.
constexpr bool holds(std::size_t bytes) { return bytes > 0 && bytes <= most_inside; }

/// A Storage whose data lie `before` bytes behind its start.
Ref<Storage> make(std::size_t before, std::size_t bytes, Device device, Allocator& host);

inline void* body_of(Storage* s) { return s + 1; }
inline Storage* storage_before(void* body) { return static_cast<Storage*>(body) - 1; }

}  // namespace gradus::block
