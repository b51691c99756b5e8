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
GRADUS_MATH double sinh(double x) { return std::sinh(x); }
GRADUS_MATH double cosh(double x) { return std::cosh(x); }

GRADUS_MATH float pow(float x, float y) { return std::pow(x, y); }
GRADUS_MATH double pow(double x, double y) { return std::pow(x, y); }

GRADUS_MATH float hypot(float x, float y) {
  const double a = x, b = y;
  const float r = static_cast<float>(std::sqrt(fma(a, a, b * b)));
  return (abs(x) == kInf) | (abs(y) == kInf) ? kInf : r;
}
GRADUS_MATH double hypot(double x, double y) { return std::hypot(x, y); }

/// C's fmod: x - n y with n toward zero, the sign of x.
GRADUS_MATH float fmod(float x, float y) { return std::fmod(x, y); }
GRADUS_MATH double fmod(double x, double y) { return std::fmod(x, y); }

/// Python's and PyTorch's %: x - n y with n toward minus infinity, the sign of y.
template <class T>
GRADUS_MATH T remainder(T x, T y) {
  const T r = fmod(x, y);
  return (r != T(0)) & ((r < T(0)) != (y < T(0))) ? r + y : r;
}

}  // namespace gradus::math
