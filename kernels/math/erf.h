// erf, erfc and the Gaussian family: gelu in both forms, with derivatives. Tails come from the
// normal distribution function times e^(x^2 / 2), which varies slowly, and a power of two applied
// last.
#pragma once

#include "gradus/kernels/math/activation.h"

namespace gradus::math {

/// x + x P(x^2) below 0.95, else 1 - exp(-P(|x|)).
GRADUS_MATH float erf(float x) {
  const float a = abs(x), c = a > 4.0f ? 4.0f : a;
  const float q = polynomial(c * c, 0x1.06eba8p-3f, -0x1.81274p-2f, 0x1.ce2d5p-4f, -0x1.b7fe9p-6f,
                             0x1.542e1p-8f, -0x1.a50b0ep-11f, 0x1.4c344ep-14f);
  const float t = polynomial(c, -0x1.70d622p-13f, 0x1.212846p+0f, 0x1.444478p-1f, 0x1.bb9204p-4f,
                             -0x1.9bb38cp-6f, 0x1.1193cap-8f, -0x1.c84f6p-12f, 0x1.62f46cp-16f);
  const ExpParts e = exp_parts(-t);
  const float s = power_of_two(e.k);
  return with_sign(c < 0.95f ? fma(c, q, c) : (1.0f - s) - s * e.p, x);
}

/// 2 Q(-a) e^(a^2 / 2) = (1 + s P(s - 1)) / (1 + a) for 0 <= a <= 14.6, Q the normal distribution
/// function, s = 2 a / (a + 4): the correction s P vanishes with a, and its rounding with it. One
/// division serves both quotients.
GRADUS_MATH float normal_tail(float a) {
  const float v = a + 4.0f, w = a + 1.0f, inv = 1.0f / (v * w);
  const float s = 2.0f * a * (w * inv), y0 = v * inv;
  // One step of Newton's for 1 / (1 + a), from a itself because w has been rounded.
  const float y = fma(y0, fma(-a, y0, 1.0f - y0), y0);
  const float p = polynomial(s - 1.0f, -0x1.c9e158p-5f, -0x1.19a09cp-3f, 0x1.52f83ep-3f,
                             -0x1.bba5ap-4f, 0x1.67c66ep-5f, -0x1.076d02p-7f, -0x1.024c98p-9f,
                             0x1.661c12p-10f, 0x1.712e76p-16f, -0x1.2e9fdep-13f);
  return fma(s * p, y, y);
}

/// 1 - erf(x), accurate where it is tiny: 2 Q(-a) with a = |x| sqrt 2; 2 minus that for x < 0.
GRADUS_MATH float erfc(float x) {
  const float c = x < -5.0f ? -5.0f : (x > 10.1f ? 13.268f : x), u = abs(c);
  const float h = -u * u;  // below -176 where erfc is 0, see skip_underflow()
  const ExpParts e = exp_parts(h, fma(-u, u, -h));
  const float r = normal_tail(u * 0x1.6a09e6p+0f), y = scale(fma(r, e.p, r), e.k);
  return x < 0.0f ? 2.0f - y : y;
}

/// The Gaussian at |x|: Q(-|x|) = r e^(-x^2 / 2), and e^(-x^2 / 2) = (1 + p) 2^k.
struct GaussParts {
  float a, r, p;  ///< a = |x|; at most 7 above zero, 18.765 where all is 0, see skip_underflow()
  std::uint32_t k;
};
GRADUS_MATH GaussParts gauss_parts(float x) {
  const float a = abs(x < -14.6f ? -18.765f : (x > 7.0f ? 7.0f : x));
  const float h = -0.5f * a * a;
  const ExpParts e = exp_parts(h, fma(-0.5f * a, a, -h));
  return {a, 0.5f * normal_tail(a), e.p, e.k};
}

/// x Q(x), Q the normal distribution function: x (1 - Q(-x)) above zero, x Q(x) below.
GRADUS_MATH float gelu(float x) {
  const GaussParts g = gauss_parts(x);
  const float c = x < -20.0f ? -20.0f : x;
  const float r = fma(g.r, g.p, g.r), y = scale(x < 0.0f ? c * r : r, g.k);
  return x < 0.0f ? y : c * (1.0f - y);
}
/// Q(x) + x e^(-x^2 / 2) / sqrt(2 pi) = e^(-x^2 / 2) (r - |x| / sqrt(2 pi)) below zero, 1 minus
/// that above.
GRADUS_MATH float gelu_dx(float x) {
  const GaussParts g = gauss_parts(x);
  const float r = fma(g.a, -0x1.988454p-2f, g.r), y = scale(fma(r, g.p, r), g.k);
  return x < 0.0f ? y : 1.0f - y;
}

/// x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))) / 2 = x sigmoid(z), z = x (c0 + c1 x^2). The
/// tail magnifies the rounding of z, so z is formed in double and handed on as two floats.
struct TanhGeluArgument {
  float hi, low;
};
GRADUS_MATH TanhGeluArgument gelu_tanh_argument(float x) {
  const double c = clamp(x, -15.0f, 15.0f);
  const double z = c * fma(c * c, 0x1.2444f2a4d8b4bp-4, 0x1.9884533d43651p+0);
  const float hi = static_cast<float>(z);
  return {hi, static_cast<float>(z - hi)};
}
GRADUS_MATH float gelu_tanh(float x) {
  const TanhGeluArgument z = gelu_tanh_argument(x);
  return times_sigmoid(x, sigmoid_parts(z.hi, z.low));
}
GRADUS_MATH float gelu_tanh_dx(float x) {
  const TanhGeluArgument z = gelu_tanh_argument(x);
  const float c = clamp(x, -15.0f, 15.0f);
  const float dz = fma(c * c, 0x1.b6676cp-3f, 0x1.988454p+0f);
  return times_sigmoid_dx(c * dz, sigmoid_parts(z.hi, z.low));
}

GRADUS_MATH double erf(double x) { return libm::erf(x); }
GRADUS_MATH double erfc(double x) { return libm::erfc(x); }

/// The normal distribution function at x: erfc(t) / 2 at t = -x / sqrt 2. In the tail the rounding
/// of t would cost x^2 ULP, so erfc is corrected by its derivative times what t lost.
GRADUS_MATH double normal_cdf(double x) {
  const double t = x * -0x1.6a09e667f3bcdp-1;
  const double lost = fma(x, -0x1.6a09e667f3bcdp-1, -t) + x * 0x1.bdd3413b26456p-55;
  const double slope = 0x1.20dd750429b6dp+0 * libm::exp(-t * t);
  return 0.5 * (abs(x) < 40.0 ? libm::erfc(t) - slope * lost : libm::erfc(t));
}
GRADUS_MATH double gelu(double x) { return (x < -40.0 ? -40.0 : x) * normal_cdf(x); }
GRADUS_MATH double gelu_dx(double x) {
  const double c = clamp(x, -40.0, 40.0), t = c * c, lost = fma(c, c, -t);
  return fma(c * 0x1.9884533d43651p-2, libm::exp(-0.5 * t) * fma(-0.5, lost, 1.0), normal_cdf(x));
}

/// z = x (c0 + c1 x^2) as a sum of two doubles.
struct TanhGeluArgumentWide {
  double hi, low;
};
GRADUS_MATH TanhGeluArgumentWide gelu_tanh_argument(double x) {
  constexpr double c0 = 0x1.9884533d43651p+0, c1 = 0x1.2444f2a4d8b4bp-4;
  constexpr double c0_low = -0x1.cbc0d30ebfd15p-54, c1_low = -0x1.6c843a29d1c7p-61;
  const double c = clamp(x, -40.0, 40.0), t = c * c, p = c1 * t, u = c0 + p, v = u - c0;
  const double p_low = fma(c1, t, -p) + fma(c1, fma(c, c, -t), c1_low * t);
  const double u_low = (c0 - (u - v)) + (p - v) + (p_low + c0_low), hi = c * u;
  return {hi, fma(c, u, -hi) + c * u_low};
}
/// v sigmoid(z) and its derivative, corrected for z's low part: d sigmoid = sigmoid(z) sigmoid(-z)
/// dz.
GRADUS_MATH double gelu_tanh(double x) {
  const TanhGeluArgumentWide z = gelu_tanh_argument(x);
  const double y = times_sigmoid(x, z.hi);
  return abs(x) < 40.0 ? fma(y, z.low * sigmoid(-z.hi), y) : y;
}
GRADUS_MATH double gelu_tanh_dx(double x) {
  const TanhGeluArgumentWide z = gelu_tanh_argument(x);
  const double c = clamp(x, -40.0, 40.0),
               dz = fma(c * c, 0x1.b6676bf7450f1p-3, 0x1.9884533d43651p+0);
  const double y = times_sigmoid_dx(c * dz, z.hi);
  return fma(y, z.low * sigmoid(-z.hi), y);
}

}  // namespace gradus::math
