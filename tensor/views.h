// Views as pure stride arithmetic, not recorded. autograd/shape.cpp records them; kernels use them
// as they are.
#pragma once

#include <optional>
#include <span>

#include "gradus/tensor/tensor.h"

namespace gradus::views {

/// `shape` with one -1 replaced by what numel needs; throws (shape) naming `op` if nothing fits.
Shape infer_shape(const char* op, const Shape& shape, std::int64_t numel);

/// Strides that show `t` as `shape` without copying, if there are any.
std::optional<Strides> reshape_strides(const Tensor& t, const Shape& shape);

Tensor permute(const Tensor& t, std::span<const int> dims);
Tensor transpose(const Tensor& t, int a, int b);
Tensor unsqueeze(const Tensor& t, int dim);
Tensor squeeze(const Tensor& t, int dim);
Tensor expand(const Tensor& t, const Shape& shape);
Tensor slice(const Tensor& t, int dim, std::int64_t start, std::int64_t end, std::int64_t step);
Tensor select(const Tensor& t, int dim, std::int64_t index);
Tensor unfold(const Tensor& t, int dim, std::int64_t size, std::int64_t step);
Tensor diagonal(const Tensor& t, std::int64_t offset, int dim1, int dim2);

}  // namespace gradus::views
