// sinh, cosh, pow, hypot, fmod and remainder.
#pragma once

#include "gradus/kernels/math/exp_log.h"

namespace gradus::math {

/// x + x^3 P(x^2) below 1, else e^|x| / 2 - e^-|x| / 2; the half goes into the exponent, because
/// e^|x| alone overflows first.
GRADUS_MATH float sinh(float x) {
  const float b = abs(x), a = b > 90.0f ? 90.0f : b, t = a * a;
  const float q = polynomial(t, 0x1.555556p-3f, 0x1.1110ep-7f, 0x1.a022bcp-13f, 0x1.756c1ep-19f);
  const ExpParts e = exp_parts(a);
  const float y = scale(1.0f + e.p, e.k - 1u);
  return with_sign(a < 1.0f ? fma(a * t, q, a) : y - 0.25f / y, x);
}
GRADUS_MATH float cosh(float x) {
  const float b = abs(x);
  const ExpParts e = exp_parts(b > 90.0f ? 90.0f : b);
  const float y = scale(1.0f + e.p, e.k - 1u);
  return y + 0.25f / y;
}
GRADUS_MATH double sinh(double x) { return libm::sinh(x); }
GRADUS_MATH double cosh(double x) { return libm::cosh(x); }

/// log2 of a >= 0 in double, to 2^-41.
GRADUS_MATH double log2_wide(float a) {
  const LogParts parts = log_parts(a);
  const double f = parts.f, s = f / (2.0 + f);
  const double q =
      polynomial(s * s, 0x1.71547652b7e93p+1, 0x1.ec709dcb586e6p-1, 0x1.2776bc51d06b3p-1,
                 0x1.a61e9bf1b1423p-2, 0x1.46f2fe36f9faep-2, 0x1.29cb7c0a61a9ep-2);
  const double y = fma(s, q, static_cast<double>(parts.k));
  const double inf = kInf;
  return a == 0.0f ? -inf : (a < kInf ? y : inf);
}

/// x^y = 2^(y log2 |x|) with the exponent in double; signs and special cases as in C.
GRADUS_MATH float pow(float x, float y) {
  const float a = abs(x);
  const double t = a == 1.0f ? 0.0 : static_cast<double>(y) * log2_wide(a);
  // Out of range: 2^-1023 comes out as exactly 0 below, 2^200 overflows on its way to float.
  const double c = t < -150.0 ? -1023.0 : (t > 200.0 ? 200.0 : t);
  const double shifted = c + 0x1.8p52, r = c - (shifted - 0x1.8p52);
  const double p = polynomial(r, 0x1.62e43p-1, 0x1.ebfbep-3, 0x1.c6b074p-5, 0x1.3b2a6p-7,
                              0x1.5d9cdcp-10, 0x1.440a26p-13, 0x1.ec44cep-17);
  const double scale = from_bits((bits(shifted) - bits(0x1.8p52) + 1023u) << 52);
  const float size = static_cast<float>(fma(r, p, 1.0) * scale);
  const float half = 0.5f * y;
  const bool whole = trunc(y) == y, odd = whole & (trunc(half) != half);
  const float signed_size = odd ? with_sign(size, x) : size;
  const bool undefined = (x < 0.0f) & (a < kInf) & !whole;
  const float z = (undefined | (x != x) | (y != y)) ? kNaN : signed_size;
  return ((y == 0.0f) | (x == 1.0f)) ? 1.0f : z;
}
GRADUS_MATH double pow(double x, double y) { return libm::pow(x, y); }

GRADUS_MATH float hypot(float x, float y) {
  const double a = x, b = y;
  const float r = static_cast<float>(libm::sqrt(fma(a, a, b * b)));
  return abs(x) == kInf ? kInf : (abs(y) == kInf ? kInf : r);
}
GRADUS_MATH double hypot(double x, double y) { return libm::hypot(x, y); }

/// |r| b-multiples further: r - trunc(r / b) b, exact because the difference has 24 bits, and at
/// least 2^52 times smaller than r while r / b is larger than that.
GRADUS_MATH double fmod_step(double r, double b) { return fma(-libm::trunc(r / b), b, r); }

/// C's fmod: x - n y with n toward zero, the sign of x. |x / y| < 2^277, so six steps reach the
/// end; a quotient that was rounded up leaves a negative rest.
GRADUS_MATH float fmod(float x, float y) {
  const double a = abs(x), b = abs(y);
  const double far = fmod_step(fmod_step(fmod_step(fmod_step(fmod_step(a, b), b), b), b), b);
  const double r = fmod_step(far, b), z = r < 0.0 ? r + b : r;
  const float size = static_cast<float>(z >= b ? z - b : z);
  const float limit = abs(x) < kInf ? x : kNaN;  // for an infinite y
  return abs(y) == kInf ? limit : with_sign(size, x);
}
GRADUS_MATH double fmod(double x, double y) { return libm::fmod(x, y); }

/// Python's and PyTorch's %: x - n y with n toward minus infinity, the sign of y.
template <class T>
GRADUS_MATH T remainder(T x, T y) {
  const T r = fmod(x, y);
  return ((r != T(0)) & ((r < T(0)) != (y < T(0)))) ? r + y : r;
}

}  // namespace gradus::math
