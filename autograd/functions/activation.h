// Activations: one line each; value and derivative stand in kernels/ops/activation.h.
#pragma once

#include <string_view>

#include "gradus/autograd/pointwise.h"

namespace gradus {

inline Tensor relu(const Tensor& x) { return pointwise(x, ops::Relu{}); }
inline Tensor relu6(const Tensor& x) { return pointwise(x, ops::Hardtanh{0, 6}); }
inline Tensor leaky_relu(const Tensor& x, double negative_slope = 0.01) {
  return pointwise(x, ops::LeakyRelu{negative_slope});
}
/// `weight` has one slope, or one for each channel (dimension 1).
Tensor prelu(const Tensor& x, const Tensor& weight);
inline Tensor threshold(const Tensor& x, double threshold, double value) {
  return pointwise(x, ops::Threshold{threshold, value});
}
inline Tensor elu(const Tensor& x, double alpha = 1) { return pointwise(x, ops::Elu{alpha, 1}); }
inline Tensor selu(const Tensor& x) {
  return pointwise(x, ops::Elu{1.6732632423543772848, 1.0507009873554804934});
}
inline Tensor celu(const Tensor& x, double alpha = 1) { return pointwise(x, ops::Celu{alpha}); }
/// approximate: "none" (x Phi(x)) or "tanh".
Tensor gelu(const Tensor& x, std::string_view approximate = "none");
inline Tensor silu(const Tensor& x) { return pointwise(x, ops::Silu{}); }
inline Tensor mish(const Tensor& x) { return pointwise(x, ops::Mish{}); }
inline Tensor softplus(const Tensor& x, double beta = 1, double threshold = 20) {
  return pointwise(x, ops::Softplus{beta, threshold});
}
inline Tensor softsign(const Tensor& x) { return pointwise(x, ops::Softsign{}); }
inline Tensor sigmoid(const Tensor& x) { return pointwise(x, ops::Sigmoid{}); }
inline Tensor logsigmoid(const Tensor& x) { return pointwise(x, ops::LogSigmoid{}); }
inline Tensor hardtanh(const Tensor& x, double min = -1, double max = 1) {
  check(min <= max, ErrorKind::argument, "hardtanh: min ", min, " is above max ", max);
  return pointwise(x, ops::Hardtanh{min, max});
}
inline Tensor hardsigmoid(const Tensor& x) { return pointwise(x, ops::Hardsigmoid{}); }
inline Tensor hardswish(const Tensor& x) { return pointwise(x, ops::Hardswish{}); }
/// a sigmoid(b), with x = (a, b) split in halves along `dim`.
Tensor glu(const Tensor& x, int dim = -1);

}  // namespace gradus
