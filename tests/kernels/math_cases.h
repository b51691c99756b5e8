// Every float function of kernels/math with a reference in double and the ULP bound it must keep:
// one table for tests/kernels/test_math.cpp (a sample) and bench/math_sweep.cpp (all 2^32 inputs).
#pragma once

#include <array>
#include <cmath>

#include "gradus/kernels/math.h"
#include "gradus/tests/kernels/math_references.h"

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
  const std::uint64_t e = (math::bits(v) >> 52) & 0x7ff, least = 1023 - 126;
  return math::from_bits(((e < least ? least : e) - 23) << 52);
}

/// Error of `got` in ULP, or 1/2 for any correctly rounded result that is not exact; infinity if
/// one of them alone is NaN, or zero, or too large for a float.
inline double ulp_error(const MathCase& c, float x, float got, double want) {
  if (std::isnan(want) || std::isnan(got)) {
    return std::isnan(want) == std::isnan(got) ? 0 : INFINITY;
  }
  if (math::bits(got) == math::bits(static_cast<float>(want))) return got == want ? 0 : 0.5;
  const double size = std::fabs(want);
  if (std::isinf(got)) return (got > 0) == (want > 0) && size > 0x1.fffffep127 ? 0 : INFINITY;
  if (size >= 0x1p128) return INFINITY;
  if (got == 0 && size >= 0x1p-149) return INFINITY;
  if (want == 0 && got != 0) return INFINITY;
  if (x == 0 && want == 0) return INFINITY;  // zeros of different sign
  return std::fabs(got - want) / ulp_of(c.terms ? c.terms(x) : want);
}

namespace ref = reference;
#define GRADUS_CASE(f) #f, [](float x) { return math::f(x); }
#define GRADUS_STD(f) GRADUS_CASE(f), [](double x) { return std::f(x); }
#define GRADUS_REF(f) GRADUS_CASE(f), ref::f<double>
inline const std::array cases{
    MathCase{GRADUS_STD(exp), 1.0},
    MathCase{GRADUS_STD(exp2), 1.0},
    MathCase{GRADUS_STD(expm1), 1.0},
    MathCase{GRADUS_STD(log), 1.0},
    MathCase{GRADUS_STD(log2), 2.0},
    MathCase{GRADUS_STD(log10), 2.0},
    MathCase{GRADUS_STD(log1p), 1.0},
    MathCase{GRADUS_STD(sqrt), 0.5001},
    MathCase{GRADUS_CASE(rsqrt), [](double x) { return 1 / std::sqrt(x); }, 1.5},
    MathCase{GRADUS_STD(sin), 1.0},
    MathCase{GRADUS_STD(cos), 1.0},
    MathCase{GRADUS_STD(tan), 1.0},
    MathCase{GRADUS_STD(asin), 2.0},
    MathCase{GRADUS_STD(acos), 2.0},
    MathCase{GRADUS_STD(atan), 2.0},
    MathCase{GRADUS_STD(sinh), 2.0},
    MathCase{GRADUS_STD(cosh), 2.0},
    MathCase{GRADUS_STD(tanh), 1.0},
    MathCase{GRADUS_STD(erf), 1.0},
    MathCase{GRADUS_STD(erfc), 4.0},
    MathCase{GRADUS_REF(sigmoid), 1.5},
    MathCase{GRADUS_REF(silu), 1.5},
    MathCase{GRADUS_REF(silu_dx), 4.0, ref::silu_dx_terms<double>},
    MathCase{GRADUS_CASE(softplus), ref::softplus_20<double>, 1.5},
    MathCase{GRADUS_REF(logsigmoid), 1.5},
    MathCase{GRADUS_REF(mish), 4.0},
    MathCase{GRADUS_REF(mish_dx), 6.0, ref::mish_dx_terms<double>},
    MathCase{GRADUS_REF(gelu), 4.0},
    MathCase{GRADUS_REF(gelu_dx), 4.0, ref::gelu_dx_terms<double>},
    MathCase{GRADUS_REF(gelu_tanh), 4.0},
    MathCase{GRADUS_REF(gelu_tanh_dx), 6.0, ref::gelu_tanh_dx_terms<double>},
    MathCase{GRADUS_STD(floor), 0.0},
    MathCase{GRADUS_STD(ceil), 0.0},
    MathCase{GRADUS_STD(trunc), 0.0},
    MathCase{GRADUS_CASE(round), [](double x) { return std::nearbyint(x); }, 0.0},
    MathCase{GRADUS_CASE(sign), [](double x) { return x > 0 ? 1.0 : (x < 0 ? -1.0 : x); }, 0.0},
};
#undef GRADUS_CASE
#undef GRADUS_STD
#undef GRADUS_REF

}  // namespace gradus::math_cases
