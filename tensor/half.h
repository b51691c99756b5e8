// bf16 and f16: two-byte storage types. Arithmetic is in float; these only convert.
#pragma once

#include <cstdint>

#if defined(__CUDACC__)
#define GRADUS_HD __host__ __device__
#else
#define GRADUS_HD
#endif

namespace gradus {

/// The upper half of a float: 8 exponent bits, 7 fraction bits. Rounds to nearest even.
struct bf16 {
  std::uint16_t bits;
  bf16() = default;
  GRADUS_HD constexpr bf16(float v) : bits(round(__builtin_bit_cast(std::uint32_t, v))) {}
  GRADUS_HD constexpr operator float() const {
    return __builtin_bit_cast(float, static_cast<std::uint32_t>(bits) << 16);
  }

 private:
  GRADUS_HD static constexpr std::uint16_t round(std::uint32_t u) {
    const std::uint32_t nan = (u & 0x7fffffffu) > 0x7f800000u;
    const std::uint32_t up = (u + 0x7fffu + ((u >> 16) & 1u)) >> 16;
    return static_cast<std::uint16_t>(nan ? ((u >> 16) | 0x40u) : up);
  }
};

/// IEEE binary16: 5 exponent bits, 10 fraction bits. Rounds to nearest even; branch-free, so loops
/// vectorise.
struct f16 {
  std::uint16_t bits;
  f16() = default;
  GRADUS_HD constexpr f16(float v) : bits(round(v)) {}
  GRADUS_HD constexpr operator float() const {
    const std::uint32_t sign = static_cast<std::uint32_t>(bits & 0x8000u) << 16;
    const std::uint32_t shifted = static_cast<std::uint32_t>(bits & 0x7fffu) << 13;
    // Normal numbers: rebias the exponent by multiplying with 2^112 (exact, subnormals included).
    const float scaled = __builtin_bit_cast(float, shifted) * 0x1p112f;
    const std::uint32_t special = shifted | 0x7f800000u;  // inf and nan keep their fraction
    const std::uint32_t magnitude =
        shifted >= 0x0f800000u ? special : __builtin_bit_cast(std::uint32_t, scaled);
    return __builtin_bit_cast(float, sign | magnitude);
  }

 private:
  GRADUS_HD static constexpr std::uint16_t round(float v) {
    const std::uint32_t u = __builtin_bit_cast(std::uint32_t, v);
    const std::uint32_t sign = (u >> 16) & 0x8000u, a = u & 0x7fffffffu;
    // Subnormal halves: adding 0.5 aligns the last kept bit, and the addition itself rounds to
    // even.
    const float tiny = __builtin_bit_cast(float, a) + 0.5f;
    const std::uint32_t low = __builtin_bit_cast(std::uint32_t, tiny) - 0x3f000000u;
    const std::uint32_t normal = (a - 0x38000000u + 0xfffu + ((a >> 13) & 1u)) >> 13;
    const std::uint32_t over = a > 0x7f800000u ? 0x7e00u : 0x7c00u;
    const std::uint32_t h = a >= 0x477ff000u ? over : (a < 0x38800000u ? low : normal);
    return static_cast<std::uint16_t>(sign | h);
  }
};

}  // namespace gradus
