// Every loss that compares x with a target t element by element, once: its value and both
// derivatives. As in kernels/ops.h an op is a value, its parameters are data members, and the CPU
// loop, the CUDA kernel and the gradient check come from its struct here.
#pragma once

#include "gradus/kernels/ops.h"

namespace gradus::ops {

template <class Op>
concept Loss = requires(Op op, float v) {
  { Op::name } -> std::convertible_to<std::string_view>;
  { op.y(v, v) } -> std::same_as<float>;
  { op.dx(v, v) } -> std::same_as<float>;
  { op.dt(v, v) } -> std::same_as<float>;
};
/// Losses of probabilities: an x outside [0, 1] is an error.
template <class Op>
concept UnitInterval = requires {
  Op::unit_interval;
};

struct MseLoss {
  static constexpr auto name = "mse_loss";
  GRADUS_HD auto y(auto x, auto t) const { return (x - t) * (x - t); }
  GRADUS_HD auto dx(auto x, auto t) const { return 2 * (x - t); }
  GRADUS_HD auto dt(auto x, auto t) const { return 2 * (t - x); }
};

struct L1Loss {
  static constexpr auto name = "l1_loss";
  GRADUS_HD auto y(auto x, auto t) const { return math::abs(x - t); }
  GRADUS_HD auto dx(auto x, auto t) const { return math::sign(x - t); }
  GRADUS_HD auto dt(auto x, auto t) const { return math::sign(t - x); }
};

struct SmoothL1Loss {  // d^2 / (2 beta) below beta, |d| - beta / 2 above
  static constexpr auto name = "smooth_l1_loss";
  double beta = 1;
  GRADUS_HD auto y(auto x, auto t) const {
    const auto a = math::abs(x - t), b = as(beta, x);
    return a < b ? a * a / (2 * b) : a - b / 2;
  }
  GRADUS_HD auto dx(auto x, auto t) const {
    const auto d = x - t, b = as(beta, x);
    return math::abs(d) < b ? d / b : math::sign(d);
  }
  GRADUS_HD auto dt(auto x, auto t) const { return -dx(x, t); }
};

struct HuberLoss {  // d^2 / 2 up to delta, delta (|d| - delta / 2) above
  static constexpr auto name = "huber_loss";
  double delta = 1;
  GRADUS_HD auto y(auto x, auto t) const {
    const auto a = math::abs(x - t), b = as(delta, x);
    return a <= b ? a * a / 2 : b * (a - b / 2);
  }
  GRADUS_HD auto dx(auto x, auto t) const {
    const auto d = x - t, b = as(delta, x);
    return math::abs(d) <= b ? d : math::sign(d) * b;
  }
  GRADUS_HD auto dt(auto x, auto t) const { return -dx(x, t); }
};

struct BceLoss {  // -t log x - (1 - t) log(1 - x); logarithms end at -100, as in PyTorch
  static constexpr auto name = "bce";
  static constexpr bool unit_interval = true;
  static GRADUS_HD auto log_above(auto v) { return v < -100 ? as(-100, v) : v; }
  GRADUS_HD auto y(auto x, auto t) const {
    return (t - 1) * log_above(math::log1p(-x)) - t * log_above(math::log(x));
  }
  GRADUS_HD auto dx(auto x, auto t) const {
    const auto v = (1 - x) * x;
    return (x - t) / (v < as(1e-12, x) ? as(1e-12, x) : v);
  }
  GRADUS_HD auto dt(auto x, auto) const {
    return log_above(math::log1p(-x)) - log_above(math::log(x));
  }
};

struct BceWithLogits {  // max(x, 0) - x t + log(1 + e^-|x|)
  static constexpr auto name = "bce_with_logits";
  GRADUS_HD auto y(auto x, auto t) const {
    return (x < 0 ? as(0, x) : x) - x * t + math::log1p(math::exp(-math::abs(x)));
  }
  GRADUS_HD auto dx(auto x, auto t) const { return math::sigmoid(x) - t; }
  GRADUS_HD auto dt(auto x, auto) const { return -x; }
};

struct KlDiv {  // t (log t - x), 0 where t is; x are log-probabilities
  static constexpr auto name = "kl_div";
  GRADUS_HD auto y(auto x, auto t) const { return t == 0 ? as(0, x) : t * (math::log(t) - x); }
  GRADUS_HD auto dx(auto, auto t) const { return -t; }
  GRADUS_HD auto dt(auto x, auto t) const { return t == 0 ? as(0, x) : math::log(t) + 1 - x; }
};

struct KlDivLogTarget {  // e^t (t - x)
  static constexpr auto name = "kl_div";
  GRADUS_HD auto y(auto x, auto t) const { return math::exp(t) * (t - x); }
  GRADUS_HD auto dx(auto, auto t) const { return -math::exp(t); }
  GRADUS_HD auto dt(auto x, auto t) const { return math::exp(t) * (t + 1 - x); }
};

using LossOps =
    List<MseLoss, L1Loss, SmoothL1Loss, HuberLoss, BceLoss, BceWithLogits, KlDiv, KlDivLogTarget>;

}  // namespace gradus::ops
