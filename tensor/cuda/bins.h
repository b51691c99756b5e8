// The free blocks of a device, found by size in constant time: two-level segregated fit (Masmano,
// Ripoll, Crespo and Real, "TLSF: a new dynamic memory allocator for real-time systems", ECRTS
// 2004). A bin holds the sizes between 2^i (1 + j / 16) and the next; two bitmaps say which bins
// are not empty. Blocks are cut where they are too large, and joined with free neighbours. The
// bookkeeping is on the host: the host cannot write what a Block describes.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>

namespace gradus::cuda {

struct Bins;

/// A part of a segment, which is what the runtime gave at once.
struct Block {
  char* p = nullptr;
  std::size_t bytes = 0;
  Bins* home = nullptr;
  Block *before = nullptr, *after = nullptr;   // neighbours in the segment
  Block *previous = nullptr, *next = nullptr;  // in the list of its bin, while free
  bool used = false;
  bool is_whole_segment() const { return before == nullptr && after == nullptr; }
};

struct Bins {
  static constexpr int fine = 4;  // 2^4 bins between powers of two: at most 1/16 of a block is lost
  std::uint64_t coarse_map = 0;
  std::uint32_t fine_map[64] = {};
  Block* lists[64][1 << fine] = {};

  void insert(Block* b) {
    const At at = place(b->bytes);
    b->used = false;
    b->previous = nullptr;
    b->next = lists[at.i][at.j];
    if (b->next != nullptr) b->next->previous = b;
    lists[at.i][at.j] = b;
    coarse_map |= std::uint64_t{1} << at.i;
    fine_map[at.i] |= 1u << at.j;
  }

  void remove(Block* b) {
    const At at = place(b->bytes);
    if (b->next != nullptr) b->next->previous = b->previous;
    if (b->previous != nullptr) {
      b->previous->next = b->next;
      return;
    }
    lists[at.i][at.j] = b->next;
    if (b->next != nullptr) return;
    fine_map[at.i] &= ~(1u << at.j);
    if (fine_map[at.i] == 0) coarse_map &= ~(std::uint64_t{1} << at.i);
  }

  /// A free block of at least `bytes`, out of its list; null if there is none.
  Block* take(std::size_t bytes) {
    // Rounded up to where a bin begins: every block of that bin is large enough.
    const int i = std::bit_width(bytes) - 1;
    At at = place(bytes + (std::size_t{1} << (i - fine)) - 1);
    std::uint32_t fitting = fine_map[at.i] & (~0u << at.j);
    if (fitting == 0) {
      const std::uint64_t larger = at.i == 63 ? 0 : coarse_map & (~std::uint64_t{0} << (at.i + 1));
      if (larger == 0) return nullptr;
      at.i = std::countr_zero(larger);
      fitting = fine_map[at.i];
    }
    Block* b = lists[at.i][std::countr_zero(fitting)];
    remove(b);
    return b;
  }

 private:
  struct At {
    int i, j;
  };
  static At place(std::size_t bytes) {
    const int i = std::bit_width(bytes) - 1;
    return {i, static_cast<int>(bytes >> (i - fine)) & ((1 << fine) - 1)};
  }
};

}  // namespace gradus::cuda
