// sigmoid, tanh and what is built on them: silu, softplus, logsigmoid, mish, with the derivatives
// whose tails a formula in y would lose. All work from e = exp(-|x|) = (1 + p) 2^k, never above 1,
// and multiply by 2^k last: sigmoid(-100) is 3.8e-44, silu(-106) is -9.2e-45.
#pragma once

#include "gradus/kernels/math/exp_log.h"

namespace gradus::math {

/// The logistic function of z = hi + low in parts. With d = 1 + e:
/// sigmoid(z) = (q + rest) 2^k, sigmoid(-|z|) = e / d, sigmoid(|z|) = 1 / d.
struct SigmoidParts {
  float q, rest;    ///< the quotient and what its rounding, and that of its operands, lost
  float inv;        ///< 1 / d
  float small;      ///< e, subnormal ones rounded away
  std::uint32_t k;  ///< 0 for z >= 0
};

GRADUS_MATH SigmoidParts sigmoid_parts(float z, float low = 0.0f) {
  const float c = clamp(z, -125.0f, 125.0f);
  const bool below = z < 0.0f;
  const ExpParts e = exp_parts(-abs(c), below ? low : -low);
  const float s = power_of_two(static_cast<std::int32_t>(e.k) < -126 ? -126u : e.k);
  const float one = 1.0f + s, d = fma(s, e.p, one);
  const float d_low = fma(s, e.p, one - d) + (s - (one - 1.0f));
  const float m = 1.0f + e.p, n = below ? m : 1.0f;
  const float n_low = below ? e.p - (m - 1.0f) : 0.0f;
  const float inv = 1.0f / d, q = n * inv;
  const float rest = (fma(-q, d, n) + fma(-q, d_low, n_low)) * inv;
  return {q, rest, inv, s * m, below ? e.k : 0u};
}

GRADUS_MATH float sigmoid(float x) {
  const SigmoidParts s = sigmoid_parts(x);
  return scale(s.q + s.rest, s.k);
}

/// v sigmoid(z), from the parts of sigmoid(z), rounded once. -inf times 0 is taken as its limit.
GRADUS_MATH float times_sigmoid(float v, SigmoidParts s) {
  const float c = v < -200.0f ? -200.0f : v;
  const float y = c * s.q, rest = fma(c, s.q, -y) + c * s.rest;
  // Infinities leave NaN in the rest, zeros would lose their sign.
  return scale(abs(y) < kInf && y != 0.0f ? y + rest : y, s.k);
}

/// d/dx [x sigmoid(z)] = sigmoid(z) (1 + x z' sigmoid(-z)).
GRADUS_MATH float times_sigmoid_dx(float xdz, SigmoidParts s, bool below) {
  const float c = clamp(xdz, -0x1p60f, 0x1p60f);
  const float other = below ? s.inv : s.small * s.inv;  // sigmoid(-z)
  return scale((s.q + s.rest) * fma(c, other, 1.0f), s.k);
}

/// x sigmoid(x).
GRADUS_MATH float silu(float x) { return times_sigmoid(x, sigmoid_parts(x)); }
GRADUS_MATH float silu_dx(float x) {
  return times_sigmoid_dx(clamp(x, -200.0f, 200.0f), sigmoid_parts(x), x < 0.0f);
}

/// log(1 + exp(-|z|)).
GRADUS_MATH float log1p_exp(float z) {
  const float a = abs(z);
  const ExpParts parts = exp_parts(a > 105.0f ? -105.0f : -a);
  const float m = 1.0f + parts.p, e = scale(m, parts.k);
  const bool large = e > 1.0f / 3;  // then log(1 + e) = log 2 + log(1 + f), f = (e - 1) / 2
  const float f = large ? fma(0.5f, e, -0.5f) : e;
  const float y = log1p_near_zero(f, large ? kLn2Lo : 0.0f);
  return large ? kLn2Hi + y : y;
}

/// log(1 + e^(beta x)) / beta; x itself above the threshold, as PyTorch has it.
GRADUS_MATH float softplus(float x, float beta = 1.0f, float threshold = 20.0f) {
  const float z = beta * x, y = log1p_exp(z) * (1.0f / beta);
  const float up = x > 0.0f ? x + y : y;
  return z > threshold || x != x ? x : up;
}

/// log sigmoid(x) = -softplus(-x).
GRADUS_MATH float logsigmoid(float x) {
  const float y = log1p_exp(x);
  return x < 0.0f ? x - y : (x == x ? -y : x);
}

/// With w = e^-|x|, tanh(softplus(x)) = n / (n + 2 t) where
/// x < 0: n = w (2 + w), t = 1;  x >= 0: n = 1 + 2 w, t = w^2.
struct MishParts {
  float w, n, d, inv;  ///< n without the factor w when x < 0; d = n + 2 t; inv = 1 / d
  float m;             ///< w / 2^k
  std::uint32_t k;
};
GRADUS_MATH MishParts mish_parts(float x) {
  const ExpParts e = exp_parts(-abs(clamp(x, -125.0f, 125.0f)));
  const float m = 1.0f + e.p;
  const float w = m * power_of_two(static_cast<std::int32_t>(e.k) < -126 ? -126u : e.k);
  const bool below = x < 0.0f;
  const float n = below ? 2.0f + w : fma(2.0f, w, 1.0f);
  const float d = below ? fma(w, n, 2.0f) : fma(2.0f * w, w, n);
  return {w, n, d, 1.0f / d, below ? m : 1.0f, below ? e.k : 0u};
}

/// x tanh(softplus(x)).
GRADUS_MATH float mish(float x) {
  const MishParts s = mish_parts(x);
  const float c = x < -200.0f ? -200.0f : x;
  return scale(c * (s.n * s.inv) * s.m, s.k);
}
/// T + x T', T = tanh(softplus(x)): T' = 4 w (1 + w) / d^2, times another w when x >= 0.
GRADUS_MATH float mish_dx(float x) {
  const MishParts s = mish_parts(x);
  const float c = clamp(x, -200.0f, 200.0f), v = 4.0f * (1.0f + s.w) * s.inv;
  const float t = fma(c, x < 0.0f ? v : v * (s.w * s.w), s.n);
  return scale(t * s.inv * s.m, s.k);
}

/// x + x^3 P(x^2) near 0, else 1 - 2 / (e^2|x| + 1).
GRADUS_MATH float tanh(float x) {
  const float a = abs(x), c = a > 10.0f ? 10.0f : a, t = c * c;
  const float q = polynomial(t, -0x1.555552p-2f, 0x1.110fe8p-3f, -0x1.b9d632p-5f, 0x1.62873ep-6f,
                             -0x1.071314p-7f, 0x1.078acp-9f);
  const float near_zero = fma(c * t, q, c);
  const ExpParts e = exp_parts(2.0f * c);
  const float s = power_of_two(e.k), d = fma(s, e.p, s + 1.0f);
  return with_sign(c < 0.625f ? near_zero : 1.0f - 2.0f / d, x);
}

// The same in double, where the C library's exp and log1p are exact enough.

GRADUS_MATH double sigmoid(double x) {
  const double e = std::exp(-abs(x));
  return (x < 0.0 ? e : 1.0) / (1.0 + e);
}
/// v e^-|x| / (1 + e^-|x|) below zero, v / (1 + e^-|x|) above; the power in two factors, lest it
/// become subnormal before v multiplies it.
GRADUS_MATH double times_sigmoid(double v, double z) {
  const double c = v < -1000.0 ? -1000.0 : v;
  const double h = std::exp(-0.5 * (abs(z) < 1500.0 ? abs(z) : (z == z ? 1500.0 : z)));
  return z < 0.0 ? c / (1.0 + h * h) * h * h : c / (1.0 + h * h);
}
GRADUS_MATH double times_sigmoid_dx(double xdz, double z) {
  const double e = std::exp(-abs(z)), other = (z < 0.0 ? 1.0 : e) / (1.0 + e);
  return times_sigmoid(fma(clamp(xdz, -0x1p500, 0x1p500), other, 1.0), z);
}
GRADUS_MATH double silu(double x) { return times_sigmoid(x, x); }
GRADUS_MATH double silu_dx(double x) { return times_sigmoid_dx(clamp(x, -2000.0, 2000.0), x); }
GRADUS_MATH double softplus(double x, double beta = 1.0, double threshold = 20.0) {
  const double z = beta * x, y = std::log1p(std::exp(-abs(z))) / beta;
  return z > threshold || x != x ? x : (x > 0.0 ? x + y : y);
}
GRADUS_MATH double logsigmoid(double x) {
  const double y = std::log1p(std::exp(-abs(x)));
  return x < 0.0 ? x - y : -y;
}
GRADUS_MATH double mish(double x) {
  const double h = std::exp(-0.5 * abs(clamp(x, -1500.0, 1500.0))), w = h * h;
  const double c = x < -1000.0 ? -1000.0 : x;
  return x < 0.0 ? c * ((2.0 + w) / fma(w, 2.0 + w, 2.0)) * h * h
                 : c * ((1.0 + 2.0 * w) / (1.0 + 2.0 * w + 2.0 * w * w));
}
GRADUS_MATH double mish_dx(double x) {
  const double h = std::exp(-0.5 * abs(clamp(x, -1500.0, 1500.0))), w = h * h;
  const double n = x < 0.0 ? 2.0 + w : 1.0 + 2.0 * w;
  const double d = x < 0.0 ? fma(w, n, 2.0) : n + 2.0 * w * w, v = 4.0 * (1.0 + w) / d;
  const double t = fma(clamp(x, -2000.0, 2000.0), x < 0.0 ? v : v * (w * w), n) / d;
  return x < 0.0 ? t * h * h : t;
}
GRADUS_MATH double tanh(double x) { return std::tanh(x); }

}  // namespace gradus::math
