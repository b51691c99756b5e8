// Transposed convolutions as layers. Weights are (in_channels, out_channels / groups, kernel...).
#pragma once

#include "gradus/autograd/functions/pair.h"
#include "gradus/nn/module.h"

namespace gradus::nn {

struct ConvTranspose1dOptions {
  std::int64_t stride = 1, padding = 0, output_padding = 0, groups = 1;
  bool bias = true;
  std::int64_t dilation = 1;
};

/// (N, C, L) -> (N, out_channels, L'), or both without N; see conv_transpose1d for L'.
class ConvTranspose1d : public Module {
 public:
  ConvTranspose1d(std::int64_t in_channels, std::int64_t out_channels, std::int64_t kernel_size,
                  ConvTranspose1dOptions options = {}, TensorOptions tensor_options = {});
  Tensor forward(const Tensor& x) override;
  void visit(Visitor& v) override;
  /// Uniform on +-1 / sqrt(out_channels / groups times the kernel's size), weight and bias alike.
  void reset_parameters();
  std::string extra() const override;

  std::int64_t in_channels, out_channels, kernel_size;
  ConvTranspose1dOptions options;
  Tensor weight, bias;  // bias: undefined without
};

struct ConvTranspose2dOptions {
  Pair stride = 1, padding = 0, output_padding = 0;
  std::int64_t groups = 1;
  bool bias = true;
  Pair dilation = 1;
};

/// (N, C, H, W) -> (N, out_channels, H', W'), or both without N; channels-last strides are kept.
class ConvTranspose2d : public Module {
 public:
  ConvTranspose2d(std::int64_t in_channels, std::int64_t out_channels, Pair kernel_size,
                  ConvTranspose2dOptions options = {}, TensorOptions tensor_options = {});
  Tensor forward(const Tensor& x) override;
  void visit(Visitor& v) override;
  void reset_parameters();  // as ConvTranspose1d's
  std::string extra() const override;

  std::int64_t in_channels, out_channels;
  Pair kernel_size;
  ConvTranspose2dOptions options;
  Tensor weight, bias;
};

}  // namespace gradus::nn
