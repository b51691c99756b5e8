// The vocabulary of kernels/math: float bits, selects, signs, NaN-propagating extremes, rounding.
// Everything is a select on values, never a branch, so that loops over these functions vectorise.
#pragma once

#include <cstdint>

#include "gradus/kernels/math/libm.h"
#include "gradus/tensor/half.h"

namespace gradus::math {

GRADUS_MATH std::uint32_t bits(float x) { return __builtin_bit_cast(std::uint32_t, x); }
GRADUS_MATH std::uint64_t bits(double x) { return __builtin_bit_cast(std::uint64_t, x); }
GRADUS_MATH float from_bits(std::uint32_t u) { return __builtin_bit_cast(float, u); }
GRADUS_MATH double from_bits(std::uint64_t u) { return __builtin_bit_cast(double, u); }

GRADUS_MATH float fma(float a, float b, float c) { return libm::fma(a, b, c); }
GRADUS_MATH double fma(double a, double b, double c) { return libm::fma(a, b, c); }

GRADUS_MATH float abs(float x) { return from_bits(bits(x) & 0x7fffffffu); }
GRADUS_MATH double abs(double x) { return from_bits(bits(x) & 0x7fffffffffffffffu); }

/// `magnitude` (not negative) with the sign of x: also gives -0 and keeps NaN.
GRADUS_MATH float with_sign(float magnitude, float x) {
  return from_bits(bits(magnitude) | (bits(x) & 0x80000000u));
}
GRADUS_MATH double with_sign(double magnitude, double x) {
  return from_bits(bits(magnitude) | (bits(x) & 0x8000000000000000u));
}

/// c[0] + c[1] x + ... by Horner's rule, one fused multiply-add a coefficient.
template <class T>
GRADUS_MATH T polynomial(T, T c0) {
  return c0;
}
template <class T, class... Rest>
GRADUS_MATH T polynomial(T x, T c0, Rest... rest) {
  return fma(x, polynomial(x, rest...), c0);
}

/// 1, -1, or x itself where x is a zero or NaN.
template <class T>
GRADUS_MATH T sign(T x) {
  return x > T(0) ? T(1) : (x < T(0) ? T(-1) : x);
}

/// The larger, NaN if either is NaN (std::fmax drops it, and stops g++ from vectorising).
template <class T>
GRADUS_MATH T max(T a, T b) {
  return ((a > b) | (a != a)) ? a : b;
}
template <class T>
GRADUS_MATH T min(T a, T b) {
  return ((a < b) | (a != a)) ? a : b;
}

/// x held inside [lo, hi]; NaN stays NaN.
template <class T>
GRADUS_MATH T clamp(T x, T lo, T hi) {
  const T y = x < lo ? lo : x;
  return y > hi ? hi : y;
}

/// To the nearest integer, ties to even: adding 2^23 leaves no fraction bits, the adder rounds.
GRADUS_MATH float round(float x) {
  const float a = abs(x), r = (a + 0x1p23f) - 0x1p23f;
  return with_sign(a < 0x1p23f ? r : a, x);
}
GRADUS_MATH double round(double x) {
  const double a = abs(x), r = (a + 0x1p52) - 0x1p52;
  return with_sign(a < 0x1p52 ? r : a, x);
}

template <class T>
GRADUS_MATH T trunc(T x) {
  const T a = abs(x), r = abs(round(a));
  return with_sign(r > a ? r - T(1) : r, x);
}
template <class T>
GRADUS_MATH T floor(T x) {
  const T r = round(x), y = r > x ? r - T(1) : r;
  return with_sign(abs(y), x);
}
template <class T>
GRADUS_MATH T ceil(T x) {
  const T r = round(x), y = r < x ? r + T(1) : r;
  return with_sign(abs(y), x);
}

GRADUS_MATH float sqrt(float x) { return libm::sqrt(x); }
GRADUS_MATH double sqrt(double x) { return libm::sqrt(x); }
GRADUS_MATH float rsqrt(float x) { return 1.0f / libm::sqrt(x); }
GRADUS_MATH double rsqrt(double x) { return 1.0 / libm::sqrt(x); }

}  // namespace gradus::math
