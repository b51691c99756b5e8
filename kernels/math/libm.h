// The C library's functions, for the f64 half of this folder. Not by <cmath>: it defines Bessel's
// and Riemann's functions too, a twentieth of the time that gradus.h takes to include.
#pragma once

// Inlined without asking: a call left standing in a loop costs more than the function.
#if defined(__CUDACC__)
#define GRADUS_MATH __host__ __device__ __forceinline__
#else
#define GRADUS_MATH __attribute__((always_inline)) inline
#endif

#if defined(__CUDACC__)
#include <cmath>

namespace gradus::math {
namespace libm = std;  // whose functions nvcc knows on the device
}
#else
namespace gradus::math::libm {

GRADUS_MATH float fma(float a, float b, float c) { return __builtin_fmaf(a, b, c); }
GRADUS_MATH double fma(double a, double b, double c) { return __builtin_fma(a, b, c); }
GRADUS_MATH float sqrt(float x) { return __builtin_sqrtf(x); }
GRADUS_MATH double exp(double x) { return __builtin_exp(x); }
GRADUS_MATH double exp2(double x) { return __builtin_exp2(x); }
GRADUS_MATH double expm1(double x) { return __builtin_expm1(x); }
GRADUS_MATH double log(double x) { return __builtin_log(x); }
GRADUS_MATH double log1p(double x) { return __builtin_log1p(x); }
GRADUS_MATH double log2(double x) { return __builtin_log2(x); }
GRADUS_MATH double log10(double x) { return __builtin_log10(x); }
GRADUS_MATH double sqrt(double x) { return __builtin_sqrt(x); }
GRADUS_MATH double pow(double x, double y) { return __builtin_pow(x, y); }
GRADUS_MATH double hypot(double x, double y) { return __builtin_hypot(x, y); }
GRADUS_MATH double fmod(double x, double y) { return __builtin_fmod(x, y); }
GRADUS_MATH double trunc(double x) { return __builtin_trunc(x); }
GRADUS_MATH double sin(double x) { return __builtin_sin(x); }
GRADUS_MATH double cos(double x) { return __builtin_cos(x); }
GRADUS_MATH double tan(double x) { return __builtin_tan(x); }
GRADUS_MATH double asin(double x) { return __builtin_asin(x); }
GRADUS_MATH double acos(double x) { return __builtin_acos(x); }
GRADUS_MATH double atan(double x) { return __builtin_atan(x); }
GRADUS_MATH double atan2(double y, double x) { return __builtin_atan2(y, x); }
GRADUS_MATH double sinh(double x) { return __builtin_sinh(x); }
GRADUS_MATH double cosh(double x) { return __builtin_cosh(x); }
GRADUS_MATH double tanh(double x) { return __builtin_tanh(x); }
GRADUS_MATH double erf(double x) { return __builtin_erf(x); }
GRADUS_MATH double erfc(double x) { return __builtin_erfc(x); }

}  // namespace gradus::math::libm
#endif
