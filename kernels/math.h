// gradus::math: our own scalar functions, one source for CPU vector loops and CUDA. Read in the
// order of the includes. float: branch-free (a plain loop over any of them vectorises), to the ULP
// bounds that tests/kernels/test_math.cpp asserts, correct to the last subnormal, NaN and signed
// zeros as C has them. double: the C library's, except where a composed tail needs more.
//
//   bits.h        abs sign max min clamp round floor ceil trunc sqrt rsqrt
//   exp_log.h     exp exp2 expm1 log log2 log10 log1p
//   activation.h  sigmoid tanh silu softplus logsigmoid mish, silu_dx mish_dx
//   erf.h         erf erfc gelu gelu_tanh, gelu_dx gelu_tanh_dx
//   trig.h        sin cos tan asin acos atan atan2
//   power.h       sinh cosh pow hypot fmod remainder
//
// `f_dx(x)` is the derivative of f at x, given where a formula in f(x) would lose the tails.
// Compile loops with -fno-math-errno -fno-trapping-math, which change no value.
#pragma once

#include "gradus/kernels/math/activation.h"
#include "gradus/kernels/math/bits.h"
#include "gradus/kernels/math/erf.h"
#include "gradus/kernels/math/exp_log.h"
#include "gradus/kernels/math/power.h"
#include "gradus/kernels/math/trig.h"
