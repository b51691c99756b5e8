// Contract: the gradient of a bias.
#pragma once

#include "gradus/tensor/dispatch.h"
#include "gradus/tensor/tensor.h"

namespace gradus {

namespace cpu {
/// y[j] = alpha * sum_i x[i, j] (add: on top of what y holds). x: (N, M), any strides; y: (M),
/// contiguous, of x's dtype, or f32 where x is of a half type. One chain a column in row order:
/// rows may be split over calls with `add` without changing a bit.
void column_sum(const Tensor& x, const Tensor& y, bool add, double alpha);
}  // namespace cpu

namespace cuda {
void column_sum(const Tensor& x, const Tensor& y, bool add, double alpha);
}  // namespace cuda

}  // namespace gradus
