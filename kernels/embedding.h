// Contract: rows of a table by index, and the gradient of the table.
#pragma once

#include "gradus/tensor/dispatch.h"
#include "gradus/tensor/tensor.h"

namespace gradus {

namespace cpu {
/// y[i] = weight[indices[i]]. weight (V, D) row-major, any dtype; indices (I...) of i64, row-major;
/// y (I..., D) row-major. An index outside [0, V) is an Error(argument).
void embedding(const Tensor& weight, const Tensor& indices, const Tensor& y);
/// dweight[indices[i]] += alpha * dy[i] for i in rising order, but for rows of `padding_index` (-1:
/// none). dy (I..., D) and dweight (V, D) row-major, of one floating dtype. One chain for each
/// element of dweight, which begins at what it holds: a batch may be split over calls without
/// changing a bit.
void embedding_backward(const Tensor& indices, const Tensor& dy, std::int64_t padding_index,
                        double alpha, const Tensor& dweight);
}  // namespace cpu

namespace cuda {
void embedding(const Tensor& weight, const Tensor& indices, const Tensor& y);
void embedding_backward(const Tensor& indices, const Tensor& dy, std::int64_t padding_index,
                        double alpha, const Tensor& dweight);
}  // namespace cuda

}  // namespace gradus
