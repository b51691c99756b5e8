// Convolution layers.
#pragma once

#include "gradus/autograd/functions/pair.h"
#include "gradus/nn/module.h"

namespace gradus::nn {

struct Conv1dOptions {
  std::int64_t stride = 1, padding = 0, dilation = 1, groups = 1;
  bool bias = true;
};

/// x (N, C, L) -> y (N, O, L'). W is (O, C / groups, K).
class Conv1d : public Module {
 public:
  Conv1d(std::int64_t in_channels, std::int64_t out_channels, std::int64_t kernel_size,
         Conv1dOptions options = {});
  Tensor forward(const Tensor& x) override;
  void visit(Visitor& v) override;
  /// What the constructor draws: uniform on +-1 / sqrt(fan in), weight and bias alike.
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

/// x (N, C, H, W) -> y (N, O, H', W'). W is (O, C / groups, KH, KW).
class Conv2d : public Module {
 public:
  Conv2d(std::int64_t in_channels, std::int64_t out_channels, Pair kernel_size,
         Conv2dOptions options = {});
  Tensor forward(const Tensor& x) override;
  void visit(Visitor& v) override;
  /// What the constructor draws: uniform on +-1 / sqrt(fan in), weight and bias alike.
  void reset_parameters();
  std::string extra() const override;
  std::int64_t in_channels, out_channels;
  Pair kernel_size;
  Conv2dOptions options;
  Tensor weight, bias;  // bias: undefined without
};

}  // namespace gradus::nn
