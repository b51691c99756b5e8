// The inverse of erf: uniform values to normal ones where a truncated distribution wants that.
// Smooth in w = -log(1 - x^2) (M. Giles, "Approximating the erfinv function", GPU Computing Gems
// Jade, 2011); the coefficients are our own fit (tests/oracle/fit_math.py).
#pragma once

#include "gradus/kernels/math/erf.h"

namespace gradus::math {

/// erfinv(x) / x for w up to 17; beyond, a first guess.
template <class T>
GRADUS_MATH T erfinv_of_w(T w) {
  const T t = w - T(2.5), s = sqrt(w) - T(3);
  const T near = polynomial(t, T(0x1.805c5ep+0), T(0x1.f91ec4p-3), T(-0x1.11ca12p-8),
                            T(-0x1.48a5fap-10), T(0x1.ca6e34p-13), T(-0x1.275046p-18),
                            T(-0x1.d986e8p-19), T(0x1.716860p-22), T(0x1.e98f42p-26));
  const T tail =
      polynomial(s, T(0x1.6a9f02p+1), T(0x1.006dfcp+0), T(0x1.34af1ap-7), T(-0x1.f7a804p-8),
                 T(0x1.7f7f60p-8), T(-0x1.c61d04p-9), T(0x1.1f49a8p-10), T(-0x1.7de120p-14));
  return w < T(5) ? near : tail;
}

/// To 6 ULP; infinite at -1 and 1, NaN beyond.
GRADUS_MATH float erfinv(float x) {
  const float w = -log(fma(-x, x, 1.0f)), c = w < 17.0f ? w : 17.0f;
  const float y = x * erfinv_of_w(c), edge = x / (1.0f - abs(x));  // infinite, or of a wrong sign
  const float z = abs(x) == 1.0f ? edge : y;
  return abs(x) > 1.0f ? kNaN : z;
}

/// Halley's steps on erfc, which keeps the tail: with r = (erfc(y) - q) / erfc'(y) the next y is
/// y - r / (1 + y r).
GRADUS_MATH double erfinv(double x) {
  const double a = abs(x), q = 1 - a;
  if (!(a < 1)) return a == 1 ? x * kInf : 0 * (x * kInf);
  const double w = -libm::log(q * (1 + a));
  double y = a * erfinv_of_w(w < 17 ? w : 17.0);
  if (w > 17) {  // erfc(y) is near e^(-y^2) / (y sqrt(pi))
    for (int step = 0; step < 3; ++step) y = libm::sqrt(-libm::log(q * y * 1.77245385090551602730));
  }
  for (int step = 0; step < 4; ++step) {
    const double error = a < 0.5 ? a - libm::erf(y) : libm::erfc(y) - q;
    const double r = -error * 0.88622692545275801365 * libm::exp(y * y);  // sqrt(pi) / 2
    y -= r / (1 + y * r);
  }
  return with_sign(y, x);
}

}  // namespace gradus::math
