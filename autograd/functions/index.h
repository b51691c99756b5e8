// Functions that choose, place and sort elements by index. An index out of range is an error that
// names op, index and size; index tensors are i64 or i32 and do not count from the end.
#pragma once

#include <vector>

#include "gradus/autograd/functions/reduce.h"
#include "gradus/tensor/scalar.h"
#include "gradus/tensor/tensor.h"

namespace gradus {

/// y[i][j] = x[index[i][j]][j] for dim 0; y has index's shape.
Tensor gather(const Tensor& x, int dim, const Tensor& index);
/// The same, with x and index broadcast in the other dimensions; a negative index counts from the
/// end.
Tensor take_along_dim(const Tensor& x, const Tensor& index, int dim);
/// x with y[index[i][j]][j] = src[i][j] (for dim 0): of several, the last one stays.
Tensor scatter(const Tensor& x, int dim, const Tensor& index, const Tensor& src);
Tensor scatter(const Tensor& x, int dim, const Tensor& index, Scalar value);
/// x with y[index[i][j]][j] += src[i][j] (for dim 0), in the order of the index.
Tensor scatter_add(const Tensor& x, int dim, const Tensor& index, const Tensor& src);

/// The slices x[.. index[i] ..]. index: (n).
Tensor index_select(const Tensor& x, int dim, const Tensor& index);
/// x with y[.. index[i] ..] += alpha src[.. i ..], in the order of the index.
Tensor index_add(const Tensor& x, int dim, const Tensor& index, const Tensor& src,
                 double alpha = 1);
/// x at (indices[0][i], indices[1][i] ...), the first dimensions of x; indices broadcast. A boolean
/// index over k dimensions stands for the k indices where it is true.
Tensor index(const Tensor& x, const std::vector<Tensor>& indices);
/// x with `values` (broadcast) written there, or added in the order of the indices (accumulate).
Tensor index_put(const Tensor& x, const std::vector<Tensor>& indices, const Tensor& values,
                 bool accumulate = false);

/// The elements where mask (broadcast with x) is true, in row-major order. Waits for the device.
Tensor masked_select(const Tensor& x, const Tensor& mask);
/// Positions (n, dims) of the elements that are not zero. Waits for the device.
Tensor nonzero(const Tensor& x);
/// (.., classes), i64: one at each index. classes = -1: the largest index + 1.
Tensor one_hot(const Tensor& index, std::int64_t classes = -1);

/// Sorted along `dim`; equals keep their order, NaN counts as largest.
ValuesIndices sort(const Tensor& x, int dim = -1, bool descending = false);
Tensor argsort(const Tensor& x, int dim = -1, bool descending = false);
/// The k largest (smallest) along `dim`, the best first.
ValuesIndices topk(const Tensor& x, std::int64_t k, int dim = -1, bool largest = true);

}  // namespace gradus
