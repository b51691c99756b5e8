// Contract: the negative log-likelihood of class indices, from log-probabilities.
#pragma once

#include "gradus/kernels/reduction.h"
#include "gradus/tensor/dispatch.h"
#include "gradus/tensor/tensor.h"

namespace gradus {

struct NllLoss {
  std::int64_t ignore_index = -100;  // rows with this class lose nothing
  Reduction reduction = Reduction::mean;
};

namespace cpu {
/// loss[r] = -w[t[r]] x[r, t[r]]. x (R..., C) row-major; target (R...) of i64; weight (C) of x's
/// dtype or undefined; y (R...) or (); divisor () in the compute dtype: the sum of the rows'
/// weights, which a mean divides by. A class outside [0, C) is an Error(argument).
void nll_loss(const Tensor& x, const Tensor& target, const Tensor& weight, const NllLoss& options,
              const Tensor& y, const Tensor& divisor);
/// dx (R..., C) row-major: zero but for -w[t] dy at each row's class. dy (R...) row-major, or ().
void nll_loss_backward(const Tensor& target, const Tensor& weight, const NllLoss& options,
                       const Tensor& divisor, const Tensor& dy, const Tensor& dx);
}  // namespace cpu

namespace cuda {
void nll_loss(const Tensor& x, const Tensor& target, const Tensor& weight, const NllLoss& options,
              const Tensor& y, const Tensor& divisor);
void nll_loss_backward(const Tensor& target, const Tensor& weight, const NllLoss& options,
                       const Tensor& divisor, const Tensor& dy, const Tensor& dx);
}  // namespace cuda

}  // namespace gradus
