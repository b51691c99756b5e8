// Contract: an f32 master weight as two halves of 16 bits. The upper one is the bf16 parameter that
// the forward reads, the lower one a remainder that only the optimizer knows: 4 bytes a parameter
// where a master of its own makes 6, and not a bit lost.
//
//   low       = (bits + 0x8000) >> 16, the nearest bf16; halfway cases go away from zero
//   remainder = bits mod 2^16; where it is 0x8000 or more, `low` was rounded up
//
// Halfway cases do not go to the even neighbour, as in a cast: an even bf16 is the nearest of
// 65,537 floats then, one more than 16 bits tell apart. A NaN stays one, and quiet.
#pragma once

#include <cstdint>

#include "gradus/tensor/dispatch.h"
#include "gradus/tensor/half.h"
#include "gradus/tensor/tensor.h"

namespace gradus {

struct SplitFloat {
  bf16 low;
  std::uint16_t remainder;
};

GRADUS_HD inline SplitFloat split_float(float v) {
  const std::uint32_t u = __builtin_bit_cast(std::uint32_t, v);
  const bool nan = (u & 0x7fffffffu) > 0x7f800000u;
  SplitFloat s;
  s.low.bits = static_cast<std::uint16_t>(nan ? (u >> 16) | 0x40u : (u + 0x8000u) >> 16);
  s.remainder = static_cast<std::uint16_t>(u);
  return s;
}

GRADUS_HD inline float join_float(bf16 low, std::uint16_t remainder) {
  const std::uint32_t upper = low.bits, lower = remainder;
  const bool nan = (upper & 0x7fffu) > 0x7f80u;
  const std::uint32_t was_up = nan ? 0u : lower >> 15;
  return __builtin_bit_cast(float, (upper - was_up) << 16 | lower);
}

namespace cpu {
// All contiguous. master: (n elements) f32, low: the same bf16, remainder: (2 n) u8, aligned to 2.
void split_master(const Tensor& master, const Tensor& low, const Tensor& remainder);
void join_master(const Tensor& low, const Tensor& remainder, const Tensor& master);
}  // namespace cpu

namespace cuda {
void split_master(const Tensor& master, const Tensor& low, const Tensor& remainder);
void join_master(const Tensor& low, const Tensor& remainder, const Tensor& master);
}  // namespace cuda

}  // namespace gradus
