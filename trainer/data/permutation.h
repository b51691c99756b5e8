// A random order of n things without storing it: place -> thing, and resuming anywhere costs
// nothing.
#pragma once

#include <bit>
#include <cstdint>

namespace gradus::trainer {

/// A bijection of [0, n), decided by (seed, epoch). A balanced Feistel network over the next even
/// power of two, with cycle walking: values outside [0, n) are mapped again until they fall inside
/// (on average less than four rounds). Source: Black and Rogaway, "Ciphers with arbitrary finite
/// domains", 2002.
class Permutation {
 public:
  Permutation(std::int64_t n, std::uint64_t seed, std::uint64_t epoch)
      : n_(static_cast<std::uint64_t>(n)), seed_(seed), epoch_(epoch) {
    const int bits = n > 1 ? std::bit_width(n_ - 1) : 1;
    half_ = (bits + 1) / 2;
    mask_ = (std::uint64_t{1} << half_) - 1;
  }

  std::int64_t operator[](std::int64_t place) const {
    std::uint64_t v = static_cast<std::uint64_t>(place);
    do {
      std::uint64_t left = v >> half_, right = v & mask_;
      for (std::uint64_t round = 0; round < 6; ++round) {
        const std::uint64_t next = left ^ (mix(right, round) & mask_);
        left = right;
        right = next;
      }
      v = left << half_ | right;
    } while (v >= n_);
    return static_cast<std::int64_t>(v);
  }

 private:
  /// splitmix64's finaliser over everything the round may depend on.
  std::uint64_t mix(std::uint64_t right, std::uint64_t round) const {
    std::uint64_t z = seed_ * 0x9e3779b97f4a7c15u + epoch_ * 0xd1b54a32d192ed03u +
                      round * 0x8cb92ba72f3d8dd7u + right;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
  }
  std::uint64_t n_, seed_, epoch_, mask_;
  int half_;
};

}  // namespace gradus::trainer
