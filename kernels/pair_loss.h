// Contract: losses that compare x with a target t element by element. `op.index` is a place in
// ops::LossOps.
#pragma once

#include "gradus/kernels/loss_ops.h"
#include "gradus/tensor/dispatch.h"
#include "gradus/tensor/tensor.h"

namespace gradus {

namespace cpu {
/// y = loss(x, t): an element each if y has x's shape, or their sum / divisor if y is (). x, t and
/// y row-major, of one floating dtype. Throws (argument) for an x outside the op's domain.
void pair_loss(const OpCall& op, const Tensor& x, const Tensor& t, double divisor, const Tensor& y);
/// dx = d loss/dx (of_target: dt = d loss/dt) * (dy / divisor); dy as y above; dx may be x or t.
void pair_loss_backward(const OpCall& op, const Tensor& x, const Tensor& t, double divisor,
                        const Tensor& dy, bool of_target, const Tensor& dx);
}  // namespace cpu

namespace cuda {
void pair_loss(const OpCall& op, const Tensor& x, const Tensor& t, double divisor, const Tensor& y);
void pair_loss_backward(const OpCall& op, const Tensor& x, const Tensor& t, double divisor,
                        const Tensor& dy, bool of_target, const Tensor& dx);
}  // namespace cuda

}  // namespace gradus
