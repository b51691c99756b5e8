// Where the heads of attention's tensors lie, for the CPU and CUDA alike.
#pragma once

#include "gradus/kernels/attention.h"

namespace gradus {

/// (B, H, rows, columns) at any strides; null for an undefined tensor.
template <class T>
struct AttentionHeads {
  T* data = nullptr;
  std::int64_t heads = 1, step_b = 0, step_h = 0, row = 0, column = 1;
  explicit AttentionHeads(const Tensor& t) {
    if (!t) return;
    data = static_cast<T*>(t.data());
    heads = t.shape()[1];
    step_b = t.strides()[0], step_h = t.strides()[1], row = t.strides()[2], column = t.strides()[3];
  }
  /// Rows and columns of one head of one sample, counted over both.
  GRADUS_HD T* item(std::int64_t i) const { return data + i / heads * step_b + i % heads * step_h; }
};

}  // namespace gradus
