// Attention for the CPU and CUDA alike: where the heads of its tensors lie, and the way through
// float for half types.
#pragma once

#include "gradus/kernels/attention.h"
#include "gradus/kernels/create.h"

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

/// A kernel for half types by one for f32.
template <auto kernel>
void attention_in_float(const Tensor& q, const Tensor& k, const Tensor& v, const Tensor& mask,
                        const Attention& options, const Tensor& y, const Tensor& stats) {
  const Tensor wide = empty(y.shape(), stats.options());
  kernel(as_dtype(q, Dtype::f32), as_dtype(k, Dtype::f32), as_dtype(v, Dtype::f32), mask, options,
         wide, stats);
  copy_into(wide, y);
}
template <auto kernel>
void attention_backward_in_float(const Tensor& q, const Tensor& k, const Tensor& v,
                                 const Tensor& mask, const Attention& options, const Tensor& stats,
                                 const Tensor& y, const Tensor& dy, const Tensor& dq,
                                 const Tensor& dk, const Tensor& dv, const Tensor& dmask) {
  const Tensor to_q = empty(dq.shape(), stats.options()), to_k = empty(dk.shape(), stats.options()),
               to_v = empty(dv.shape(), stats.options());
  kernel(as_dtype(q, Dtype::f32), as_dtype(k, Dtype::f32), as_dtype(v, Dtype::f32), mask, options,
         stats, as_dtype(y, Dtype::f32), as_dtype(dy, Dtype::f32), to_q, to_k, to_v, dmask);
  copy_into(to_q, dq);
  copy_into(to_k, dk);
  copy_into(to_v, dv);
}

}  // namespace gradus
