#include "gradus/nn/pool.h"

#include "gradus/nn/text.h"

namespace gradus::nn {
namespace {

/// One number where both sides are equal, as a user would have written it.
std::string short_text(const Pair& p) { return p.h == p.w ? text_of(p.h) : text_of(p); }
std::string short_text(const OutputSize& s) {
  return s.h == s.w ? text_of(s.h) : "(" + text_of(s.h) + ", " + text_of(s.w) + ")";
}
std::string one(std::int64_t v) { return text_of(Shape{v}); }

Pair or_kernel(Pair stride, Pair kernel) {
  return {stride.h == 0 ? kernel.h : stride.h, stride.w == 0 ? kernel.w : stride.w};
}

}  // namespace

MaxPool1d::MaxPool1d(std::int64_t kernel_size, std::int64_t stride, std::int64_t padding,
                     std::int64_t dilation, bool ceil_mode)
    : kernel_size(kernel_size),
      stride(stride == 0 ? kernel_size : stride),
      padding(padding),
      dilation(dilation),
      ceil_mode(ceil_mode) {}

Tensor MaxPool1d::forward(const Tensor& x) {
  return max_pool1d(x, kernel_size, stride, padding, dilation, ceil_mode);
}

std::string MaxPool1d::extra() const {
  return "kernel_size=" + text_of(kernel_size) + ", stride=" + text_of(stride) +
         ", padding=" + text_of(padding) + ", dilation=" + text_of(dilation) +
         ", ceil_mode=" + text_of(ceil_mode);
}

MaxPool2d::MaxPool2d(Pair kernel_size, Pair stride, Pair padding, Pair dilation, bool ceil_mode)
    : kernel_size(kernel_size),
      stride(or_kernel(stride, kernel_size)),
      padding(padding),
      dilation(dilation),
      ceil_mode(ceil_mode) {}

Tensor MaxPool2d::forward(const Tensor& x) {
  return max_pool2d(x, kernel_size, stride, padding, dilation, ceil_mode);
}

std::string MaxPool2d::extra() const {
  return "kernel_size=" + short_text(kernel_size) + ", stride=" + short_text(stride) +
         ", padding=" + short_text(padding) + ", dilation=" + short_text(dilation) +
         ", ceil_mode=" + text_of(ceil_mode);
}

AvgPool1d::AvgPool1d(std::int64_t kernel_size, std::int64_t stride, std::int64_t padding,
                     bool ceil_mode, bool count_include_pad)
    : kernel_size(kernel_size),
      stride(stride == 0 ? kernel_size : stride),
      padding(padding),
      ceil_mode(ceil_mode),
      count_include_pad(count_include_pad) {}

Tensor AvgPool1d::forward(const Tensor& x) {
  return avg_pool1d(x, kernel_size, stride, padding, ceil_mode, count_include_pad);
}

std::string AvgPool1d::extra() const {
  return "kernel_size=" + one(kernel_size) + ", stride=" + one(stride) +
         ", padding=" + one(padding);
}

AvgPool2d::AvgPool2d(Pair kernel_size, Pair stride, Pair padding, bool ceil_mode,
                     bool count_include_pad, std::int64_t divisor_override)
    : kernel_size(kernel_size),
      stride(or_kernel(stride, kernel_size)),
      padding(padding),
      ceil_mode(ceil_mode),
      count_include_pad(count_include_pad),
      divisor_override(divisor_override) {}

Tensor AvgPool2d::forward(const Tensor& x) {
  return avg_pool2d(x, kernel_size, stride, padding, ceil_mode, count_include_pad,
                    divisor_override);
}

std::string AvgPool2d::extra() const {
  return "kernel_size=" + short_text(kernel_size) + ", stride=" + short_text(stride) +
         ", padding=" + short_text(padding);
}

std::string AdaptiveAvgPool2d::extra() const { return "output_size=" + short_text(output_size); }
std::string AdaptiveMaxPool2d::extra() const { return "output_size=" + short_text(output_size); }

}  // namespace gradus::nn
