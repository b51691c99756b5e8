// Contract: normalisation of channels over the batch.
#pragma once

#include "gradus/tensor/dispatch.h"
#include "gradus/tensor/tensor.h"

namespace gradus {

namespace cpu {
/// Batch statistics of x (N, C, H, W), row-major or channels last, into stats (2, C) of the compute
/// dtype: means, then 1 / sqrt(var + eps) with the variance by n = N H W. running_mean and
/// running_var (C), floating, any
/// stride, may be undefined: running = (1 - momentum) running + momentum batch,
/// the variance by n - 1; a channel whose statistics are not finite leaves its running ones alone.
/// Sums are in fixed groups of images that are joined in double: accurate, and the same bits for
/// both orders and any number of threads.
void batch_norm_statistics(const Tensor& x, double eps, double momentum, const Tensor& running_mean,
                           const Tensor& running_var, const Tensor& stats);
/// stats (2, C) from running statistics.
void batch_norm_from_running(const Tensor& running_mean, const Tensor& running_var, double eps,
                             const Tensor& stats);
/// y = (x - mean) (rstd weight) + bias. y lies as x; weight and bias (C) of x's dtype or undefined.
void batch_norm(const Tensor& x, const Tensor& weight, const Tensor& bias, const Tensor& stats,
                const Tensor& y);
/// sums (2, C) of the compute dtype: over the batch, of dy and of dy xhat.
void batch_norm_backward_sums(const Tensor& x, const Tensor& stats, const Tensor& dy,
                              const Tensor& sums);
/// dx = rstd weight (dy - mean dy - xhat mean(dy xhat)), or without `training` rstd weight dy.
void batch_norm_backward(const Tensor& x, const Tensor& weight, const Tensor& stats,
                         const Tensor& sums, bool training, const Tensor& dy, const Tensor& dx);
}  // namespace cpu

namespace cuda {
void batch_norm_statistics(const Tensor& x, double eps, double momentum, const Tensor& running_mean,
                           const Tensor& running_var, const Tensor& stats);
void batch_norm_from_running(const Tensor& running_mean, const Tensor& running_var, double eps,
                             const Tensor& stats);
void batch_norm(const Tensor& x, const Tensor& weight, const Tensor& bias, const Tensor& stats,
                const Tensor& y);
void batch_norm_backward_sums(const Tensor& x, const Tensor& stats, const Tensor& dy,
                              const Tensor& sums);
void batch_norm_backward(const Tensor& x, const Tensor& weight, const Tensor& stats,
                         const Tensor& sums, bool training, const Tensor& dy, const Tensor& dx);
}  // namespace cuda

}  // namespace gradus
