// Ops of two tensors.
#pragma once

#include "gradus/kernels/ops/op.h"

namespace gradus::ops {

struct Add {
  static constexpr auto name = "add";
  static constexpr bool integers = true, booleans = true;  // booleans: or
  GRADUS_HD auto y(auto a, auto b) const { return as(a + b, a); }
  static constexpr double a_factor() { return 1; }
  static constexpr double b_factor() { return 1; }
};

struct AddScaled {  // a + alpha b
  static constexpr auto name = "add";
  static constexpr bool integers = true;
  double alpha = 0.3;
  GRADUS_HD auto y(auto a, auto b) const { return as(a + as_wrapped(alpha, b) * b, a); }
  static constexpr double a_factor() { return 1; }
  double b_factor() const { return alpha; }
};

struct Sub {
  static constexpr auto name = "sub";
  static constexpr bool integers = true;
  GRADUS_HD auto y(auto a, auto b) const { return as(a - b, a); }
  static constexpr double a_factor() { return 1; }
  static constexpr double b_factor() { return -1; }
};

struct Lerp {  // a + weight (b - a), from the nearer end
  static constexpr auto name = "lerp";
  double weight = 0.3;
  GRADUS_HD auto y(auto a, auto b) const {
    const auto d = b - a;
    return weight < 0.5 ? a + as(weight, a) * d : b - d * as(1 - weight, a);
  }
  double a_factor() const { return 1 - weight; }
  double b_factor() const { return weight; }
};

struct Mul {
  static constexpr auto name = "mul";
  static constexpr bool integers = true, booleans = true;  // booleans: and
  GRADUS_HD auto y(auto a, auto b) const { return as(a * b, a); }
  GRADUS_HD auto da_from_ab(auto, auto b, auto dy) const { return dy * b; }
  GRADUS_HD auto db_from_ab(auto a, auto, auto dy) const { return dy * a; }
};

struct Div {
  static constexpr auto name = "div";
  static constexpr double lowest = 0.4;
  GRADUS_HD auto y(auto a, auto b) const { return a / b; }
  GRADUS_HD auto da_from_ab(auto, auto b, auto dy) const { return dy / b; }
  GRADUS_HD auto db_from_ab(auto a, auto b, auto dy) const { return -dy * (a / b) / b; }
};

/// Integer power by squaring; negative exponents leave 1, -1 or 0.
template <std::integral T>
GRADUS_HD T integer_power(T base, T exponent) {
  if (exponent < 0) return base == 1 ? 1 : base == T(-1) ? T(exponent % 2 == 0 ? 1 : -1) : 0;
  std::uint64_t result = 1, square = static_cast<std::uint64_t>(base);  // wraps as PyTorch's does
  for (; exponent > 0; exponent = static_cast<T>(exponent / 2)) {
    if (exponent % 2 != 0) result *= square;
    square *= square;
  }
  return static_cast<T>(result);
}

struct Pow {
  static constexpr auto name = "pow";
  static constexpr bool integers = true;
  static constexpr double lowest = 0.3;
  GRADUS_HD auto y(auto a, auto b) const {
    if constexpr (std::is_integral_v<decltype(a)>)
      return integer_power(a, b);
    else
      return math::pow(a, b);
  }
  GRADUS_HD auto da_from_ab(auto a, auto b, auto dy) const {
    return b == 0 ? as(0, dy) : dy * (b * math::pow(a, b - 1));
  }
  GRADUS_HD auto db_from_ab(auto a, auto b, auto dy) const {
    return ((a == 0) & (b >= 0)) ? as(0, dy) : dy * (math::pow(a, b) * math::log(a));
  }
};

struct Fmod {  // sign of a; an integer divided by zero is found by the caller
  static constexpr auto name = "fmod";
  static constexpr bool integers = true;
  static constexpr double lowest = 0.6;
  GRADUS_HD auto y(auto a, auto b) const {
    if constexpr (std::is_integral_v<decltype(a)>)
      return as(b == as(-1, b) ? 0 : a % b, a);
    else
      return math::fmod(a, b);
  }
  GRADUS_HD auto da_from_ab(auto, auto, auto dy) const { return dy; }
  GRADUS_HD auto db_from_ab(auto a, auto b, auto dy) const { return -dy * math::trunc(a / b); }
};

struct Remainder {  // sign of b
  static constexpr auto name = "remainder";
  static constexpr bool integers = true;
  static constexpr double lowest = 0.6;
  GRADUS_HD auto y(auto a, auto b) const {
    if constexpr (std::is_integral_v<decltype(a)>) {
      const auto r = as(b == as(-1, b) ? 0 : a % b, a);
      return as(r != 0 && (r < 0) != (b < 0) ? r + b : r, a);
    } else {
      return math::remainder(a, b);
    }
  }
  GRADUS_HD auto da_from_ab(auto, auto, auto dy) const { return dy; }
  GRADUS_HD auto db_from_ab(auto a, auto b, auto dy) const { return -dy * math::floor(a / b); }
};

struct Maximum {  // NaN if either is; the gradient of a tie goes half to each
  static constexpr auto name = "maximum";
  static constexpr bool integers = true, booleans = true;
  GRADUS_HD auto y(auto a, auto b) const { return math::max(a, b); }
  GRADUS_HD auto da_from_ab(auto a, auto b, auto dy) const {
    return a == b ? dy / 2 : a < b ? as(0, dy) : dy;
  }
  GRADUS_HD auto db_from_ab(auto a, auto b, auto dy) const { return da_from_ab(b, a, dy); }
};

struct Minimum {
  static constexpr auto name = "minimum";
  static constexpr bool integers = true, booleans = true;
  GRADUS_HD auto y(auto a, auto b) const { return math::min(a, b); }
  GRADUS_HD auto da_from_ab(auto a, auto b, auto dy) const {
    return a == b ? dy / 2 : a > b ? as(0, dy) : dy;
  }
  GRADUS_HD auto db_from_ab(auto a, auto b, auto dy) const { return da_from_ab(b, a, dy); }
};

struct Fmax {  // the other one if one is NaN; the gradient of a tie goes half to each
  static constexpr auto name = "fmax";
  static constexpr bool integers = true, booleans = true;
  GRADUS_HD auto y(auto a, auto b) const { return ((a >= b) | (b != b)) ? a : b; }
  GRADUS_HD auto da_from_ab(auto a, auto b, auto dy) const {
    return a == b ? dy / 2 : ((a > b) | (b != b)) ? dy : as(0, dy);
  }
  GRADUS_HD auto db_from_ab(auto a, auto b, auto dy) const {
    return a == b ? dy / 2 : ((a > b) | (b != b)) ? as(0, dy) : dy;
  }
};

struct Fmin {
  static constexpr auto name = "fmin";
  static constexpr bool integers = true, booleans = true;
  GRADUS_HD auto y(auto a, auto b) const { return ((a <= b) | (b != b)) ? a : b; }
  GRADUS_HD auto da_from_ab(auto a, auto b, auto dy) const {
    return a == b ? dy / 2 : ((a < b) | (b != b)) ? dy : as(0, dy);
  }
  GRADUS_HD auto db_from_ab(auto a, auto b, auto dy) const {
    return a == b ? dy / 2 : ((a < b) | (b != b)) ? as(0, dy) : dy;
  }
};

struct Atan2 {  // da = b dy / (a^2 + b^2), by way of the length r so that squares cannot overflow
  static constexpr auto name = "atan2";
  GRADUS_HD auto y(auto a, auto b) const { return math::atan2(a, b); }
  GRADUS_HD auto da_from_ab(auto a, auto b, auto dy) const {
    const auto r = math::hypot(a, b);
    return dy * (b / r) / r;
  }
  GRADUS_HD auto db_from_ab(auto a, auto b, auto dy) const {
    const auto r = math::hypot(a, b);
    return -dy * (a / r) / r;
  }
};

struct Hypot {
  static constexpr auto name = "hypot";
  static constexpr double lowest = 0.3;
  GRADUS_HD auto y(auto a, auto b) const { return math::hypot(a, b); }
  GRADUS_HD auto da_from_ab(auto a, auto b, auto dy) const { return dy * (a / math::hypot(a, b)); }
  GRADUS_HD auto db_from_ab(auto a, auto b, auto dy) const { return da_from_ab(b, a, dy); }
};

struct Prelu {  // b is the slope
  static constexpr auto name = "prelu";
  GRADUS_HD auto y(auto a, auto b) const { return a > 0 ? a : b * a; }
  GRADUS_HD auto da_from_ab(auto a, auto b, auto dy) const { return a > 0 ? dy : b * dy; }
  GRADUS_HD auto db_from_ab(auto a, auto, auto dy) const { return a > 0 ? as(0, dy) : a * dy; }
};

struct Glu {  // a sigmoid(b); db = dy a sigmoid(b) sigmoid(-b)
  static constexpr auto name = "glu";
  GRADUS_HD auto y(auto a, auto b) const { return a * math::sigmoid(b); }
  GRADUS_HD auto da_from_ab(auto, auto b, auto dy) const { return dy * math::sigmoid(b); }
  GRADUS_HD auto db_from_ab(auto a, auto b, auto dy) const {
    return dy * a * math::sigmoid(b) * math::sigmoid(-b);
  }
};

using BinaryOps = List<Add, AddScaled, Sub, Lerp, Mul, Div, Pow, Fmod, Remainder, Maximum, Minimum,
                       Fmax, Fmin, Atan2, Hypot, Prelu, Glu>;

}  // namespace gradus::ops
