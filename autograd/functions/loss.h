// Public functions: losses. `reduction` is Reduction::none, mean or sum, or the word as PyTorch has
// it; the mean of an empty batch is NaN.
#pragma once

#include "gradus/kernels/reduction.h"
#include "gradus/tensor/tensor.h"

namespace gradus {

/// Cross-entropy of softmax(x), computed in one pass over the logits x (N, C, ...) or (C).
/// `target` is class indices (N, ...) of an integer dtype, or probabilities of x's shape; `weight`
/// (C) scales classes; rows whose index is `ignore_index` count for nothing; `label_smoothing` in
/// [0, 1] mixes the target with the uniform distribution. A weighted mean divides by the sum of the
/// targets' weights. A class index outside [0, C) is an Error(argument).
Tensor cross_entropy(const Tensor& x, const Tensor& target, const Tensor& weight = {},
                     std::int64_t ignore_index = -100, Reduction reduction = Reduction::mean,
                     double label_smoothing = 0);

/// -w[target] x[target] for log-probabilities x (N, C, ...) or (C) and class indices (N, ...).
Tensor nll_loss(const Tensor& x, const Tensor& target, const Tensor& weight = {},
                std::int64_t ignore_index = -100, Reduction reduction = Reduction::mean);

// Element by element; x and target broadcast, and both may want a gradient.

Tensor mse_loss(const Tensor& x, const Tensor& target, Reduction reduction = Reduction::mean);

Tensor l1_loss(const Tensor& x, const Tensor& target, Reduction reduction = Reduction::mean);

/// (x - t)^2 / (2 beta) where |x - t| < beta, else |x - t| - beta / 2.
Tensor smooth_l1_loss(const Tensor& x, const Tensor& target, Reduction reduction = Reduction::mean,
                      double beta = 1);

/// (x - t)^2 / 2 where |x - t| <= delta, else delta (|x - t| - delta / 2).
Tensor huber_loss(const Tensor& x, const Tensor& target, Reduction reduction = Reduction::mean,
                  double delta = 1);

/// t (log t - x) for log-probabilities x and probabilities t, or their logarithms (`log_target`).
/// Reduction "batchmean" divides the sum by the first size: the divergence by its definition.
Tensor kl_div(const Tensor& x, const Tensor& target, Reduction reduction = Reduction::mean,
              bool log_target = false);

}  // namespace gradus
