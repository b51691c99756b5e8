// Contract: filling and copying. Everything that moves elements without computing on them.
#pragma once

#include "gradus/tensor/dispatch.h"
#include "gradus/tensor/tensor.h"

namespace gradus {

namespace cpu {
void fill(const Tensor& y, Scalar value);
/// y = x, converted; x broadcasts to y's shape; any strides. They must not overlap partially.
void copy(const Tensor& x, const Tensor& y);
/// y[i] = start + i * step, in integers where y and both are; y is row-major and has one dimension.
void range(const Tensor& y, Scalar start, Scalar step);
}  // namespace cpu

namespace cuda {
void fill(const Tensor& y, Scalar value);
void copy(const Tensor& x, const Tensor& y);
void range(const Tensor& y, Scalar start, Scalar step);
}  // namespace cuda

/// y = x on whichever device(s) they are; not recorded.
void copy_into(const Tensor& x, const Tensor& y);
/// A row-major copy of `x`, not recorded; `x` itself if it is row-major already.
Tensor as_contiguous(const Tensor& x);
/// `x` converted, not recorded; `x` itself if it has that dtype.
Tensor as_dtype(const Tensor& x, Dtype dtype);

Tensor full(const Shape& shape, Scalar value, TensorOptions options = {});
inline Tensor zeros(const Shape& shape, TensorOptions options = {}) {
  return full(shape, 0, options);
}
inline Tensor ones(const Shape& shape, TensorOptions options = {}) {
  return full(shape, 1, options);
}
Tensor full_like(const Tensor& t, Scalar value);
inline Tensor zeros_like(const Tensor& t) { return full_like(t, 0); }
inline Tensor ones_like(const Tensor& t) { return full_like(t, 1); }
/// start, start + step ... below end (above it for a negative step). Unlike PyTorch's, always of
/// the dtype in the options.
Tensor arange(Scalar start, Scalar end, Scalar step = 1, TensorOptions options = {});
inline Tensor arange(Scalar end, TensorOptions options = {}) { return arange(0, end, 1, options); }
/// `count` values from start to end, both included; the far half is counted back from the end.
Tensor linspace(double start, double end, std::int64_t count, TensorOptions options = {});
/// Ones on the diagonal: (n, m), or (n, n).
Tensor eye(std::int64_t n, std::int64_t m, TensorOptions options = {});
inline Tensor eye(std::int64_t n, TensorOptions options = {}) { return eye(n, n, options); }

}  // namespace gradus
