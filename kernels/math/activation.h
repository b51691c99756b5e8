// sigmoid, tanh and what is built on them: silu, softplus, logsigmoid, mish, with the derivatives
// whose tails a formula in y would lose. Powers of two are multiplied in last, so that tails keep
// their digits down to the subnormal numbers: sigmoid(-100) is 3.8e-44, silu(-106) is -9.2e-45.
#pragma once

#include "gradus/kernels/math/exp_log.h"

namespace gradus::math {

/// sigmoid(z) = 1 / (1 + e^-z) = s y with e^-z = (1 + p) / s, s a power of two, y = 1 / d and
/// d = 1 + p + s: no branch for the sign of z, and nothing overflows.
struct SigmoidParts {
  float y, rest;  ///< 1 / d, and the rounding of d and y relative to y
  float m;        ///< 1 + p; m y = sigmoid(-z)
  float s1, s2;   ///< s = s1 s2
};
GRADUS_MATH SigmoidParts sigmoid_parts(float z, float low = 0.0f) {
  // At -157.34 k is 227 and s2 is 0: products below the smallest float skip their slow rounding.
  const float c = z > 40.0f ? 40.0f : z;
  const ExpParts e = exp_parts(c < -110.0f ? 157.34f : -c, -low);
  const auto k = static_cast<std::int32_t>(e.k), k1 = k > 100 ? 100 : k;
  const float s1 = power_of_two(static_cast<std::uint32_t>(-k1));
  const float s2 = power_of_two(static_cast<std::uint32_t>(k1 - k));
  const float one = 1.0f + s1, d = one + e.p, y = 1.0f / d;
  const float d_low = ((one - d) + e.p) + ((1.0f - one) + s1);
  return {y, fma(-d_low, y, fma(-d, y, 1.0f)), 1.0f + e.p, s1, s2};
}

GRADUS_MATH float sigmoid(float x) {
  const SigmoidParts s = sigmoid_parts(x);
  return fma(s.rest, s.y, s.y) * s.s1 * s.s2;
}

/// v sigmoid(z), where sigmoid(z) is 1 if v > 40 and vanishes faster than 1 / v below.
GRADUS_MATH float times_sigmoid(float v, SigmoidParts s) {
  const float w = (v < -200.0f ? -200.0f : v) * s.y;
  return v > 40.0f ? v : fma(s.rest, w, w) * s.s1 * s.s2;
}

/// d/dx [x sigmoid(z)] = sigmoid(z) (1 + x z' sigmoid(-z)), |x z'| <= 1e4.
GRADUS_MATH float times_sigmoid_dx(float xdz, SigmoidParts s) {
  return fma(s.rest, s.y, s.y) * fma(xdz, s.m * s.y, 1.0f) * s.s1 * s.s2;
}

/// x sigmoid(x).
GRADUS_MATH float silu(float x) { return times_sigmoid(x, sigmoid_parts(x)); }
GRADUS_MATH float silu_dx(float x) {
  return times_sigmoid_dx(clamp(x, -200.0f, 200.0f), sigmoid_parts(x));
}

/// log(1 + e^z) for z <= 0. For e = e^z above 1/3 it is log 2 + log(1 + f) with f = (e - 1) / 2,
/// else f = e.
GRADUS_MATH float log1p_exp(float z) {
  const ExpParts parts = exp_parts(skip_underflow(z, -104.0f));
  const float m = 1.0f + parts.p, e = scale(m, parts.k);
  // Below 2^-40 log(1 + e) = e, and terms that would be subnormal are dropped.
  const bool large = e > 1.0f / 3, tiny = e < 0x1p-40f;
  const float e_low = scale(tiny ? 0.0f : parts.p - (m - 1.0f), parts.k);
  const float factor = large ? 0.5f : 1.0f, shift = large ? -0.5f : 0.0f;
  const float f = fma(factor, e, shift), f_low = fma(factor, e_low, fma(factor, e, shift - f));
  // f_low / (1 + f) is wanted; 1 - f is near enough to 1 / (1 + f).
  const float low = fma(f_low, 1.0f - f, large ? kLn2Lo : 0.0f);
  const float base = large ? kLn2Hi : 0.0f, sum = base + f, square = f * (tiny ? 0.0f : f);
  return sum + ((f - (sum - base)) + fma(square, log1p_polynomial(f), low));
}

/// log(1 + e^(beta x)) / beta; x itself above the threshold, as PyTorch has it.
GRADUS_MATH float softplus(float x, float beta = 1.0f, float threshold = 20.0f) {
  const float z = beta * x, y = log1p_exp(z > 0.0f ? (z > 40.0f ? -40.0f : -z) : z);
  const float up = fma(y, 1.0f / beta, x > 0.0f ? x : 0.0f);
  return z > threshold || x != x ? x : up;
}

/// log sigmoid(x) = -softplus(-x).
GRADUS_MATH float logsigmoid(float x) {
  const float y = log1p_exp(x < 0.0f ? (x < -40.0f ? -40.0f : x) : -x);
  return (x < 0.0f ? x : 0.0f) - y;
}

/// With w = e^x = (1 + p) 2^k: tanh(softplus(x)) = w n / d, n = 2 + w, d = w n + 2.
struct MishParts {
  float w, p, n, d_inverse;
  std::uint32_t k;
};
GRADUS_MATH MishParts mish_parts(float x) {
  const ExpParts e = exp_parts(skip_underflow(x > 40.0f ? 40.0f : x, -110.0f));
  const float m = 1.0f + e.p;
  // Not below 2^-100: one subnormal operand, even in a lane not used, costs 100 cycles.
  const float w = m * power_of_two(static_cast<std::int32_t>(e.k) < -100 ? -100u : e.k);
  const float n = 2.0f + w;
  return {w, e.p, n, 1.0f / fma(w, n, 2.0f), e.k};
}

/// x tanh(softplus(x)).
GRADUS_MATH float mish(float x) {
  const MishParts s = mish_parts(x);
  const float q = (x < -200.0f ? -200.0f : x) * (s.n * s.d_inverse);
  const float y = scale(fma(q, s.p, q), s.k);
  return s.w >= 0x1p40f ? x : y;
}
/// T + x T', T = tanh(softplus(x)), T' = 4 w (1 + w) / d^2.
GRADUS_MATH float mish_dx(float x) {
  const MishParts s = mish_parts(x);
  const float slope = 4.0f * (1.0f + s.w) * s.d_inverse;
  const float c = clamp(x, -200.0f, 200.0f);
  const float q = fma(c, slope, s.n) * s.d_inverse, y = scale(fma(q, s.p, q), s.k);
  return s.w >= 0x1p40f ? 1.0f : y;
}

/// x + x^3 P(x^2) near 0, else 1 - 2 / (e^2|x| + 1).
GRADUS_MATH float tanh(float x) {
  const float a = abs(x), c = a > 10.0f ? 10.0f : a, t = c * c;
  const float q = polynomial(t, -0x1.55554ep-2f, 0x1.110f38p-3f, -0x1.b9ca4ep-5f, 0x1.62f1cap-6f,
                             -0x1.0ed7aap-7f, 0x1.529d64p-9f, -0x1.ddd8c4p-12f);
  const float near_zero = fma(c * t, q, c);
  const ExpParts e = exp_parts(2.0f * c);
  const float s = power_of_two(e.k), d = fma(s, e.p, s + 1.0f);
  return with_sign(c < 0.9f ? near_zero : 1.0f - 2.0f / d, x);
}

// The same in double, where the C library's exp and log1p are exact enough.

GRADUS_MATH double sigmoid(double x) {
  const double e = libm::exp(-abs(x));
  return (x < 0.0 ? e : 1.0) / (1.0 + e);
}
/// v e^-|x| / (1 + e^-|x|) below zero, v / (1 + e^-|x|) above; the power in two factors, lest it
/// become subnormal before v multiplies it.
GRADUS_MATH double times_sigmoid(double v, double z) {
  const double c = v < -0x1p900 ? -0x1p900 : v;
  const double h = libm::exp(-0.5 * (abs(z) < 1500.0 ? abs(z) : (z == z ? 1500.0 : z)));
  return z < 0.0 ? c / (1.0 + h * h) * h * h : c / (1.0 + h * h);
}
GRADUS_MATH double times_sigmoid_dx(double xdz, double z) {
  const double e = libm::exp(-abs(z)), other = (z < 0.0 ? 1.0 : e) / (1.0 + e);
  return times_sigmoid(fma(clamp(xdz, -0x1p500, 0x1p500), other, 1.0), z);
}
GRADUS_MATH double silu(double x) { return times_sigmoid(x, x); }
GRADUS_MATH double silu_dx(double x) { return times_sigmoid_dx(clamp(x, -2000.0, 2000.0), x); }
GRADUS_MATH double softplus(double x, double beta = 1.0, double threshold = 20.0) {
  const double z = beta * x, y = libm::log1p(libm::exp(-abs(z))) / beta;
  return z > threshold || x != x ? x : (x > 0.0 ? x + y : y);
}
GRADUS_MATH double logsigmoid(double x) {
  const double y = libm::log1p(libm::exp(-abs(x)));
  return x < 0.0 ? x - y : -y;
}
GRADUS_MATH double mish(double x) {
  const double h = libm::exp(-0.5 * abs(clamp(x, -1500.0, 1500.0))), w = h * h;
  const double c = x < -1000.0 ? -1000.0 : x;
  return x < 0.0 ? c * ((2.0 + w) / fma(w, 2.0 + w, 2.0)) * h * h
                 : c * ((1.0 + 2.0 * w) / (1.0 + 2.0 * w + 2.0 * w * w));
}
GRADUS_MATH double mish_dx(double x) {
  const double h = libm::exp(-0.5 * abs(clamp(x, -1500.0, 1500.0))), w = h * h;
  const double n = x < 0.0 ? 2.0 + w : 1.0 + 2.0 * w;
  const double d = x < 0.0 ? fma(w, n, 2.0) : n + 2.0 * w * w, v = 4.0 * (1.0 + w) / d;
  const double t = fma(clamp(x, -2000.0, 2000.0), x < 0.0 ? v : v * (w * w), n) / d;
  return x < 0.0 ? t * h * h : t;
}
GRADUS_MATH double tanh(double x) { return libm::tanh(x); }

}  // namespace gradus::math
