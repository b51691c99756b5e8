// Contract: ops whose result is a truth value, and choosing by one.
#pragma once

#include "gradus/kernels/ops.h"
#include "gradus/tensor/dispatch.h"
#include "gradus/tensor/tensor.h"

namespace gradus {

namespace cpu {
/// y = op(a, b), y boolean. a and b of one dtype, any; they broadcast to y's shape. `op.index` is a
/// place in ops::Comparisons.
void compare(const OpCall& op, const Tensor& a, const Tensor& b, const Tensor& y);
/// y = op(x), y boolean. `op.index` is a place in ops::Predicates.
void predicate(const OpCall& op, const Tensor& x, const Tensor& y);
/// y = condition ? a : b. a, b and y of one dtype; condition (boolean), a, b broadcast to y's
/// shape.
void where(const Tensor& condition, const Tensor& a, const Tensor& b, const Tensor& y);
}  // namespace cpu

namespace cuda {
void compare(const OpCall& op, const Tensor& a, const Tensor& b, const Tensor& y);
void predicate(const OpCall& op, const Tensor& x, const Tensor& y);
void where(const Tensor& condition, const Tensor& a, const Tensor& b, const Tensor& y);
}  // namespace cuda

}  // namespace gradus
