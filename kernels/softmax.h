// Contract: softmax and its logarithm along rows.
#pragma once

#include "gradus/tensor/dispatch.h"
#include "gradus/tensor/tensor.h"

namespace gradus {

namespace cpu {
/// y = e^x / sum e^x over the last dimension, or its logarithm. x, y (..., N) row-major; y may be
/// x.
void softmax(const Tensor& x, bool log, const Tensor& y);
/// dx = y (dy - sum y dy), or for the logarithm dy - e^y sum dy. All (..., N) row-major; dx may be
/// dy.
void softmax_backward(const Tensor& y, const Tensor& dy, bool log, const Tensor& dx);
}  // namespace cpu

namespace cuda {
void softmax(const Tensor& x, bool log, const Tensor& y);
void softmax_backward(const Tensor& y, const Tensor& dy, bool log, const Tensor& dx);
}  // namespace cuda

}  // namespace gradus
