// exp, exp2, expm1, log, log1p, log2, log10. The float versions are our own; those for double are
// the C library's. Every polynomial comes from tests/oracle/fit_math.py.
#pragma once

#include <limits>

#include "gradus/kernels/math/bits.h"

namespace gradus::math {

/// e^x in parts: e^x = (1 + p) 2^k with |p| < 0.42 and k an integer in two's complement. Callers
/// multiply by 2^k last, so that results keep all their digits down to the subnormal numbers.
struct ExpParts {
  float p;
  std::uint32_t k;
};

constexpr float kInf = std::numeric_limits<float>::infinity();
constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();
constexpr float kRound = 0x1.8p23f;  // adding it rounds to an integer, held in the low bits
constexpr std::uint32_t kRoundBits = 0x4b400000u;
constexpr float kLog2e = 0x1.715476p+0f;
constexpr float kLn2Hi = 0x1.62e43p-1f, kLn2Lo = -0x1.05c61p-29f;  // their sum is ln 2 to 2^-54

/// 2^k for -126 <= k <= 127; 0 for k = -127.
GRADUS_MATH float power_of_two(std::uint32_t k) { return from_bits((k + 127u) << 23); }

/// x 2^k for -254 <= k <= 250, rounded once: the first factor is exact for x near 1. x 2^-254 is 0.
GRADUS_MATH float scale(float x, std::uint32_t k) {
  const std::uint32_t h = static_cast<std::uint32_t>(static_cast<std::int32_t>(k) >> 1);
  return x * power_of_two(h) * power_of_two(k - h);
}

/// The parts of e^(x + low), |x| <= 180 and |low| tiny against 1.
GRADUS_MATH ExpParts exp_parts(float x, float low = 0.0f) {
  const float shifted = fma(x, kLog2e, kRound), k = shifted - kRound;
  // k kLn2Hi and x are multiples of 2^-25, so this difference, below 0.36, is exact.
  const float r0 = fma(k, -kLn2Hi, x), l = fma(k, -kLn2Lo, low);
  const float r = r0 + l, lost = l - (r - r0);
  const float q = polynomial(r, 0.5f, 0x1.555554p-3f, 0x1.5554e8p-5f, 0x1.11131p-7f,
                             0x1.6d4cdap-10f, 0x1.9df7f2p-13f);
  return {r + fma(r * r, q, lost), bits(shifted) - kRoundBits};
}

/// x, and below `lowest`, where the result is 0, a value for which k is -254: scale() then
/// multiplies by exact zeros. Rounding a number too small for a subnormal takes 100 cycles, in any
/// lane.
GRADUS_MATH float skip_underflow(float x, float lowest) { return x < lowest ? -176.06f : x; }

GRADUS_MATH float exp(float x) {
  const ExpParts e = exp_parts(skip_underflow(x > 89.0f ? 89.0f : x, -104.0f));
  return scale(1.0f + e.p, e.k);
}

/// 2^x, exact for integers: the fraction x - round(x) is.
GRADUS_MATH float exp2(float x) {
  const float c = clamp(x < -150.0f ? -254.0f : x, -254.0f, 129.0f), shifted = c + kRound,
              r = c - (shifted - kRound);
  const float q = polynomial(r, 0x1.62e430p-1f, 0x1.ebfbe0p-3f, 0x1.c6b074p-5f, 0x1.3b2a60p-7f,
                             0x1.5d9cdcp-10f, 0x1.440a26p-13f, 0x1.ec44cep-17f);
  return scale(fma(r, q, 1.0f), bits(shifted) - kRoundBits);
}

/// e^x - 1 = 2^k p + (2^k - 1), where k stays 0 up to |x| = 1/2 lest the two terms cancel.
GRADUS_MATH float expm1(float x) {
  const float c = clamp(x, -30.0f, 89.0f);
  const float shifted = abs(c) < 0.5f ? kRound : fma(c, kLog2e, kRound), k = shifted - kRound;
  const float r0 = fma(k, -kLn2Hi, c), l = k * -kLn2Lo, r = r0 + l, lost = l - (r - r0);
  const float q = polynomial(r, 0x1.000002p-1f, 0x1.555556p-3f, 0x1.5551c2p-5f, 0x1.110fecp-7f,
                             0x1.6f47ccp-10f, 0x1.a2792cp-13f);
  const float p = r + fma(r * r, q, lost);
  // Half of it, twice: 2^128 is not a number but its half is. Where s - 1/2 would round, 1/2 goes
  // with the smaller term.
  const float s = power_of_two(bits(shifted) - kRoundBits - 1u);
  const bool large = s > 0x1p12f;
  const float y = 2.0f * (fma(s, p, large ? -0.5f : s - 0.5f) + (large ? s : 0.0f));
  return with_sign(k == 0.0f ? p : y, x);
}

/// (log(1 + f) - f) / f^2 for -1/3 <= f <= 1/3.
GRADUS_MATH float log1p_polynomial(float f) {
  return polynomial(f, -0.5f, 0x1.55550cp-2f, -0x1.fffe5ep-3f, 0x1.99ce34p-3f, -0x1.55b7ecp-3f,
                    0x1.1ef264p-3f, -0x1.f03bdcp-4f, 0x1.1defc4p-3f, -0x1.0e2acep-3f);
}
/// log(1 + f) + low, with `low` a small term to add before rounding.
GRADUS_MATH float log1p_near_zero(float f, float low = 0.0f) {
  return f + fma(f * f, log1p_polynomial(f), low);
}

/// x = (1 + f) 2^k with 2/3 <= 1 + f < 4/3, x positive and finite.
struct LogParts {
  float f, k;
};
GRADUS_MATH LogParts log_parts(float x) {
  const bool small = x < 0x1p-126f;
  const std::uint32_t u = bits(small ? x * 0x1p24f : x), i = u - 0x3f2aaaabu;
  const float k = static_cast<float>(static_cast<std::int32_t>(i) >> 23);
  const float m = from_bits((i & 0x007fffffu) + 0x3f2aaaabu);
  return {m - 1.0f, small ? k - 24.0f : k};
}

/// Puts in what logarithms give at 0, below it, at infinity and at NaN.
GRADUS_MATH float log_specials(float y, float x) {
  y = x < kInf ? y : x;  // also NaN
  y = x == 0.0f ? -kInf : y;
  return x < 0.0f ? kNaN : y;
}

GRADUS_MATH float log(float x) {
  const LogParts parts = log_parts(x);
  const float y = log1p_near_zero(parts.f, parts.k * kLn2Lo);
  return log_specials(fma(parts.k, kLn2Hi, y), x);
}

/// log(1 + x) = k ln 2 + log(1 + f), where f = x / 2^k + (1 / 2^k - 1) is computed from x itself:
/// 1 + x would already have lost its low digits.
GRADUS_MATH float log1p(float x) {
  const std::uint32_t i = bits(1.0f + x) - 0x3f2aaaabu;
  const std::uint32_t e = static_cast<std::uint32_t>(static_cast<std::int32_t>(i) >> 23);
  const float k = static_cast<float>(static_cast<std::int32_t>(e));
  const float s = from_bits((129u - e) << 23);  // 4 / 2^k: 1 / 2^128 would be subnormal
  const float c = fma(s, 0.25f, -1.0f), f = fma(x * s, 0.25f, c);
  const float lost = fma(x * s, 0.25f, c - f);  // by rounding f; 1 / (1 + f) of it is missing
  const float y = fma(k, kLn2Hi, log1p_near_zero(f, fma(lost, 1.0f - f, k * kLn2Lo)));
  const float z = x < kInf ? y : x;
  const float w = x == -1.0f ? -kInf : z;
  return with_sign(x < -1.0f ? kNaN : w, x);
}

/// k unit + scale log(1 + f), scale = hi + low: the product with f in two parts, then a two-term
/// sum in which |k unit| is zero or the larger.
GRADUS_MATH float scaled_log(LogParts parts, float k_hi, float k_low, float hi, float low) {
  const float f = parts.f, g = f * f * log1p_polynomial(f), product = f * hi;
  const float base = parts.k * k_hi, sum = base + product;
  const float rest = fma(f, hi, -product) + fma(f, low, fma(g, hi, parts.k * k_low));
  return sum + ((product - (sum - base)) + rest);
}
/// Exact at powers of two.
GRADUS_MATH float log2(float x) {
  return log_specials(scaled_log(log_parts(x), 1.0f, 0.0f, 0x1.715476p+0f, 0x1.4ae0cp-26f), x);
}
/// log10 2 in 12 bits and a rest: the multiples of the 12 bits are exact.
GRADUS_MATH float log10(float x) {
  return log_specials(
      scaled_log(log_parts(x), 0x1.344p-2f, 0x1.3509f8p-18f, 0x1.bcb7b2p-2f, -0x1.5b235ep-27f), x);
}

GRADUS_MATH double exp(double x) { return libm::exp(x); }
GRADUS_MATH double exp2(double x) { return libm::exp2(x); }
GRADUS_MATH double expm1(double x) { return libm::expm1(x); }
GRADUS_MATH double log(double x) { return libm::log(x); }
GRADUS_MATH double log1p(double x) { return libm::log1p(x); }
GRADUS_MATH double log2(double x) { return libm::log2(x); }
GRADUS_MATH double log10(double x) { return libm::log10(x); }

}  // namespace gradus::math
