// Contract: pointwise ops of two tensors. `op.index` is a place in ops::BinaryOps.
#pragma once

#include "gradus/kernels/ops.h"
#include "gradus/tensor/dispatch.h"
#include "gradus/tensor/tensor.h"

namespace gradus {

namespace cpu {
/// y = op(a, b). One dtype; a and b broadcast to y's shape; any strides; y may be a or b where
/// shapes agree.
void binary(const OpCall& op, const Tensor& a, const Tensor& b, const Tensor& y);
/// da = d op/da * dy in y's full shape (the caller sums over broadcast dimensions); for ops that
/// keep inputs.
void binary_backward_a(const OpCall& op, const Tensor& a, const Tensor& b, const Tensor& dy,
                       const Tensor& da);
void binary_backward_b(const OpCall& op, const Tensor& a, const Tensor& b, const Tensor& dy,
                       const Tensor& db);
}  // namespace cpu

namespace cuda {
void binary(const OpCall& op, const Tensor& a, const Tensor& b, const Tensor& y);
void binary_backward_a(const OpCall& op, const Tensor& a, const Tensor& b, const Tensor& dy,
                       const Tensor& da);
void binary_backward_b(const OpCall& op, const Tensor& a, const Tensor& b, const Tensor& dy,
                       const Tensor& db);
}  // namespace cuda

}  // namespace gradus
