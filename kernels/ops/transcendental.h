// Unary ops on exponentials, logarithms, powers, trigonometric and error functions. Derivatives
// keep x where a formula in y would cancel in a tail (expm1 near -1, erf near 1).
#pragma once

#include "gradus/kernels/ops/op.h"

namespace gradus::ops {

inline constexpr double ln_2 = 0.69314718055994530942, ln_10 = 2.30258509299404568402;

struct Exp {
  static constexpr auto name = "exp";
  GRADUS_HD auto y(auto x) const { return math::exp(x); }
  GRADUS_HD auto dx_from_y(auto y, auto dy) const { return dy * y; }
};

struct Exp2 {
  static constexpr auto name = "exp2";
  GRADUS_HD auto y(auto x) const { return math::exp2(x); }
  GRADUS_HD auto dx_from_y(auto y, auto dy) const { return dy * y * as(ln_2, y); }
};

struct Expm1 {
  static constexpr auto name = "expm1";
  GRADUS_HD auto y(auto x) const { return math::expm1(x); }
  GRADUS_HD auto dx_from_x(auto x, auto dy) const { return dy * math::exp(x); }
};

struct Log {
  static constexpr auto name = "log";
  static constexpr double lowest = 0.1;
  GRADUS_HD auto y(auto x) const { return math::log(x); }
  GRADUS_HD auto dx_from_x(auto x, auto dy) const { return dy / x; }
};

struct Log2 {
  static constexpr auto name = "log2";
  static constexpr double lowest = 0.1;
  GRADUS_HD auto y(auto x) const { return math::log2(x); }
  GRADUS_HD auto dx_from_x(auto x, auto dy) const { return dy / (x * as(ln_2, x)); }
};

struct Log10 {
  static constexpr auto name = "log10";
  static constexpr double lowest = 0.1;
  GRADUS_HD auto y(auto x) const { return math::log10(x); }
  GRADUS_HD auto dx_from_x(auto x, auto dy) const { return dy / (x * as(ln_10, x)); }
};

struct Log1p {
  static constexpr auto name = "log1p";
  static constexpr double lowest = -0.8;
  GRADUS_HD auto y(auto x) const { return math::log1p(x); }
  GRADUS_HD auto dx_from_x(auto x, auto dy) const { return dy / (1 + x); }
};

struct Sqrt {
  static constexpr auto name = "sqrt";
  static constexpr double lowest = 0.1;
  GRADUS_HD auto y(auto x) const { return math::sqrt(x); }
  GRADUS_HD auto dx_from_y(auto y, auto dy) const { return dy / (2 * y); }
};

struct Rsqrt {
  static constexpr auto name = "rsqrt";
  static constexpr double lowest = 0.2;
  GRADUS_HD auto y(auto x) const { return math::rsqrt(x); }
  GRADUS_HD auto dx_from_y(auto y, auto dy) const { return dy * y * y * y / -2; }
};

struct PowScalar {  // y = x ^ exponent
  static constexpr auto name = "pow";
  static constexpr double lowest = 0.2;
  double exponent = 3;
  GRADUS_HD auto y(auto x) const { return math::pow(x, as(exponent, x)); }
  GRADUS_HD auto dx_from_x(auto x, auto dy) const {
    return exponent == 0 ? as(0, x) : dy * (as(exponent, x) * math::pow(x, as(exponent - 1, x)));
  }
};

struct ScalarPow {  // y = base ^ x
  static constexpr auto name = "pow";
  double base = 2;
  GRADUS_HD auto y(auto x) const { return math::pow(as(base, x), x); }
  GRADUS_HD auto dx_from_xy(auto x, auto y, auto dy) const {
    return base == 0 && x >= 0 ? as(0, x) : dy * y * math::log(as(base, x));
  }
};

struct Sin {
  static constexpr auto name = "sin";
  GRADUS_HD auto y(auto x) const { return math::sin(x); }
  GRADUS_HD auto dx_from_x(auto x, auto dy) const { return dy * math::cos(x); }
};

struct Cos {
  static constexpr auto name = "cos";
  GRADUS_HD auto y(auto x) const { return math::cos(x); }
  GRADUS_HD auto dx_from_x(auto x, auto dy) const { return -dy * math::sin(x); }
};

struct Tan {
  static constexpr auto name = "tan";
  static constexpr double lowest = -1.3, highest = 1.3;
  GRADUS_HD auto y(auto x) const { return math::tan(x); }
  GRADUS_HD auto dx_from_y(auto y, auto dy) const { return dy * (1 + y * y); }
};

struct Asin {
  static constexpr auto name = "asin";
  static constexpr double lowest = -0.9, highest = 0.9;
  GRADUS_HD auto y(auto x) const { return math::asin(x); }
  GRADUS_HD auto dx_from_x(auto x, auto dy) const { return dy / math::sqrt((1 - x) * (1 + x)); }
};

struct Acos {
  static constexpr auto name = "acos";
  static constexpr double lowest = -0.9, highest = 0.9;
  GRADUS_HD auto y(auto x) const { return math::acos(x); }
  GRADUS_HD auto dx_from_x(auto x, auto dy) const { return -dy / math::sqrt((1 - x) * (1 + x)); }
};

struct Atan {
  static constexpr auto name = "atan";
  GRADUS_HD auto y(auto x) const { return math::atan(x); }
  GRADUS_HD auto dx_from_x(auto x, auto dy) const { return dy / (1 + x * x); }
};

struct Sinh {
  static constexpr auto name = "sinh";
  GRADUS_HD auto y(auto x) const { return math::sinh(x); }
  GRADUS_HD auto dx_from_x(auto x, auto dy) const { return dy * math::cosh(x); }
};

struct Cosh {
  static constexpr auto name = "cosh";
  GRADUS_HD auto y(auto x) const { return math::cosh(x); }
  GRADUS_HD auto dx_from_x(auto x, auto dy) const { return dy * math::sinh(x); }
};

struct Tanh {
  static constexpr auto name = "tanh";
  GRADUS_HD auto y(auto x) const { return math::tanh(x); }
  GRADUS_HD auto dx_from_y(auto y, auto dy) const { return dy * (1 - y * y); }
};

/// exp(-x^2), with what the rounding of x^2 lost put back: relative error 1e-7 also at x = 9.
GRADUS_HD auto exp_minus_square(auto x) {
  const auto square = x * x, lost = math::fma(x, x, -square);
  const auto e = math::exp(-square);
  return e == 0 ? e : e - e * lost;  // at infinity `lost` is NaN
}

inline constexpr double two_over_sqrt_pi = 1.12837916709551257390;

struct Erf {
  static constexpr auto name = "erf";
  GRADUS_HD auto y(auto x) const { return math::erf(x); }
  GRADUS_HD auto dx_from_x(auto x, auto dy) const {
    return dy * (as(two_over_sqrt_pi, x) * exp_minus_square(x));
  }
};

struct Erfc {
  static constexpr auto name = "erfc";
  GRADUS_HD auto y(auto x) const { return math::erfc(x); }
  GRADUS_HD auto dx_from_x(auto x, auto dy) const {
    return -dy * (as(two_over_sqrt_pi, x) * exp_minus_square(x));
  }
};

using ExponentialOps =
    List<Exp, Exp2, Expm1, Log, Log2, Log10, Log1p, Sqrt, Rsqrt, PowScalar, ScalarPow>;
using TrigonometricOps = List<Sin, Cos, Tan, Asin, Acos, Atan, Sinh, Cosh, Tanh, Erf, Erfc>;

}  // namespace gradus::ops
