// Public functions: losses. `reduction` is Reduction::none, mean or sum, or the word as PyTorch has
// it; the mean of an empty batch is NaN.
#pragma once

#include "gradus/kernels/reduction.h"
#include "gradus/tensor/tensor.h"

namespace gradus {

/// Cross-entropy of softmax(x), computed in one pass over the logits x (N, C, ...) or (C).
/// `target` is class indices (N, ...) of an integer dtype, or probabilities of x's shape, which may
/// want a gradient; `weight` (C) scales classes; rows whose index is `ignore_index` count for
/// nothing; `label_smoothing` in [0, 1] mixes the target with the uniform distribution. A weighted
/// mean divides by the sum of the targets' weights; one over probabilities by the number of rows. A
/// class index outside [0, C) is an Error(argument).
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

/// -(t log x + (1 - t) log(1 - x)) for probabilities x, which must lie in [0, 1]; logarithms end at
/// -100. `weight` broadcasts to x's shape.
Tensor bce(const Tensor& x, const Tensor& target, const Tensor& weight = {},
           Reduction reduction = Reduction::mean);

/// The same for logits x, without overflow; `pos_weight` (broadcast) scales the part of t.
Tensor bce_with_logits(const Tensor& x, const Tensor& target, const Tensor& weight = {},
                       Reduction reduction = Reduction::mean, const Tensor& pos_weight = {});

/// t (log t - x) for log-probabilities x and probabilities t, or their logarithms (`log_target`).
/// Reduction "batchmean" divides the sum by the first size: the divergence by its definition.
Tensor kl_div(const Tensor& x, const Tensor& target, Reduction reduction = Reduction::mean,
              bool log_target = false);

// Of pairs of vectors.

/// 1 - cos(a, b) where target is 1, max(0, cos(a, b) - margin) where it is -1. a, b (N, D) or (D);
/// target (N) or ().
Tensor cosine_embedding_loss(const Tensor& a, const Tensor& b, const Tensor& target,
                             double margin = 0, Reduction reduction = Reduction::mean);

/// max(0, d(anchor, positive) - d(anchor, negative) + margin) with d(u, v) = |u - v + eps|_p over
/// the last dimension; `swap` takes d(positive, negative) if that is smaller.
Tensor triplet_margin_loss(const Tensor& anchor, const Tensor& positive, const Tensor& negative,
                           double margin = 1, double p = 2, double eps = 1e-6, bool swap = false,
                           Reduction reduction = Reduction::mean);

}  // namespace gradus
