// A product as BLAS libraries take it. They know matrices by column with one stride, so that
// row-major c = a b is asked for as c' = b' a', where a' is the same memory read by column.
#pragma once

#include <cstdint>
#include <optional>

#include "gradus/tensor/tensor.h"

namespace gradus::cuda {

/// By column: element (i, j) at i + j * stride, matrix z of a batch at z * step. If `turned`, the
/// factor is the transpose of what is stored.
struct BlasMatrix {
  bool turned;
  std::int64_t stride, step;
};

/// result (rows, columns) = left (rows, depth) right (depth, columns), `batch` times. `left` is b,
/// `right` is a, `result` is c, which is never turned.
struct BlasProduct {
  std::int64_t rows, columns, depth, batch;
  BlasMatrix left, right, result;
};

/// c = a b of the contract kernels/matmul.h, none of it empty; nothing if a matrix has no side
/// whose elements are neighbours, or the batch is not one step repeated.
std::optional<BlasProduct> as_blas(const Tensor& a, const Tensor& b, const Tensor& c);

}  // namespace gradus::cuda
