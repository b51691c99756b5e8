// Convolutions as layers. Weights are (out_channels, in_channels / groups, kernel...).
#pragma once

#include "gradus/autograd/functions/pair.h"
#include "gradus/nn/module.h"

namespace gradus::nn {

struct Conv1dOptions {
  std::int64_t stride = 1, padding = 0, dilation = 1, groups = 1;
  bool bias = true;
};

/// (N, C, L) -> (N, out_channels, L'), or both without N.
class Conv1d : public Module {
 public:
  Conv1d(std::int64_t in_channels, std::int64_t out_channels, std::int64_t kernel_size,
         Conv1dOptions options = {}, TensorOptions tensor_options = {});
  Tensor forward(const Tensor& x) override;
  void visit(Visitor& v) override;
  /// Uniform on +-1 / sqrt(inputs of one output), weight and bias alike.
  void reset_parameters();
  std::string extra() const override;

  std::int64_t in_channels, out_channels, kernel_size;
  Conv1dOptions options;
  Tensor weight, bias;  // bias: undefined without
};

struct Conv2dOptions {
  Pair stride = 1, padding = 0, dilation = 1;
  std::int64_t groups = 1;
  bool bias = true;
};

/// (N, C, H, W) -> (N, out_channels, H', W'), or both without N; channels-last strides are kept.
class Conv2d : public Module {
 public:
  Conv2d(std::int64_t in_channels, std::int64_t out_channels, Pair kernel_size,
         Conv2dOptions options = {}, TensorOptions tensor_options = {});
  Tensor forward(const Tensor& x) override;
  void visit(Visitor& v) override;
  void reset_parameters();  // as Conv1d's
  std::string extra() const override;

  std::int64_t in_channels, out_channels;
  Pair kernel_size;
  Conv2dOptions options;
  Tensor weight, bias;
};

struct Conv3dOptions {
  Triple stride = 1, padding = 0, dilation = 1;
  std::int64_t groups = 1;
  bool bias = true;
};

/// (N, C, D, H, W) -> (N, out_channels, D', H', W'), or both without N.
class Conv3d : public Module {
 public:
  Conv3d(std::int64_t in_channels, std::int64_t out_channels, Triple kernel_size,
         Conv3dOptions options = {}, TensorOptions tensor_options = {});
  Tensor forward(const Tensor& x) override;
  void visit(Visitor& v) override;
  void reset_parameters();  // as Conv1d's
  std::string extra() const override;

  std::int64_t in_channels, out_channels;
  Triple kernel_size;
  Conv3dOptions options;
  Tensor weight, bias;
};

}  // namespace gradus::nn
