// A size for both sides of an image, or for the three of a volume.
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

/// {depth, height, width}; a single number means all three.
struct Triple {
  std::int64_t d, h, w;
  constexpr Triple(std::int64_t all) : d(all), h(all), w(all) {}
  constexpr Triple(int all) : d(all), h(all), w(all) {}
  constexpr Triple(std::int64_t d, std::int64_t h, std::int64_t w) : d(d), h(h), w(w) {}
};

}  // namespace gradus
