// A size for both sides of an image.
#pragma once

#include <cstdint>

namespace gradus {

/// {height, width}; a single number means both.
struct Pair {
  std::int64_t h, w;
  constexpr Pair(std::int64_t both) : h(both), w(both) {}
  constexpr Pair(int both) : h(both), w(both) {}
  constexpr Pair(std::int64_t h, std::int64_t w) : h(h), w(w) {}
};

}  // namespace gradus
