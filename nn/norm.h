// Normalisations as layers. Scale and shift have the role `norm`: no weight decay where that goes
// by role.
#pragma once

#include <optional>

#include "gradus/nn/module.h"

namespace gradus::nn {

struct BatchNormOptions {
  double eps = 1e-5;
  /// The weight of the newest batch in the running statistics; none: the mean over all batches.
  std::optional<double> momentum = 0.1;
  bool affine = true;
  bool track_running_stats = true;
};

/// y = (x - mean) / sqrt(variance + eps) * weight + bias for each channel. While training, mean and
/// variance are the batch's, and the running ones follow; else they are the running ones.
class BatchNorm : public Module {
 public:
  BatchNorm(std::int64_t num_features, BatchNormOptions options, TensorOptions tensor_options);
  Tensor forward(const Tensor& x) override;
  void visit(Visitor& v) override;
  std::string extra() const override;

  std::int64_t num_features;
  BatchNormOptions options;
  Tensor weight, bias;                                    // (C)
  Tensor running_mean, running_var, num_batches_tracked;  // (C), (C), ()

 protected:
  /// Throws (shape) unless x has the number of dimensions that the layer is for.
  virtual void check_dims(const Tensor& x) const = 0;
};

/// x (N, C) or (N, C, L).
class BatchNorm1d : public BatchNorm {
 public:
  explicit BatchNorm1d(std::int64_t num_features, BatchNormOptions options = {},
                       TensorOptions tensor_options = {})
      : BatchNorm(num_features, options, tensor_options) {}

 protected:
  void check_dims(const Tensor& x) const override;
};

/// x (N, C, H, W).
class BatchNorm2d : public BatchNorm {
 public:
  explicit BatchNorm2d(std::int64_t num_features, BatchNormOptions options = {},
                       TensorOptions tensor_options = {})
      : BatchNorm(num_features, options, tensor_options) {}

 protected:
  void check_dims(const Tensor& x) const override;
};

struct LayerNormOptions {
  double eps = 1e-5;
  bool elementwise_affine = true;
  bool bias = true;
};

/// Normalises each (normalized_shape) block of x (..., normalized_shape).
class LayerNorm : public Module {
 public:
  explicit LayerNorm(const Shape& normalized_shape, LayerNormOptions options = {},
                     TensorOptions tensor_options = {});
  explicit LayerNorm(std::int64_t size, LayerNormOptions options = {},
                     TensorOptions tensor_options = {})
      : LayerNorm(Shape{size}, options, tensor_options) {}
  Tensor forward(const Tensor& x) override;
  void visit(Visitor& v) override;
  std::string extra() const override;

  Shape normalized_shape;
  LayerNormOptions options;
  Tensor weight, bias;
};

struct RMSNormOptions {
  std::optional<double> eps;  // none: the dtype's epsilon
  bool elementwise_affine = true;
};

/// y = x / sqrt(mean of x^2 + eps) * weight over each block. Zhang and Sennrich 2019.
class RMSNorm : public Module {
 public:
  explicit RMSNorm(const Shape& normalized_shape, RMSNormOptions options = {},
                   TensorOptions tensor_options = {});
  explicit RMSNorm(std::int64_t size, RMSNormOptions options = {},
                   TensorOptions tensor_options = {})
      : RMSNorm(Shape{size}, options, tensor_options) {}
  Tensor forward(const Tensor& x) override;
  void visit(Visitor& v) override;
  std::string extra() const override;

  Shape normalized_shape;
  RMSNormOptions options;
  Tensor weight;
};

struct GroupNormOptions {
  double eps = 1e-5;
  bool affine = true;
};

/// Normalises each sample of x (N, C, ...) over `num_groups` groups of channels. Wu and He 2018.
class GroupNorm : public Module {
 public:
  GroupNorm(std::int64_t num_groups, std::int64_t num_channels, GroupNormOptions options = {},
            TensorOptions tensor_options = {});
  Tensor forward(const Tensor& x) override;
  void visit(Visitor& v) override;
  std::string extra() const override;

  std::int64_t num_groups, num_channels;
  GroupNormOptions options;
  Tensor weight, bias;
};

struct InstanceNormOptions {
  double eps = 1e-5;
  double momentum = 0.1;  // the weight of the newest batch in the running statistics
  bool affine = false;
  bool track_running_stats = false;
};

/// Normalises each channel of each image of x (N, C, H, W) or (C, H, W); with running statistics by
/// these where it does not train. Ulyanov, Vedaldi and Lempitsky 2016.
class InstanceNorm2d : public Module {
 public:
  explicit InstanceNorm2d(std::int64_t num_features, InstanceNormOptions options = {},
                          TensorOptions tensor_options = {});
  Tensor forward(const Tensor& x) override;
  void visit(Visitor& v) override;
  std::string extra() const override;

  std::int64_t num_features;
  InstanceNormOptions options;
  Tensor weight, bias;                                    // (C)
  Tensor running_mean, running_var, num_batches_tracked;  // (C), (C), ()
};

}  // namespace gradus::nn
