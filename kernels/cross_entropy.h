// Contract: softmax and cross-entropy of its rows in one, for class indices or probabilities.
//
// With p = softmax(x), q the target distribution (label smoothing e mixes a one-hot or given target
// with the uniform one: q = (1 - e) target + e / C) and weights w, a row's loss is
// -sum_c w_c q_c log p_c, and its gradient p_c sum_k w_k q_k - w_c q_c.
#pragma once

#include "gradus/kernels/reduction.h"
#include "gradus/tensor/dispatch.h"
#include "gradus/tensor/tensor.h"

namespace gradus {

struct CrossEntropy {
  std::int64_t ignore_index = -100;  // rows with this class lose nothing; not for probabilities
  Reduction reduction = Reduction::mean;
  double label_smoothing = 0;
};

namespace cpu {
/// x (R..., C) row-major; target (R...) of i64, or (R..., C) of x's dtype; weight (C) of x's dtype
/// or undefined. y (R...) or (). stats, for the backward, in the compute dtype: 3 R + 1 elements,
/// each row's maximum m, log sum e^(x - m) and loss, then what a mean divides by (the sum of the
/// rows' weights; R for probabilities). A class outside [0, C) is an Error(argument).
void cross_entropy(const Tensor& x, const Tensor& target, const Tensor& weight,
                   const CrossEntropy& options, const Tensor& y, const Tensor& stats);
/// dx (R..., C) row-major; may be x. dy (R...) row-major, or ().
void cross_entropy_backward(const Tensor& x, const Tensor& target, const Tensor& weight,
                            const CrossEntropy& options, const Tensor& stats, const Tensor& dy,
                            const Tensor& dx);
}  // namespace cpu

namespace cuda {
void cross_entropy(const Tensor& x, const Tensor& target, const Tensor& weight,
                   const CrossEntropy& options, const Tensor& y, const Tensor& stats);
void cross_entropy_backward(const Tensor& x, const Tensor& target, const Tensor& weight,
                            const CrossEntropy& options, const Tensor& stats, const Tensor& dy,
                            const Tensor& dx);
}  // namespace cuda

}  // namespace gradus
