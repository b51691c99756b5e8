// Every float function of kernels/math with a reference in double and the ULP bound it must keep:
// one table for tests/kernels/test_math.cpp (a sample) and bench/math_sweep.cpp (all 2^32 inputs).
#pragma once

#include <array>
#include <cmath>

#include "gradus/kernels/math.h"

namespace gradus::math_cases {

struct MathCase {
  const char* name;
  float (*f)(float);
  double (*reference)(double);
  double bound;  ///< the largest error allowed, in units of the last place
  /// The size of the terms whose sum the function is, where they can cancel: errors are counted in
  /// ULP of that. Null: of the result.
  double (*terms)(double) = nullptr;
};

/// The distance between floats next to |v|: 2^-149 at least.
inline double ulp_of(double v) {
  int e = 0;
  std::frexp(v, &e);
  return std::ldexp(1.0, (e < -125 ? -125 : e) - 24);
}

/// Error of `got` in ULP; infinity if one of them alone is NaN, or zero, or too large for a float.
inline double ulp_error(const MathCase& c, float x, float got, double want) {
  if (std::isnan(want) || std::isnan(got))
    return std::isnan(want) == std::isnan(got) ? 0 : INFINITY;
  const double size = std::fabs(want);
  if (std::isinf(got)) return (got > 0) == (want > 0) && size > 0x1.fffffep127 ? 0 : INFINITY;
  if (size >= 0x1p128) return INFINITY;
  if (got == 0 && size >= 0x1p-149) return INFINITY;
  if (want == 0 && got != 0) return INFINITY;
  if (x == 0 && want == 0 && std::signbit(want) != std::signbit(got)) return INFINITY;
  const double unit = ulp_of(c.terms ? c.terms(x) : want);
  return std::fabs(got - want) / unit;
}

inline double ref_sigmoid(double x) { return 1 / (1 + std::exp(-x)); }
inline double ref_softplus(double x) {
  return (x > 0 ? x : 0) + std::log1p(std::exp(-std::fabs(x)));
}
inline double ref_cdf(double x) { return 0.5 * std::erfc(-x * 0.70710678118654752440); }
inline double ref_density(double x) { return 0.39894228040143267794 * std::exp(-0.5 * x * x); }
inline double ref_mish_tanh(double x) { return std::tanh(ref_softplus(x)); }
inline double ref_mish_slope(double x) {
  const double w = std::exp(-std::fabs(x)), d = x < 0 ? w * (2 + w) + 2 : 1 + 2 * w + 2 * w * w;
  return 4 * w * (1 + w) / (d * d) * (x < 0 ? 1 : w);
}
inline double ref_tanh_z(double x) {
  return 2 * std::sqrt(2 / 3.14159265358979323846) * (x + 0.044715 * x * x * x);
}
inline double ref_tanh_dz(double x) {
  return 2 * std::sqrt(2 / 3.14159265358979323846) * (1 + 3 * 0.044715 * x * x);
}
inline double limit(double v, double factor) {
  return factor == 0 ? std::copysign(0.0, v) : v * factor;
}
inline double ref_silu_second(double x) { return limit(x, ref_sigmoid(x) * ref_sigmoid(-x)); }
inline double ref_gelu_tanh_second(double x) {
  const double z = ref_tanh_z(x);
  return limit(x, ref_sigmoid(z) * ref_sigmoid(-z) == 0
                      ? 0
                      : ref_sigmoid(z) * ref_sigmoid(-z) * ref_tanh_dz(x));
}
inline double sum_of_sizes(double a, double b) { return std::fabs(a) + std::fabs(b); }

#define GRADUS_CASE(f) #f, [](float x) { return math::f(x); }
inline const std::array cases{
    MathCase{GRADUS_CASE(exp), [](double x) { return std::exp(x); }, 1.0},
    MathCase{GRADUS_CASE(exp2), [](double x) { return std::exp2(x); }, 1.0},
    MathCase{GRADUS_CASE(expm1), [](double x) { return std::expm1(x); }, 1.0},
    MathCase{GRADUS_CASE(log), [](double x) { return std::log(x); }, 1.0},
    MathCase{GRADUS_CASE(log2), [](double x) { return std::log2(x); }, 2.0},
    MathCase{GRADUS_CASE(log10), [](double x) { return std::log10(x); }, 2.0},
    MathCase{GRADUS_CASE(log1p), [](double x) { return std::log1p(x); }, 1.0},
    MathCase{GRADUS_CASE(sqrt), [](double x) { return std::sqrt(x); }, 0.5001},
    MathCase{GRADUS_CASE(rsqrt), [](double x) { return 1 / std::sqrt(x); }, 1.5},
    MathCase{GRADUS_CASE(sigmoid), ref_sigmoid, 1.5},
    MathCase{GRADUS_CASE(tanh), [](double x) { return std::tanh(x); }, 1.0},
    MathCase{GRADUS_CASE(silu), [](double x) { return limit(x, ref_sigmoid(x)); }, 1.5},
    MathCase{GRADUS_CASE(silu_dx), [](double x) { return ref_sigmoid(x) + ref_silu_second(x); },
             4.0, [](double x) { return sum_of_sizes(ref_sigmoid(x), ref_silu_second(x)); }},
    MathCase{GRADUS_CASE(softplus), [](double x) { return x > 20 ? x : ref_softplus(x); }, 1.5},
    MathCase{GRADUS_CASE(logsigmoid), [](double x) { return -ref_softplus(-x); }, 1.5},
    MathCase{GRADUS_CASE(mish), [](double x) { return limit(x, ref_mish_tanh(x)); }, 4.0},
    MathCase{GRADUS_CASE(mish_dx),
             [](double x) { return ref_mish_tanh(x) + limit(x, ref_mish_slope(x)); }, 6.0,
             [](double x) { return sum_of_sizes(ref_mish_tanh(x), limit(x, ref_mish_slope(x))); }},
    MathCase{GRADUS_CASE(erf), [](double x) { return std::erf(x); }, 1.0},
    MathCase{GRADUS_CASE(erfc), [](double x) { return std::erfc(x); }, 4.0},
    MathCase{GRADUS_CASE(gelu), [](double x) { return limit(x, ref_cdf(x)); }, 4.0},
    MathCase{GRADUS_CASE(gelu_dx), [](double x) { return ref_cdf(x) + limit(x, ref_density(x)); },
             4.0, [](double x) { return sum_of_sizes(ref_cdf(x), limit(x, ref_density(x))); }},
    MathCase{GRADUS_CASE(gelu_tanh), [](double x) { return limit(x, ref_sigmoid(ref_tanh_z(x))); },
             4.0},
    MathCase{
        GRADUS_CASE(gelu_tanh_dx),
        [](double x) { return ref_sigmoid(ref_tanh_z(x)) + ref_gelu_tanh_second(x); }, 6.0,
        [](double x) { return sum_of_sizes(ref_sigmoid(ref_tanh_z(x)), ref_gelu_tanh_second(x)); }},
    MathCase{GRADUS_CASE(sin), [](double x) { return std::sin(x); }, 1.0},
    MathCase{GRADUS_CASE(cos), [](double x) { return std::cos(x); }, 1.0},
    MathCase{GRADUS_CASE(tan), [](double x) { return std::tan(x); }, 1.0},
    MathCase{GRADUS_CASE(asin), [](double x) { return std::asin(x); }, 2.0},
    MathCase{GRADUS_CASE(acos), [](double x) { return std::acos(x); }, 2.0},
    MathCase{GRADUS_CASE(atan), [](double x) { return std::atan(x); }, 2.0},
    MathCase{GRADUS_CASE(sinh), [](double x) { return std::sinh(x); }, 2.0},
    MathCase{GRADUS_CASE(cosh), [](double x) { return std::cosh(x); }, 2.0},
    MathCase{GRADUS_CASE(floor), [](double x) { return std::floor(x); }, 0.0},
    MathCase{GRADUS_CASE(ceil), [](double x) { return std::ceil(x); }, 0.0},
    MathCase{GRADUS_CASE(trunc), [](double x) { return std::trunc(x); }, 0.0},
    MathCase{GRADUS_CASE(round), [](double x) { return std::nearbyint(x); }, 0.0},
    MathCase{GRADUS_CASE(sign), [](double x) { return x > 0 ? 1.0 : (x < 0 ? -1.0 : x); }, 0.0},
};
#undef GRADUS_CASE

}  // namespace gradus::math_cases
