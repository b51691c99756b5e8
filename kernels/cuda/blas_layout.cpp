#include "gradus/kernels/cuda/blas_layout.h"

#include <algorithm>

namespace gradus::cuda {
namespace {

/// The last two dimensions of t by column, transposed: (rows, columns) is (size(-1), size(-2)). The
/// stride of a dimension of size 1 means nothing, so any that fits will do.
std::optional<BlasMatrix> by_column(const Tensor& t) {
  const std::int64_t m = t.size(-2), n = t.size(-1);
  const std::int64_t row = t.strides()[t.dim() - 2], column = t.strides()[t.dim() - 1];
  if ((column == 1 || n == 1) && (m == 1 || row >= n))
    return BlasMatrix{false, m == 1 ? n : row, 0};
  if ((row == 1 || m == 1) && (n == 1 || column >= m))
    return BlasMatrix{true, n == 1 ? m : column, 0};
  return {};
}

/// The dimensions before the last two, broadcast to c's, as one step repeated.
std::optional<std::int64_t> batch_step(const Tensor& t, const Tensor& c) {
  std::int64_t step = 0, below = 1;  // matrices in the dimensions passed so far
  for (int d = c.dim() - 3; d >= 0; --d) {
    if (c.shape()[d] == 1) continue;
    const int at = d - (c.dim() - t.dim());
    const std::int64_t stride = at < 0 || t.shape()[at] == 1 ? 0 : t.strides()[at];
    if (below == 1) step = stride;
    if (stride != step * below) return {};
    below *= c.shape()[d];
  }
  return step;
}

}  // namespace

std::optional<BlasProduct> as_blas(const Tensor& a, const Tensor& b, const Tensor& c) {
  std::optional<BlasMatrix> left = by_column(b), right = by_column(a), result = by_column(c);
  const auto left_step = batch_step(b, c), right_step = batch_step(a, c), step = batch_step(c, c);
  if (!left || !right || !result || !left_step || !right_step || !step) return {};
  if (result->turned) return {};
  const std::int64_t rows = c.size(-1), columns = c.size(-2);
  const std::int64_t batch = c.numel() / (rows * columns);
  if (batch > 1 && *step == 0) return {};
  left->step = *left_step, right->step = *right_step, result->step = *step;
  return BlasProduct{rows, columns, a.size(-1), batch, *left, *right, *result};
}

}  // namespace gradus::cuda
