// The activations. Where y nears a constant the derivative is computed from x, so that it is right
// in the tails: elu at -20, gelu at -10. NaN goes through every one of them.
#pragma once

#include "gradus/kernels/ops/op.h"

namespace gradus::ops {

struct Sigmoid {
  static constexpr auto name = "sigmoid";
  GRADUS_HD auto y(auto x) const { return math::sigmoid(x); }
  GRADUS_HD auto dx_from_y(auto y, auto dy) const { return dy * (1 - y) * y; }
};

struct LogSigmoid {
  static constexpr auto name = "logsigmoid";
  GRADUS_HD auto y(auto x) const { return math::logsigmoid(x); }
  GRADUS_HD auto dx_from_x(auto x, auto dy) const { return dy * math::sigmoid(-x); }
};

struct Relu {  // relu'(0) = 0
  static constexpr auto name = "relu";
  static constexpr bool integers = true;
  GRADUS_HD auto y(auto x) const { return x < 0 ? as(0, x) : x; }
  GRADUS_HD auto dx_from_y(auto y, auto dy) const { return y <= 0 ? as(0, dy) : dy; }
};

struct LeakyRelu {
  static constexpr auto name = "leaky_relu";
  double slope = 0.01;
  GRADUS_HD auto y(auto x) const { return x > 0 ? x : as(slope, x) * x; }
  GRADUS_HD auto dx_from_x(auto x, auto dy) const { return x > 0 ? dy : as(slope, dy) * dy; }
};

struct Threshold {
  static constexpr auto name = "threshold";
  static constexpr bool integers = true;
  double threshold = 0, value = 0;
  GRADUS_HD auto y(auto x) const {
    return x <= as_nearest(threshold, x) ? as_nearest(value, x) : x;
  }
  GRADUS_HD auto dx_from_x(auto x, auto dy) const { return x <= as(threshold, x) ? as(0, dy) : dy; }
};

struct Elu {  // x > 0: scale x, else scale alpha (e^x - 1); selu is one of these
  static constexpr auto name = "elu";
  double alpha = 1, scale = 1;
  GRADUS_HD auto y(auto x) const {
    return x > 0 ? as(scale, x) * x : as(alpha * scale, x) * math::expm1(x);
  }
  GRADUS_HD auto dx_from_x(auto x, auto dy) const {
    return x > 0 ? as(scale, x) * dy : as(alpha * scale, x) * math::exp(x) * dy;
  }
};

struct Celu {  // x > 0: x, else alpha (e^(x / alpha) - 1)
  static constexpr auto name = "celu";
  double alpha = 1;
  GRADUS_HD auto y(auto x) const {
    return x > 0 ? x : as(alpha, x) * math::expm1(x / as(alpha, x));
  }
  GRADUS_HD auto dx_from_x(auto x, auto dy) const {
    return x > 0 ? dy : dy * math::exp(x / as(alpha, x));
  }
};

struct Gelu {  // x Phi(x), Phi the normal distribution
  static constexpr auto name = "gelu";
  GRADUS_HD auto y(auto x) const { return math::gelu(x); }
  GRADUS_HD auto dx_from_x(auto x, auto dy) const { return dy * math::gelu_dx(x); }
};

struct GeluTanh {
  static constexpr auto name = "gelu";
  GRADUS_HD auto y(auto x) const { return math::gelu_tanh(x); }
  GRADUS_HD auto dx_from_x(auto x, auto dy) const { return dy * math::gelu_tanh_dx(x); }
};

struct Silu {
  static constexpr auto name = "silu";
  GRADUS_HD auto y(auto x) const { return math::silu(x); }
  GRADUS_HD auto dx_from_x(auto x, auto dy) const { return dy * math::silu_dx(x); }
};

struct Mish {
  static constexpr auto name = "mish";
  GRADUS_HD auto y(auto x) const { return math::mish(x); }
  GRADUS_HD auto dx_from_x(auto x, auto dy) const { return dy * math::mish_dx(x); }
};

struct Softplus {
  static constexpr auto name = "softplus";
  double beta = 1, threshold = 20;
  GRADUS_HD auto y(auto x) const { return math::softplus(x, as(beta, x), as(threshold, x)); }
  GRADUS_HD auto dx_from_x(auto x, auto dy) const {
    const auto z = as(beta, x) * x;
    return z > as(threshold, x) ? dy : dy * math::sigmoid(z);
  }
};

struct Softsign {
  static constexpr auto name = "softsign";
  GRADUS_HD auto y(auto x) const { return x / (1 + math::abs(x)); }
  GRADUS_HD auto dx_from_x(auto x, auto dy) const {
    const auto d = 1 + math::abs(x);
    return dy / d / d;
  }
};

struct Hardtanh {  // clamp, but the gradient is zero at the bounds; relu6 is one of these
  static constexpr auto name = "hardtanh";
  static constexpr bool integers = true;
  double lo = -1, hi = 1;
  GRADUS_HD auto y(auto x) const { return math::clamp(x, as_nearest(lo, x), as_nearest(hi, x)); }
  GRADUS_HD auto dx_from_x(auto x, auto dy) const {
    return ((x <= as(lo, x)) | (x >= as(hi, x))) ? as(0, dy) : dy;
  }
};

struct Hardsigmoid {  // min(max(x + 3, 0), 6) / 6
  static constexpr auto name = "hardsigmoid";
  GRADUS_HD auto y(auto x) const { return math::clamp(x + 3, as(0, x), as(6, x)) / 6; }
  GRADUS_HD auto dx_from_x(auto x, auto dy) const {
    return ((x > -3) & (x < 3)) ? dy / 6 : as(0, dy);
  }
};

struct Hardswish {  // x hardsigmoid(x)
  static constexpr auto name = "hardswish";
  GRADUS_HD auto y(auto x) const { return x * math::clamp(x + 3, as(0, x), as(6, x)) / 6; }
  GRADUS_HD auto dx_from_x(auto x, auto dy) const {
    const auto middle = dy * (x / 3 + as(0.5, x));
    return x <= -3 ? as(0, dy) : x >= 3 ? dy : middle;
  }
};

using ActivationOps =
    List<Sigmoid, LogSigmoid, Relu, LeakyRelu, Threshold, Elu, Celu, Gelu, GeluTanh, Silu, Mish,
         Softplus, Softsign, Hardtanh, Hardsigmoid, Hardswish>;

}  // namespace gradus::ops
