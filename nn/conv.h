// Convolutions and transposed ones as layers, one template over the number of dimensions. Weights
// are (out_channels, in_channels / groups, kernel...), those of a transposed convolution
// (in_channels, out_channels / groups, kernel...).
#pragma once

#include "gradus/autograd/functions/pair.h"
#include "gradus/nn/module.h"

namespace gradus::nn {

/// `S`: a number, Pair or Triple, for one, two or three dimensions.
template <class S>
struct ConvOptions {
  using Size = S;
  static constexpr bool transposed = false;

  S stride = 1;
  Padding<S> padding = 0;  // numbers, "same" (for a stride of 1) or "valid"
  S dilation = 1;
  std::int64_t groups = 1;
  bool bias = true;
  std::string padding_mode = "zeros";  // or "reflect", "replicate", "circular", as pad() does them
};
using Conv1dOptions = ConvOptions<std::int64_t>;
using Conv2dOptions = ConvOptions<Pair>;
using Conv3dOptions = ConvOptions<Triple>;

template <class S>
struct ConvTransposeOptions {
  using Size = S;
  static constexpr bool transposed = true;

  S stride = 1, padding = 0, output_padding = 0;
  std::int64_t groups = 1;
  bool bias = true;
  S dilation = 1;
};
using ConvTranspose1dOptions = ConvTransposeOptions<std::int64_t>;
using ConvTranspose2dOptions = ConvTransposeOptions<Pair>;

/// What the layers below are: they differ in Options alone.
template <class Options>
class ConvLayer : public Module {
 public:
  using Size = typename Options::Size;
  static constexpr bool transposed = Options::transposed;

  ConvLayer(std::int64_t in_channels, std::int64_t out_channels, Size kernel_size,
            Options options = {}, TensorOptions tensor_options = {});
  Tensor forward(const Tensor& x) override;
  void visit(Visitor& v) override;
  /// Uniform on +-1 / sqrt(n), weight and bias alike: n is the size of one weight[i].
  void reset_parameters();
  std::string extra() const override;

  std::int64_t in_channels, out_channels;
  Size kernel_size;
  Options options;
  Tensor weight, bias;  // bias: undefined without
};
extern template class ConvLayer<Conv1dOptions>;
extern template class ConvLayer<Conv2dOptions>;
extern template class ConvLayer<Conv3dOptions>;
extern template class ConvLayer<ConvTranspose1dOptions>;
extern template class ConvLayer<ConvTranspose2dOptions>;

/// (N, C, L) -> (N, out_channels, L'), or both without N.
class Conv1d : public ConvLayer<Conv1dOptions> {
 public:
  using ConvLayer::ConvLayer;
};

/// (N, C, H, W) -> (N, out_channels, H', W'), or both without N; channels-last strides are kept.
class Conv2d : public ConvLayer<Conv2dOptions> {
 public:
  using ConvLayer::ConvLayer;
};

/// (N, C, D, H, W) -> (N, out_channels, D', H', W'), or both without N.
class Conv3d : public ConvLayer<Conv3dOptions> {
 public:
  using ConvLayer::ConvLayer;
};

/// (N, C, L) -> (N, out_channels, L'), or both without N; see conv_transpose1d for L'.
class ConvTranspose1d : public ConvLayer<ConvTranspose1dOptions> {
 public:
  using ConvLayer::ConvLayer;
};

/// (N, C, H, W) -> (N, out_channels, H', W'), or both without N; channels-last strides are kept.
class ConvTranspose2d : public ConvLayer<ConvTranspose2dOptions> {
 public:
  using ConvLayer::ConvLayer;
};

}  // namespace gradus::nn
