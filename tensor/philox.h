// Philox 4x32-10: a counter-based generator. Salmon, Moraes, Dror and Shaw, "Parallel random
// numbers: as easy as 1, 2, 3", SC 2011. Random bits are a function of a 64-bit key and a 128-bit
// counter: no state to keep, to save or to hand from thread to thread.
#pragma once

#include <cstdint>

#include "gradus/tensor/half.h"

namespace gradus::philox {

/// Ten rounds over `lanes` counters at once: c[j][i] is word j of counter i, and of result i. The
/// loops over i vectorise; one lane is the scalar form.
template <int lanes>
GRADUS_HD constexpr void rounds(std::uint32_t (&c)[4][lanes], std::uint64_t key) {
  std::uint32_t k0 = static_cast<std::uint32_t>(key), k1 = static_cast<std::uint32_t>(key >> 32);
  for (int round = 0; round < 10; ++round) {
    for (int i = 0; i < lanes; ++i) {
      const std::uint64_t a = std::uint64_t{0xd2511f53u} * c[0][i];
      const std::uint64_t b = std::uint64_t{0xcd9e8d57u} * c[2][i];
      const std::uint32_t c1 = c[1][i], c3 = c[3][i];
      c[0][i] = static_cast<std::uint32_t>(b >> 32) ^ c1 ^ k0;
      c[1][i] = static_cast<std::uint32_t>(b);
      c[2][i] = static_cast<std::uint32_t>(a >> 32) ^ c3 ^ k1;
      c[3][i] = static_cast<std::uint32_t>(a);
    }
    k0 += 0x9e3779b9u;  // golden ratio
    k1 += 0xbb67ae85u;  // sqrt(3) - 1
  }
}

}  // namespace gradus::philox
