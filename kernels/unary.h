// Contract: pointwise ops of one tensor. `op.index` is a place in ops::UnaryOps.
#pragma once

#include "gradus/kernels/ops.h"
#include "gradus/tensor/dispatch.h"
#include "gradus/tensor/tensor.h"

namespace gradus {

namespace cpu {
/// y = op(x). Same shape and dtype, any strides; y may be x. Throws (dtype) if op does not know the
/// dtype.
void unary(const OpCall& op, const Tensor& x, const Tensor& y);
/// dx = op'(x, y) * dy. `x` or `y` may be undefined where the op does not keep it; dx may be dy.
void unary_backward(const OpCall& op, const Tensor& x, const Tensor& y, const Tensor& dy,
                    const Tensor& dx);
}  // namespace cpu

namespace cuda {
void unary(const OpCall& op, const Tensor& x, const Tensor& y);
void unary_backward(const OpCall& op, const Tensor& x, const Tensor& y, const Tensor& dy,
                    const Tensor& dx);
}  // namespace cuda

}  // namespace gradus
