// sin, cos, tan and their inverses. The reduction modulo pi / 2 is exact for every finite float and
// without table, branch or second path, so that loops vectorise.
#pragma once

#include "gradus/kernels/math/exp_log.h"

namespace gradus::math {

/// x = r + n pi / 2 modulo whole turns, |r| <= pi / 4; the low two bits of `quadrant` are n mod 4.
struct TrigParts {
  double r;
  std::uint32_t quadrant;
};

/// x (2 / pi), less the multiples of 4, to an integer and a fraction. A float of 2^51 or more is a
/// multiple of 2^28, so the first 26 bits of 2 / pi contribute multiples of 4 only; from 2^77 the
/// first 52, from 2^103 the first 78. What is left of 2 / pi, in parts of 29, 29 and 53 bits, times
/// x is below 2^51 in each of the four ranges; the products with the first two parts are exact.
GRADUS_MATH TrigParts trig_parts(float x) {
  const float a = abs(x);
  const bool b = a >= 0x1p51f, c = a >= 0x1p77f, d = a >= 0x1p103f;
  const double hi =
      d ? -0x1.505c158000000p-81
        : (c ? 0x1.4a7f09e000000p-54 : (b ? -0x1.1b1bbea000000p-28 : 0x1.45f306e000000p-1));
  const double mid =
      d ? -0x1.6447e4a000000p-109
        : (c ? -0x1.4170566000000p-83 : (b ? -0x1.ac07b16000000p-57 : -0x1.b1bbeac000000p-32));
  const double low =
      d ? 0x1.8a5664f10e410p-138
        : (c ? 0x1.bb81b6c52b328p-113 : (b ? 0x1.f47d4d377036ep-86 : -0x1.603d8a82e0acbp-60));
  constexpr double round = 0x1.8p52;
  const double v = x, t = v * hi, n = t + round;
  const double u = fma(v, mid, t - (n - round)), m = u + round;
  const double f = fma(v, low, u - (m - round));
  return {f * 0x1.921fb54442d18p+0, static_cast<std::uint32_t>(bits(n) + bits(m))};
}

/// sin and cos of |r| <= pi / 4, to 2^-37.
GRADUS_MATH double sin_near_zero(double r) {
  const double s = r * r;
  const double q = polynomial(s, -0x1.5555554c68a4fp-3, 0x1.11110863b27b3p-7,
                              -0x1.a00f79c27b2c2p-13, 0x1.6cd0a7d71c542p-19);
  return fma(r * s, q, r);
}
GRADUS_MATH double cos_near_zero(double r) {
  const double s = r * r;
  const double q = polynomial(s, 0x1.5555554f48bbdp-5, -0x1.6c16b892b8777p-10,
                              0x1.a0111c15c8132p-16, -0x1.2429fc00dac84p-22);
  return fma(s * s, q, fma(s, -0.5, 1.0));
}

GRADUS_MATH float sin(float x) {
  const TrigParts t = trig_parts(x);
  const double s = sin_near_zero(t.r), c = cos_near_zero(t.r), y = t.quadrant & 1u ? c : s;
  const float z = static_cast<float>(t.quadrant & 2u ? -y : y);
  return x == 0.0f ? x : z;
}
GRADUS_MATH float cos(float x) {
  const TrigParts t = trig_parts(x);
  const double s = sin_near_zero(t.r), c = cos_near_zero(t.r), y = t.quadrant & 1u ? s : c;
  return static_cast<float>((t.quadrant + 1u) & 2u ? -y : y);
}
GRADUS_MATH float tan(float x) {
  const TrigParts t = trig_parts(x);
  const double s = sin_near_zero(t.r), c = cos_near_zero(t.r);
  const bool odd = t.quadrant & 1u;
  const float z = static_cast<float>((odd ? -c : s) / (odd ? s : c));
  return x == 0.0f ? x : z;
}

/// x + x^3 P(x^2), |x| <= 1 / 2.
GRADUS_MATH float asin_near_zero(float x) {
  const float t = x * x;
  const float q = polynomial(t, 0x1.555526p-3f, 0x1.334932p-4f, 0x1.6a59a6p-5f, 0x1.169d94p-5f,
                             0x1.b9e734p-8f, 0x1.84fbf4p-5f);
  return fma(x * t, q, x);
}
/// Beyond 0.56: pi / 2 - 2 asin(sqrt((1 - |x|) / 2)); the square root of a negative is the NaN.
GRADUS_MATH float asin(float x) {
  const float a = abs(x), h = asin_near_zero(a < 0.56f ? a : sqrt(fma(a, -0.5f, 0.5f)));
  const float y = a < 0.56f ? h : 0x1.921fb6p+0f - fma(2.0f, h, 0x1.777a5cp-25f);
  return with_sign(abs(y), x);
}
GRADUS_MATH float acos(float x) {
  const float a = abs(x), h = asin_near_zero(a < 0.56f ? a : sqrt(fma(a, -0.5f, 0.5f)));
  const float near = x < 0.0f ? -h : h;
  const float middle = 0x1.921fb6p+0f - (near + 0x1.777a5cp-25f);
  const float far = x < 0.0f ? 0x1.921fb6p+1f - fma(2.0f, h, 0x1.777a5cp-24f) : 2.0f * h;
  return a < 0.56f ? middle : far;
}

/// x + x^3 P(x^2), |x| <= 1.
template <class T>
GRADUS_MATH T atan_near_zero(T x) {
  const T t = x * x;
  const T q = polynomial(t, T(-0x1.55553ep-2), T(0x1.9991e6p-3), T(-0x1.2420b6p-3),
                         T(0x1.c08f64p-4), T(-0x1.58155ep-4), T(0x1.da5ed4p-5), T(-0x1.fdfc1cp-6),
                         T(0x1.64c1cep-7), T(-0x1.d4984ap-10));
  return fma(x * t, q, x);
}
GRADUS_MATH float atan(float x) {
  const float a = abs(x), h = atan_near_zero(a > 1.0f ? 1.0f / a : a);
  return with_sign(a > 1.0f ? 0x1.921fb6p+0f - (h + 0x1.777a5cp-25f) : h, x);
}
/// The angle of (x, y), in double: from the smaller over the larger, at most pi / 4, unfolded.
GRADUS_MATH float atan2(float y, float x) {
  const float ax = abs(x), ay = abs(y);
  const bool steep = ay > ax;
  const float small = steep ? ax : ay, large = steep ? ay : ax;
  const double n = small == kInf ? 1.0 : small;  // both infinite: a diagonal
  const double d = small == kInf ? 1.0 : (large == 0.0f ? 1.0 : large);
  const double h = atan_near_zero(n / d), half_turn = 0x1.921fb54442d18p+1;
  const double quarter = steep ? 0.5 * half_turn - h : h;
  const float z = static_cast<float>(bits(x) >> 31 ? half_turn - quarter : quarter);
  return ((x != x) | (y != y)) ? x + y : with_sign(z, y);
}

GRADUS_MATH double sin(double x) { return libm::sin(x); }
GRADUS_MATH double cos(double x) { return libm::cos(x); }
GRADUS_MATH double tan(double x) { return libm::tan(x); }
GRADUS_MATH double asin(double x) { return libm::asin(x); }
GRADUS_MATH double acos(double x) { return libm::acos(x); }
GRADUS_MATH double atan(double x) { return libm::atan(x); }
GRADUS_MATH double atan2(double y, double x) { return libm::atan2(y, x); }

}  // namespace gradus::math
