// Pooling as layers; see autograd/functions/pool.h. A stride of 0 means the kernel's size.
#pragma once

#include "gradus/autograd/functions/pool.h"
#include "gradus/nn/module.h"

namespace gradus::nn {

class MaxPool1d : public Module {
 public:
  explicit MaxPool1d(std::int64_t kernel_size, std::int64_t stride = 0, std::int64_t padding = 0,
                     std::int64_t dilation = 1, bool ceil_mode = false);
  Tensor forward(const Tensor& x) override;
  std::string extra() const override;
  std::int64_t kernel_size, stride, padding, dilation;
  bool ceil_mode;
};

class MaxPool2d : public Module {
 public:
  explicit MaxPool2d(Pair kernel_size, Pair stride = 0, Pair padding = 0, Pair dilation = 1,
                     bool ceil_mode = false);
  Tensor forward(const Tensor& x) override;
  std::string extra() const override;
  Pair kernel_size, stride, padding, dilation;
  bool ceil_mode;
};

class AvgPool1d : public Module {
 public:
  explicit AvgPool1d(std::int64_t kernel_size, std::int64_t stride = 0, std::int64_t padding = 0,
                     bool ceil_mode = false, bool count_include_pad = true);
  Tensor forward(const Tensor& x) override;
  std::string extra() const override;
  std::int64_t kernel_size, stride, padding;
  bool ceil_mode, count_include_pad;
};

/// divisor_override: what sums are divided by instead of the window's size; 0 for none.
class AvgPool2d : public Module {
 public:
  explicit AvgPool2d(Pair kernel_size, Pair stride = 0, Pair padding = 0, bool ceil_mode = false,
                     bool count_include_pad = true, std::int64_t divisor_override = 0);
  Tensor forward(const Tensor& x) override;
  std::string extra() const override;
  Pair kernel_size, stride, padding;
  bool ceil_mode, count_include_pad;
  std::int64_t divisor_override;
};

class AdaptiveAvgPool1d : public Module {
 public:
  explicit AdaptiveAvgPool1d(std::int64_t output_size) : output_size(output_size) {}
  Tensor forward(const Tensor& x) override { return adaptive_avg_pool1d(x, output_size); }
  std::string extra() const override { return "output_size=" + std::to_string(output_size); }
  std::int64_t output_size;
};

class AdaptiveAvgPool2d : public Module {
 public:
  explicit AdaptiveAvgPool2d(OutputSize output_size) : output_size(output_size) {}
  Tensor forward(const Tensor& x) override { return adaptive_avg_pool2d(x, output_size); }
  std::string extra() const override;
  OutputSize output_size;
};

class AdaptiveMaxPool2d : public Module {
 public:
  explicit AdaptiveMaxPool2d(OutputSize output_size) : output_size(output_size) {}
  Tensor forward(const Tensor& x) override { return adaptive_max_pool2d(x, output_size); }
  std::string extra() const override;
  OutputSize output_size;
};

}  // namespace gradus::nn
