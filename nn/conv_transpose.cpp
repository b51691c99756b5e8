#include "gradus/nn/conv_transpose.h"

#include "gradus/autograd/functions.h"
#include "gradus/nn/conv_parts.h"
#include "gradus/nn/text.h"

namespace gradus::nn {

ConvTranspose1d::ConvTranspose1d(std::int64_t in_channels, std::int64_t out_channels,
                                 std::int64_t kernel_size, ConvTranspose1dOptions options,
                                 TensorOptions tensor_options)
    : in_channels(in_channels),
      out_channels(out_channels),
      kernel_size(kernel_size),
      options(options) {
  check_channels("ConvTranspose1d", in_channels, out_channels, options.groups);
  check(kernel_size > 0, ErrorKind::argument, "ConvTranspose1d: kernel of ", kernel_size);
  tensor_options.requires_grad = true;
  weight = empty({in_channels, out_channels / options.groups, kernel_size}, tensor_options);
  if (options.bias) bias = empty({out_channels}, tensor_options);
  reset_parameters();
}

void ConvTranspose1d::reset_parameters() { reset_convolution(weight, bias); }

Tensor ConvTranspose1d::forward(const Tensor& x) {
  return conv_transpose1d(x, weight, bias, options.stride, options.padding, options.output_padding,
                          options.groups, options.dilation);
}

void ConvTranspose1d::visit(Visitor& v) {
  v("weight", weight, Role::weight);
  v("bias", bias, Role::bias);
}

std::string ConvTranspose1d::extra() const {
  return text_of(in_channels) + ", " + text_of(out_channels) +
         ", kernel_size=" + text_of(Shape{kernel_size}) +
         ", stride=" + text_of(Shape{options.stride}) +
         unless("padding", Shape{options.padding}, options.padding == 0) +
         unless("dilation", Shape{options.dilation}, options.dilation == 1) +
         unless("output_padding", Shape{options.output_padding}, options.output_padding == 0) +
         unless("groups", options.groups, options.groups == 1) +
         unless("bias", options.bias, options.bias);
}

ConvTranspose2d::ConvTranspose2d(std::int64_t in_channels, std::int64_t out_channels,
                                 Pair kernel_size, ConvTranspose2dOptions options,
                                 TensorOptions tensor_options)
    : in_channels(in_channels),
      out_channels(out_channels),
      kernel_size(kernel_size),
      options(options) {
  check_channels("ConvTranspose2d", in_channels, out_channels, options.groups);
  check(kernel_size.h > 0 && kernel_size.w > 0, ErrorKind::argument, "ConvTranspose2d: kernel of ",
        kernel_size.h, " x ", kernel_size.w);
  tensor_options.requires_grad = true;
  weight = empty({in_channels, out_channels / options.groups, kernel_size.h, kernel_size.w},
                 tensor_options);
  if (options.bias) bias = empty({out_channels}, tensor_options);
  reset_parameters();
}

void ConvTranspose2d::reset_parameters() { reset_convolution(weight, bias); }

Tensor ConvTranspose2d::forward(const Tensor& x) {
  return conv_transpose2d(x, weight, bias, options.stride, options.padding, options.output_padding,
                          options.groups, options.dilation);
}

void ConvTranspose2d::visit(Visitor& v) {
  v("weight", weight, Role::weight);
  v("bias", bias, Role::bias);
}

std::string ConvTranspose2d::extra() const {
  return text_of(in_channels) + ", " + text_of(out_channels) +
         ", kernel_size=" + text_of(kernel_size) + ", stride=" + text_of(options.stride) +
         unless("padding", options.padding, is(options.padding, 0)) +
         unless("dilation", options.dilation, is(options.dilation, 1)) +
         unless("output_padding", options.output_padding, is(options.output_padding, 0)) +
         unless("groups", options.groups, options.groups == 1) +
         unless("bias", options.bias, options.bias);
}

}  // namespace gradus::nn
