// From random words to values: one source for the CPU's loops and the CUDA kernels, so that both
// draw the same numbers.
#pragma once

#include <cmath>

#include "gradus/kernels/math.h"
#include "gradus/kernels/math/erfinv.h"
#include "gradus/tensor/dtype.h"

namespace gradus::random {

using Word = std::uint32_t;

GRADUS_MATH std::uint64_t join(Word high, Word low) { return std::uint64_t{high} << 32 | low; }

/// The words' leading bits as a number on [0, 1), exact with `digits` binary digits.
template <int digits>
GRADUS_MATH float unit(Word w) {
  return static_cast<float>(static_cast<std::int32_t>(w >> (32 - digits))) *
         (1.0f / static_cast<float>(1 << digits));
}
GRADUS_MATH double unit(std::uint64_t bits) { return static_cast<double>(bits >> 11) * 0x1p-53; }

template <class T>
constexpr int digits_of = std::is_same_v<T, bf16>  ? 8
                          : std::is_same_v<T, f16> ? 11
                                                   : 24;

/// Values of 64 bits take a second block of words.
template <class T>
constexpr bool is_wide = std::is_same_v<T, double>;

template <class C>
struct Pair {
  C x, y;
};

/// Two normal values: radius sqrt(-2 log u), u on (0, 1]; the angle is a quadrant (two bits) and an
/// offset on [-pi/4, pi/4).
GRADUS_MATH Pair<float> normal_pair(Word a, Word b) {
  const float u = math::fma(static_cast<float>(a), 0x1p-32f, 0x1p-33f);
  const float r = math::sqrt(-2.0f * math::log(u));
  const double t = static_cast<double>(static_cast<std::int32_t>(b & 0x3fffffffu));
  const double angle = math::fma(t, 0x1.921fb54442d18p-30, -0x1.921fb54442d18p-1);
  const float s = static_cast<float>(math::sin_near_zero(angle));
  const float c = static_cast<float>(math::cos_near_zero(angle));
  const Word odd = b & 0x40000000u, minus = b & 0x80000000u;
  const float x = odd != 0 ? -s : c, y = odd != 0 ? c : s;
  return {r * math::from_bits(math::bits(x) ^ minus), r * math::from_bits(math::bits(y) ^ minus)};
}
GRADUS_HD inline Pair<double> normal_pair(std::uint64_t a, std::uint64_t b) {
  const double r = std::sqrt(-2 * std::log(unit(a) + 0x1p-54));
  const double angle = unit(b) * 0x1.921fb54442d18p+2;
  return {r * std::cos(angle), r * std::sin(angle)};
}

// One value from the words w (and s, where values are wide).

template <class T>
struct Uniform {
  using C = compute_t<T>;
  C from, width, top;
  Uniform(double low, double high) : from(C(low)), width(C(high) - C(low)), top(C(T(C(high)))) {}
  GRADUS_MATH T operator()(Word w, Word s) const {
    C u;
    if constexpr (is_wide<T>)
      u = unit(join(w, s));
    else
      u = unit<digits_of<T>>(w);
    const T v = T(from + u * width);
    return C(v) < top ? v : T(from);  // rounding may reach `high`
  }
};

template <class T>
struct TruncNormal {
  using C = compute_t<T>;
  C low, width, mean, scale, least, most;
  TruncNormal(double m, double deviation, double from, double to) : least(C(from)), most(C(to)) {
    // erf takes the distribution to a uniform one; erfinv takes uniform values back.
    const double root = deviation * std::sqrt(2.0);
    const double a = std::erf((from - m) / root), b = std::erf((to - m) / root);
    low = C(a);
    width = C(b - a);
    mean = C(m);
    scale = C(root);
  }
  GRADUS_MATH C operator()(Word w, Word s) const {
    C u;
    if constexpr (is_wide<T>)
      u = unit(join(w, s));
    else
      u = unit<24>(w);
    return math::clamp(mean + scale * math::erfinv(low + u * width), least, most);
  }
};

/// The upper half of the product of two 64-bit numbers.
GRADUS_MATH std::uint64_t multiply_high(std::uint64_t a, std::uint64_t b) {
#if defined(__CUDA_ARCH__)
  return __umul64hi(a, b);
#else
  __extension__ using Wide = unsigned __int128;
  return static_cast<std::uint64_t>(Wide{a} * b >> 64);
#endif
}

template <class T>
struct Integers {
  std::int64_t low;
  std::uint64_t range;
  GRADUS_MATH T operator()(Word w, Word s) const {
    const std::uint64_t v = multiply_high(join(w, s), range);
    return T(compute_t<T>(static_cast<std::int64_t>(static_cast<std::uint64_t>(low) + v)));
  }
};

/// Dropout keeps an element whose word is not below this.
inline Word dropout_threshold(double p) {
  const double t = std::nearbyint(p * 0x1p32);
  return static_cast<Word>(t < 0x1p32 ? t : 0x1p32 - 1);
}

}  // namespace gradus::random
