// Pooling layers.
#pragma once

#include "gradus/autograd/functions/pool.h"
#include "gradus/nn/module.h"

namespace gradus::nn {

/// The largest element of each window; stride 0 means the kernel's size.
class MaxPool2d : public Module {
 public:
  explicit MaxPool2d(Pair kernel_size, Pair stride = 0, Pair padding = 0, Pair dilation = 1,
                     bool ceil_mode = false)
      : kernel_size(kernel_size),
        stride(stride),
        padding(padding),
        dilation(dilation),
        ceil_mode(ceil_mode) {}
  Tensor forward(const Tensor& x) override {
    return max_pool2d(x, kernel_size, stride, padding, dilation, ceil_mode);
  }
  Pair kernel_size, stride, padding, dilation;
  bool ceil_mode;
};

/// The mean of each window; stride 0 means the kernel's size.
class AvgPool2d : public Module {
 public:
  explicit AvgPool2d(Pair kernel_size, Pair stride = 0, Pair padding = 0, bool ceil_mode = false,
                     bool count_include_pad = true)
      : kernel_size(kernel_size),
        stride(stride),
        padding(padding),
        ceil_mode(ceil_mode),
        count_include_pad(count_include_pad) {}
  Tensor forward(const Tensor& x) override {
    return avg_pool2d(x, kernel_size, stride, padding, ceil_mode, count_include_pad);
  }
  Pair kernel_size, stride, padding;
  bool ceil_mode, count_include_pad;
};

/// Means over windows chosen so that the output has this size.
class AdaptiveAvgPool2d : public Module {
 public:
  explicit AdaptiveAvgPool2d(Pair output_size) : output_size(output_size) {}
  Tensor forward(const Tensor& x) override { return adaptive_avg_pool2d(x, output_size); }
  Pair output_size;
};

}  // namespace gradus::nn
