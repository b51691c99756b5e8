// The public functions: PyTorch's names, argument order and semantics.
#pragma once

#include "gradus/autograd/functions/loss.h"
#include "gradus/autograd/functions/random.h"
#include "gradus/autograd/functions/softmax.h"
#include "gradus/autograd/pointwise.h"
#include "gradus/kernels/create.h"

namespace gradus {

// ---- pointwise: one line each; value and derivative stand in kernels/ops.h ----
inline Tensor neg(const Tensor& x) { return pointwise(x, ops::Neg{}); }
inline Tensor exp(const Tensor& x) { return pointwise(x, ops::Exp{}); }
inline Tensor log(const Tensor& x) { return pointwise(x, ops::Log{}); }
inline Tensor tanh(const Tensor& x) { return pointwise(x, ops::Tanh{}); }
inline Tensor sigmoid(const Tensor& x) { return pointwise(x, ops::Sigmoid{}); }
inline Tensor relu(const Tensor& x) { return pointwise(x, ops::Relu{}); }
inline Tensor leaky_relu(const Tensor& x, double negative_slope = 0.01) {
  return pointwise(x, ops::LeakyRelu{negative_slope});
}
inline Tensor add(const Tensor& a, const Tensor& b) { return pointwise(a, b, ops::Add{}); }
inline Tensor sub(const Tensor& a, const Tensor& b) { return pointwise(a, b, ops::Sub{}); }
inline Tensor mul(const Tensor& a, const Tensor& b) { return pointwise(a, b, ops::Mul{}); }
inline Tensor div(const Tensor& a, const Tensor& b) { return pointwise(a, b, ops::Div{}); }
inline Tensor add(const Tensor& a, double b) { return pointwise(a, ops::AddScalar{b}); }
inline Tensor mul(const Tensor& a, double b) { return pointwise(a, ops::MulScalar{b}); }

inline Tensor operator+(const Tensor& a, const Tensor& b) { return add(a, b); }
inline Tensor operator-(const Tensor& a, const Tensor& b) { return sub(a, b); }
inline Tensor operator*(const Tensor& a, const Tensor& b) { return mul(a, b); }
inline Tensor operator/(const Tensor& a, const Tensor& b) { return div(a, b); }
inline Tensor operator-(const Tensor& a) { return neg(a); }
inline Tensor operator+(const Tensor& a, double b) { return add(a, b); }
inline Tensor operator*(const Tensor& a, double b) { return mul(a, b); }

}  // namespace gradus
