#include "gradus/nn/conv.h"

#include <cmath>

#include "gradus/autograd/functions.h"
#include "gradus/nn/init.h"
#include "gradus/nn/text.h"

namespace gradus::nn {
namespace {

void check_channels(const char* layer, std::int64_t in, std::int64_t out, std::int64_t groups) {
  check(groups > 0 && in > 0 && out > 0 && in % groups == 0 && out % groups == 0,
        ErrorKind::argument, layer, ": ", in, " input and ", out,
        " output channels do not divide into ", groups, " groups");
}

void reset(const Tensor& weight, const Tensor& bias) {
  init::kaiming_uniform_(weight, std::sqrt(5.0));
  if (!bias) return;
  const double bound = 1 / std::sqrt(init::fans(weight).in);
  init::uniform_(bias, -bound, bound);
}

std::string text_of_pair(Pair p) { return "(" + text_of(p.h) + ", " + text_of(p.w) + ")"; }
std::string text_of_pair(std::int64_t v) { return "(" + text_of(v) + ",)"; }

template <class Size, class Options>
std::string describe(std::int64_t in, std::int64_t out, Size kernel, const Options& o, bool bias,
                     bool pads, bool dilates) {
  std::string text = text_of(in) + ", " + text_of(out) + ", kernel_size=" + text_of_pair(kernel) +
                     ", stride=" + text_of_pair(o.stride);
  if (pads) text += ", padding=" + text_of_pair(o.padding);
  if (dilates) text += ", dilation=" + text_of_pair(o.dilation);
  if (o.groups != 1) text += ", groups=" + text_of(o.groups);
  return bias ? text : text + ", bias=False";
}

}  // namespace

Conv1d::Conv1d(std::int64_t in_channels, std::int64_t out_channels, std::int64_t kernel_size,
               Conv1dOptions options)
    : in_channels(in_channels),
      out_channels(out_channels),
      kernel_size(kernel_size),
      options(options) {
  check_channels("Conv1d", in_channels, out_channels, options.groups);
  weight =
      empty({out_channels, in_channels / options.groups, kernel_size}, {.requires_grad = true});
  if (options.bias) bias = empty({out_channels}, {.requires_grad = true});
  reset_parameters();
}
void Conv1d::reset_parameters() { reset(weight, bias); }
Tensor Conv1d::forward(const Tensor& x) {
  return conv1d(x, weight, bias, options.stride, options.padding, options.dilation, options.groups);
}
void Conv1d::visit(Visitor& v) {
  v("weight", weight, Role::weight);
  v("bias", bias, Role::bias);
}
std::string Conv1d::extra() const {
  return describe(in_channels, out_channels, kernel_size, options, bias.defined(),
                  options.padding != 0, options.dilation != 1);
}

Conv2d::Conv2d(std::int64_t in_channels, std::int64_t out_channels, Pair kernel_size,
               Conv2dOptions options)
    : in_channels(in_channels),
      out_channels(out_channels),
      kernel_size(kernel_size),
      options(options) {
  check_channels("Conv2d", in_channels, out_channels, options.groups);
  weight = empty({out_channels, in_channels / options.groups, kernel_size.h, kernel_size.w},
                 {.requires_grad = true});
  if (options.bias) bias = empty({out_channels}, {.requires_grad = true});
  reset_parameters();
}
void Conv2d::reset_parameters() { reset(weight, bias); }
Tensor Conv2d::forward(const Tensor& x) {
  return conv2d(x, weight, bias, options.stride, options.padding, options.dilation, options.groups);
}
void Conv2d::visit(Visitor& v) {
  v("weight", weight, Role::weight);
  v("bias", bias, Role::bias);
}
std::string Conv2d::extra() const {
  return describe(in_channels, out_channels, kernel_size, options, bias.defined(),
                  options.padding.h != 0 || options.padding.w != 0,
                  options.dilation.h != 1 || options.dilation.w != 1);
}

}  // namespace gradus::nn
