// A tensor seen as rows along one of its dimensions, for ops with "any dim" whose kernels work on
// the last one of row-major memory.
#pragma once

#include "gradus/kernels/create.h"
#include "gradus/tensor/views.h"

namespace gradus {

namespace detail {
/// The permutation of `dims` dimensions that moves `from` to `to` and leaves the others in order.
inline Dims moved_order(int dims, int from, int to) {
  int order[Shape::max_dims], at = 0;
  for (int i = 0; i < dims; ++i) {
    if (i == from) continue;
    if (at == to) order[at++] = from;
    order[at++] = i;
  }
  if (at == to) order[at++] = from;
  return Dims(std::span<const int>(order, static_cast<std::size_t>(at)));
}
/// Dimension `from` moved to `to`. Not recorded.
inline Tensor moved(const Tensor& x, int from, int to) {
  return views::permute(x, moved_order(x.dim(), from, to));
}
}  // namespace detail

/// `x` with `dim` moved to the end, row-major: a copy unless its memory lies so already.
inline Tensor rows_along(const Tensor& x, int dim) {
  return as_contiguous(dim >= x.dim() - 1 ? x : detail::moved(x, dim, x.dim() - 1));
}

/// The inverse: rows (..., n) shown with their last dimension at `dim`.
inline Tensor rows_back(const Tensor& rows, int dim) {
  return dim >= rows.dim() - 1 ? rows : detail::moved(rows, rows.dim() - 1, dim);
}

/// A new tensor whose rows_along(dim) needs no copy.
inline Tensor empty_along(const Shape& shape, TensorOptions options, int dim) {
  if (dim >= shape.size() - 1) return empty(shape, options);
  Strides strides = shape;
  std::int64_t step = shape[dim];
  for (int i = shape.size() - 1; i >= 0; --i) {
    if (i == dim) continue;
    strides[i] = step;
    step *= shape[i];
  }
  strides[dim] = 1;
  return empty_strided(shape, strides, options);
}

}  // namespace gradus
