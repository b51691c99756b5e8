// What a reduction joins values with, and from what it starts. max and min give NaN if there is
// one.
#pragma once

#include <limits>

#include "gradus/kernels/math.h"

namespace gradus::fold {

template <class A>
GRADUS_HD constexpr A most() {
  return std::numeric_limits<A>::has_infinity ? std::numeric_limits<A>::infinity()
                                              : std::numeric_limits<A>::max();
}
template <class A>
GRADUS_HD constexpr A least() {
  return std::numeric_limits<A>::has_infinity ? -std::numeric_limits<A>::infinity()
                                              : std::numeric_limits<A>::lowest();
}

struct Sum {
  template <class A>
  GRADUS_HD static A start() {
    return A(0);
  }
  GRADUS_MATH static auto join(auto a, auto b) { return static_cast<decltype(a)>(a + b); }
};
struct Prod {
  template <class A>
  GRADUS_HD static A start() {
    return A(1);
  }
  GRADUS_MATH static auto join(auto a, auto b) { return static_cast<decltype(a)>(a * b); }
};
struct Max {
  template <class A>
  GRADUS_HD static A start() {
    return least<A>();
  }
  GRADUS_MATH static auto join(auto a, auto b) { return math::max(a, b); }
};
struct Min {
  template <class A>
  GRADUS_HD static A start() {
    return most<A>();
  }
  GRADUS_MATH static auto join(auto a, auto b) { return math::min(a, b); }
};

// The tree of a reduction over n elements, the same on every device: pieces of 4096; in a piece of
// one column, lane l of 32 joins elements l, l + 32, ..., then lanes are joined by halves (fewer
// than 32 elements are one chain); in several columns, chains of 128 rows, one after another.
// Pieces are joined as a binary tree.
inline constexpr std::int64_t piece = 4096, block_rows = 128;
inline constexpr int lane_count = 32;

}  // namespace gradus::fold
