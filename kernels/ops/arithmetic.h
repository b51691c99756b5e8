// Unary ops without transcendental functions: arithmetic with a number, signs, rounding, bounds.
#pragma once

#include "gradus/kernels/ops/op.h"

namespace gradus::ops {

struct Neg {
  static constexpr auto name = "neg";
  static constexpr bool integers = true;
  GRADUS_HD auto y(auto x) const { return as(-x, x); }
  GRADUS_HD auto dx_from_dy(auto dy) const { return -dy; }
};

struct AddScalar {  // y = x + value
  static constexpr auto name = "add";
  static constexpr bool integers = true;
  double value = 0;
  GRADUS_HD auto y(auto x) const { return as(x + as_wrapped(value, x), x); }
  GRADUS_HD auto dx_from_dy(auto dy) const { return dy; }
};

struct SubFromScalar {  // y = value - x
  static constexpr auto name = "sub";
  static constexpr bool integers = true;
  double value = 0;
  GRADUS_HD auto y(auto x) const { return as(as_wrapped(value, x) - x, x); }
  GRADUS_HD auto dx_from_dy(auto dy) const { return -dy; }
};

struct MulScalar {  // y = x * value
  static constexpr auto name = "mul";
  static constexpr bool integers = true;
  double value = 1;
  GRADUS_HD auto y(auto x) const { return as(x * as_wrapped(value, x), x); }
  GRADUS_HD auto dx_from_dy(auto dy) const { return dy * as(value, dy); }
};

struct DivScalar {  // y = x / value: not x * (1 / value), which rounds twice
  static constexpr auto name = "div";
  double value = 1;
  GRADUS_HD auto y(auto x) const { return x / as(value, x); }
  GRADUS_HD auto dx_from_dy(auto dy) const { return dy / as(value, dy); }
};

struct DivIntoScalar {  // y = value / x
  static constexpr auto name = "div";
  static constexpr double lowest = 0.4;
  double value = 1;
  GRADUS_HD auto y(auto x) const { return as(value, x) / x; }
  GRADUS_HD auto dx_from_xy(auto x, auto y, auto dy) const { return -dy * (y / x); }
};

struct Reciprocal {
  static constexpr auto name = "reciprocal";
  static constexpr double lowest = 0.4;
  GRADUS_HD auto y(auto x) const { return 1 / x; }
  GRADUS_HD auto dx_from_y(auto y, auto dy) const { return -dy * y * y; }
};

struct Square {
  static constexpr auto name = "square";
  static constexpr bool integers = true;
  GRADUS_HD auto y(auto x) const { return as(x * x, x); }
  GRADUS_HD auto dx_from_x(auto x, auto dy) const { return 2 * x * dy; }
};

struct Abs {
  static constexpr auto name = "abs";
  static constexpr bool integers = true;
  GRADUS_HD auto y(auto x) const {
    if constexpr (std::is_integral_v<decltype(x)>)
      return as(x < 0 ? -x : x, x);
    else
      return math::abs(x);
  }
  GRADUS_HD auto dx_from_x(auto x, auto dy) const {  // 0 at 0
    return x > 0 ? dy : x < 0 ? -dy : as(0, dy);
  }
};

struct Sign {  // of NaN: 0
  static constexpr auto name = "sign";
  static constexpr bool integers = true;
  using zero_gradient = void;
  GRADUS_HD auto y(auto x) const { return as((x > 0 ? 1 : 0) - (x < 0 ? 1 : 0), x); }
};

struct Floor {
  static constexpr auto name = "floor";
  using zero_gradient = void;
  GRADUS_HD auto y(auto x) const { return math::floor(x); }
};

struct Ceil {
  static constexpr auto name = "ceil";
  using zero_gradient = void;
  GRADUS_HD auto y(auto x) const { return math::ceil(x); }
};

struct Round {  // halves go to the even neighbour
  static constexpr auto name = "round";
  using zero_gradient = void;
  GRADUS_HD auto y(auto x) const { return math::round(x); }
};

struct Trunc {
  static constexpr auto name = "trunc";
  using zero_gradient = void;
  GRADUS_HD auto y(auto x) const { return math::trunc(x); }
};

struct Clamp {  // the gradient passes at the bounds; with lo > hi everything is hi
  static constexpr auto name = "clamp";
  static constexpr bool integers = true;
  double lo = -1, hi = 1;
  GRADUS_HD auto y(auto x) const { return math::clamp(x, as_nearest(lo, x), as_nearest(hi, x)); }
  GRADUS_HD auto dx_from_x(auto x, auto dy) const {
    return ((x >= as(lo, x)) & (x <= as(hi, x))) ? dy : as(0, dy);
  }
};

struct NanToNum {
  static constexpr auto name = "nan_to_num";
  double nan = 0, positive = 0, negative = 0;  // for NaN, inf and -inf
  GRADUS_HD auto y(auto x) const {
    const auto top = as(std::numeric_limits<double>::infinity(), x);
    const auto v = x == top ? as(positive, x) : x == -top ? as(negative, x) : x;
    return x != x ? as(nan, x) : v;
  }
  GRADUS_HD auto dx_from_x(auto x, auto dy) const { return x - x == 0 ? dy : as(0, dy); }
};

using ArithmeticOps =
    List<Neg, AddScalar, SubFromScalar, MulScalar, DivScalar, DivIntoScalar, Reciprocal, Square,
         Abs, Sign, Floor, Ceil, Round, Trunc, Clamp, NanToNum>;

}  // namespace gradus::ops
