// Public functions: normalisation. Half types are computed in float; NaN stays NaN.
#pragma once

#include <optional>

#include "gradus/tensor/tensor.h"

namespace gradus {

/// (x - mean) / sqrt(var + eps) weight + bias over the last dimensions, which must be
/// `normalized_shape`; weight and bias have that shape or are undefined.
Tensor layer_norm(const Tensor& x, const Shape& normalized_shape, const Tensor& weight = {},
                  const Tensor& bias = {}, double eps = 1e-5);

/// x / sqrt(mean x^2 + eps) weight over the last dimensions. Without `eps`: the spacing of numbers
/// at 1 in x's dtype (that of f32 for half types).
Tensor rms_norm(const Tensor& x, const Shape& normalized_shape, const Tensor& weight = {},
                std::optional<double> eps = {});

/// x (N, C, ...): each sample's channels in `num_groups` groups, each group normalised for itself;
/// weight and bias (C) or undefined.
Tensor group_norm(const Tensor& x, std::int64_t num_groups, const Tensor& weight = {},
                  const Tensor& bias = {}, double eps = 1e-5);

/// x (N, C, ...), each channel of each sample normalised for itself by its mean and variance, which
/// are mixed into running_mean and running_var (C), averaged over the samples, in place with weight
/// `momentum` (the variance by n - 1); without `use_input_stats` by the running ones.
Tensor instance_norm(const Tensor& x, const Tensor& running_mean = {},
                     const Tensor& running_var = {}, const Tensor& weight = {},
                     const Tensor& bias = {}, bool use_input_stats = true, double momentum = 0.1,
                     double eps = 1e-5);

/// x (N, C, ...), normalised for each channel. While training by the mean and variance of the
/// batch, which are mixed into running_mean and running_var (C) in place with weight `momentum`
/// (the variance by n - 1), except for channels where they are not finite; else by the running
/// ones. Channels-last strides are kept.
Tensor batch_norm(const Tensor& x, const Tensor& running_mean = {}, const Tensor& running_var = {},
                  const Tensor& weight = {}, const Tensor& bias = {}, bool training = false,
                  double momentum = 0.1, double eps = 1e-5);

}  // namespace gradus
