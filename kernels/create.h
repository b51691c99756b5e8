// Contract: filling and copying. Everything that moves elements without computing on them.
#pragma once

#include "gradus/tensor/dispatch.h"
#include "gradus/tensor/tensor.h"

namespace gradus {

namespace cpu {
void fill(const Tensor& y, double value);
/// y = x, converted; x broadcasts to y's shape; any strides. They must not overlap partially.
void copy(const Tensor& x, const Tensor& y);
}  // namespace cpu

namespace cuda {
void fill(const Tensor& y, double value);
void copy(const Tensor& x, const Tensor& y);
}  // namespace cuda

/// y = x on whichever device(s) they are; not recorded.
void copy_into(const Tensor& x, const Tensor& y);
/// A row-major copy of `x`, not recorded; `x` itself if it is row-major already.
Tensor as_contiguous(const Tensor& x);
/// `x` converted, not recorded; `x` itself if it has that dtype.
Tensor as_dtype(const Tensor& x, Dtype dtype);

Tensor full(const Shape& shape, double value, TensorOptions options = {});
inline Tensor zeros(const Shape& shape, TensorOptions options = {}) {
  return full(shape, 0, options);
}
inline Tensor ones(const Shape& shape, TensorOptions options = {}) {
  return full(shape, 1, options);
}
Tensor full_like(const Tensor& t, double value);
inline Tensor zeros_like(const Tensor& t) { return full_like(t, 0); }
inline Tensor ones_like(const Tensor& t) { return full_like(t, 1); }

}  // namespace gradus
