#include "gradus/nn/conv.h"

#include <algorithm>
#include <cmath>

#include "gradus/autograd/functions.h"
#include "gradus/nn/init.h"
#include "gradus/nn/text.h"

namespace gradus::nn {
namespace {

// A size as a list of one, two or three sides.
Shape sides_of(std::int64_t s) { return {s}; }
Shape sides_of(Pair s) { return {s.h, s.w}; }
Shape sides_of(Triple s) { return {s.d, s.h, s.w}; }

bool all_are(const Shape& sides, std::int64_t v) {
  return std::all_of(sides.begin(), sides.end(), [v](std::int64_t s) { return s == v; });
}

template <class Options>
std::string layer_name() {
  const int dims = sides_of(typename Options::Size(1)).size();
  return (Options::transposed ? "ConvTranspose" : "Conv") + std::to_string(dims) + "d";
}

/// The pads of pad(), the last dimension first, that stand for a layer's padding.
template <class S>
std::vector<std::int64_t> pads_around(const ConvOptions<S>& o, const Shape& kernel) {
  const Shape sizes = sides_of(o.padding.size), dilation = sides_of(o.dilation);
  std::vector<std::int64_t> pads;
  for (int d = kernel.size() - 1; d >= 0; --d) {
    const std::int64_t total = dilation[d] * (kernel[d] - 1);
    pads.push_back(o.padding.same ? total / 2 : sizes[d]);
    pads.push_back(o.padding.same ? total - total / 2 : sizes[d]);
  }
  return pads;
}

template <class S>
void check_padding(const ConvOptions<S>& o) {
  const std::string_view mode = o.padding_mode;
  check(mode == "zeros" || mode == "reflect" || mode == "replicate" || mode == "circular",
        ErrorKind::argument, layer_name<ConvOptions<S>>(), ": padding_mode \"", mode,
        "\", expected zeros, reflect, replicate or circular");
  check(!o.padding.same || all_are(sides_of(o.stride), 1), ErrorKind::argument,
        layer_name<ConvOptions<S>>(), ": padding \"same\" is for a stride of 1, got ",
        sides_of(o.stride));
}

// The function of each layer.
Tensor convolve(const Tensor& x, const ConvLayer<Conv1dOptions>& l, Padding<std::int64_t> padding) {
  const Conv1dOptions& o = l.options;
  return conv1d(x, l.weight, l.bias, o.stride, padding, o.dilation, o.groups);
}
Tensor convolve(const Tensor& x, const ConvLayer<Conv2dOptions>& l, Padding<Pair> padding) {
  const Conv2dOptions& o = l.options;
  return conv2d(x, l.weight, l.bias, o.stride, padding, o.dilation, o.groups);
}
Tensor convolve(const Tensor& x, const ConvLayer<Conv3dOptions>& l, Padding<Triple> padding) {
  const Conv3dOptions& o = l.options;
  return conv3d(x, l.weight, l.bias, o.stride, padding, o.dilation, o.groups);
}
Tensor convolve(const Tensor& x, const ConvLayer<ConvTranspose1dOptions>& l) {
  const ConvTranspose1dOptions& o = l.options;
  return conv_transpose1d(x, l.weight, l.bias, o.stride, o.padding, o.output_padding, o.groups,
                          o.dilation);
}
Tensor convolve(const Tensor& x, const ConvLayer<ConvTranspose2dOptions>& l) {
  const ConvTranspose2dOptions& o = l.options;
  return conv_transpose2d(x, l.weight, l.bias, o.stride, o.padding, o.output_padding, o.groups,
                          o.dilation);
}

}  // namespace

template <class Options>
ConvLayer<Options>::ConvLayer(std::int64_t in_channels, std::int64_t out_channels, Size kernel_size,
                              Options given, TensorOptions tensor_options)
    : in_channels(in_channels),
      out_channels(out_channels),
      kernel_size(kernel_size),
      options(std::move(given)) {
  const std::int64_t groups = options.groups;
  check(in_channels > 0 && out_channels > 0 && groups > 0 && in_channels % groups == 0 &&
            out_channels % groups == 0,
        ErrorKind::argument, layer_name<Options>(), ": ", in_channels, " input and ", out_channels,
        " output channels must be multiples of ", groups, " groups");
  Shape shape = transposed ? Shape{in_channels, out_channels / groups}
                           : Shape{out_channels, in_channels / groups};
  const Shape kernel = sides_of(kernel_size);
  for (const std::int64_t side : kernel) {
    check(side > 0, ErrorKind::argument, layer_name<Options>(), ": kernel of ", kernel);
    shape.push_back(side);
  }
  if constexpr (!transposed) check_padding(options);
  tensor_options.requires_grad = true;
  weight = empty(shape, tensor_options);
  if (options.bias) bias = empty({out_channels}, tensor_options);
  reset_parameters();
}

/// PyTorch's first values: kaiming_uniform_ with slope sqrt(5) is uniform on +-1 / sqrt(fan in). Of
/// a transposed convolution's weight the fan in is counted as if it were a convolution's, as
/// PyTorch does.
template <class Options>
void ConvLayer<Options>::reset_parameters() {
  init::kaiming_uniform_(weight, std::sqrt(5.0));
  const double bound = 1 / std::sqrt(init::fans(weight).in);
  if (bias) init::uniform_(bias, -bound, bound);
}

template <class Options>
Tensor ConvLayer<Options>::forward(const Tensor& x) {
  if constexpr (transposed) {
    return convolve(x, *this);
  } else {
    if (options.padding_mode == "zeros") return convolve(x, *this, options.padding);
    return convolve(pad(x, pads_around(options, sides_of(kernel_size)), options.padding_mode),
                    *this, 0);
  }
}

template <class Options>
void ConvLayer<Options>::visit(Visitor& v) {
  v("weight", weight, Role::weight);
  v("bias", bias, Role::bias);
}

template <class Options>
std::string ConvLayer<Options>::extra() const {
  const auto given = [](const char* name, const Size& size, std::int64_t usual) {
    const Shape sides = sides_of(size);
    return unless(name, sides, all_are(sides, usual));
  };
  std::string text = text_of(in_channels) + ", " + text_of(out_channels) +
                     ", kernel_size=" + text_of(sides_of(kernel_size)) +
                     ", stride=" + text_of(sides_of(options.stride));
  if constexpr (transposed) {
    text += given("padding", options.padding, 0) + given("dilation", options.dilation, 1) +
            given("output_padding", options.output_padding, 0);
  } else {
    text += options.padding.same ? ", padding=same" : given("padding", options.padding.size, 0);
    text += given("dilation", options.dilation, 1);
  }
  text += unless("groups", options.groups, options.groups == 1) +
          unless("bias", options.bias, options.bias);
  if constexpr (!transposed) {
    if (options.padding_mode != "zeros") text += ", padding_mode=" + options.padding_mode;
  }
  return text;
}

template class ConvLayer<Conv1dOptions>;
template class ConvLayer<Conv2dOptions>;
template class ConvLayer<Conv3dOptions>;
template class ConvLayer<ConvTranspose1dOptions>;
template class ConvLayer<ConvTranspose2dOptions>;

}  // namespace gradus::nn
