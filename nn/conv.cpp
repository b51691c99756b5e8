#include "gradus/nn/conv.h"

#include "gradus/autograd/functions.h"
#include "gradus/nn/conv_parts.h"
#include "gradus/nn/text.h"

namespace gradus::nn {

Conv1d::Conv1d(std::int64_t in_channels, std::int64_t out_channels, std::int64_t kernel_size,
               Conv1dOptions options, TensorOptions tensor_options)
    : in_channels(in_channels),
      out_channels(out_channels),
      kernel_size(kernel_size),
      options(options) {
  check_channels("Conv1d", in_channels, out_channels, options.groups);
  check(kernel_size > 0, ErrorKind::argument, "Conv1d: kernel of ", kernel_size);
  tensor_options.requires_grad = true;
  weight = empty({out_channels, in_channels / options.groups, kernel_size}, tensor_options);
  if (options.bias) bias = empty({out_channels}, tensor_options);
  reset_parameters();
}

void Conv1d::reset_parameters() { reset_convolution(weight, bias); }

Tensor Conv1d::forward(const Tensor& x) {
  return conv1d(x, weight, bias, options.stride, options.padding, options.dilation, options.groups);
}

void Conv1d::visit(Visitor& v) {
  v("weight", weight, Role::weight);
  v("bias", bias, Role::bias);
}

std::string Conv1d::extra() const {
  const auto one = [](std::int64_t v) { return text_of(Shape{v}); };
  std::string text = text_of(in_channels) + ", " + text_of(out_channels) +
                     ", kernel_size=" + one(kernel_size) + ", stride=" + one(options.stride);
  if (options.padding != 0) text += ", padding=" + one(options.padding);
  if (options.dilation != 1) text += ", dilation=" + one(options.dilation);
  return text + unless("groups", options.groups, options.groups == 1) +
         unless("bias", options.bias, options.bias);
}

Conv2d::Conv2d(std::int64_t in_channels, std::int64_t out_channels, Pair kernel_size,
               Conv2dOptions options, TensorOptions tensor_options)
    : in_channels(in_channels),
      out_channels(out_channels),
      kernel_size(kernel_size),
      options(options) {
  check_channels("Conv2d", in_channels, out_channels, options.groups);
  check(kernel_size.h > 0 && kernel_size.w > 0, ErrorKind::argument, "Conv2d: kernel of ",
        kernel_size.h, " x ", kernel_size.w);
  tensor_options.requires_grad = true;
  weight = empty({out_channels, in_channels / options.groups, kernel_size.h, kernel_size.w},
                 tensor_options);
  if (options.bias) bias = empty({out_channels}, tensor_options);
  reset_parameters();
}

void Conv2d::reset_parameters() { reset_convolution(weight, bias); }

Tensor Conv2d::forward(const Tensor& x) {
  return conv2d(x, weight, bias, options.stride, options.padding, options.dilation, options.groups);
}

void Conv2d::visit(Visitor& v) {
  v("weight", weight, Role::weight);
  v("bias", bias, Role::bias);
}

std::string Conv2d::extra() const {
  return text_of(in_channels) + ", " + text_of(out_channels) +
         ", kernel_size=" + text_of(kernel_size) + ", stride=" + text_of(options.stride) +
         unless("padding", options.padding, is(options.padding, 0)) +
         unless("dilation", options.dilation, is(options.dilation, 1)) +
         unless("groups", options.groups, options.groups == 1) +
         unless("bias", options.bias, options.bias);
}

Conv3d::Conv3d(std::int64_t in_channels, std::int64_t out_channels, Triple kernel_size,
               Conv3dOptions options, TensorOptions tensor_options)
    : in_channels(in_channels),
      out_channels(out_channels),
      kernel_size(kernel_size),
      options(options) {
  check_channels("Conv3d", in_channels, out_channels, options.groups);
  check(kernel_size.d > 0 && kernel_size.h > 0 && kernel_size.w > 0, ErrorKind::argument,
        "Conv3d: kernel of ", kernel_size.d, " x ", kernel_size.h, " x ", kernel_size.w);
  tensor_options.requires_grad = true;
  weight = empty(
      {out_channels, in_channels / options.groups, kernel_size.d, kernel_size.h, kernel_size.w},
      tensor_options);
  if (options.bias) bias = empty({out_channels}, tensor_options);
  reset_parameters();
}

void Conv3d::reset_parameters() { reset_convolution(weight, bias); }

Tensor Conv3d::forward(const Tensor& x) {
  return conv3d(x, weight, bias, options.stride, options.padding, options.dilation, options.groups);
}

void Conv3d::visit(Visitor& v) {
  v("weight", weight, Role::weight);
  v("bias", bias, Role::bias);
}

std::string Conv3d::extra() const {
  return text_of(in_channels) + ", " + text_of(out_channels) +
         ", kernel_size=" + text_of(kernel_size) + ", stride=" + text_of(options.stride) +
         unless("padding", options.padding, is(options.padding, 0)) +
         unless("dilation", options.dilation, is(options.dilation, 1)) +
         unless("groups", options.groups, options.groups == 1) +
         unless("bias", options.bias, options.bias);
}

}  // namespace gradus::nn
