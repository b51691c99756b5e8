// Contract: elements chosen by indices (i64), sorting, triangles. An index outside its dimension is
// an error naming op, index and size. Where several indices name one place, they act in the order
// of the index: results never depend on threads.
#pragma once

#include "gradus/tensor/dispatch.h"
#include "gradus/tensor/tensor.h"

namespace gradus {

namespace cpu {
/// y[.. i ..] = x[.. index[.. i ..] ..] along `dim`. index and y have one shape; x at least that
/// size in all other dimensions.
void gather(const Tensor& x, int dim, const Tensor& index, const Tensor& y);
/// y[.. index[.. i ..] ..] = src[.. i ..], or += (add). src has at least index's shape.
void scatter(const char* op, int dim, const Tensor& index, const Tensor& src, bool add,
             const Tensor& y);
/// y = the slices x[.. index[i] ..] along `dim`. index: (n). y is row-major.
void index_select(const Tensor& x, int dim, const Tensor& index, const Tensor& y);
/// y[.. index[i] ..] += alpha * src[.. i ..], slices along `dim`. index: (n). y is row-major.
void index_add(int dim, const Tensor& index, const Tensor& src, double alpha, const Tensor& y);
/// Row-major positions of the elements of x that are not zero: returns how many there are; writes
/// them to y (that many, dims of x), i64, if it is defined.
std::int64_t nonzero(const Tensor& x, const Tensor& y);
/// y (i64) = the places of the elements of x in sorted order along `dim`, equals in their old
/// order; NaN counts as largest.
void arg_sort(const Tensor& x, int dim, bool descending, const Tensor& y);
/// y = x (.., n, m) with zeros above (lower) or below the k-th diagonal.
void triangle(const Tensor& x, std::int64_t k, bool lower, const Tensor& y);
}  // namespace cpu

namespace cuda {
void gather(const Tensor& x, int dim, const Tensor& index, const Tensor& y);
void scatter(const char* op, int dim, const Tensor& index, const Tensor& src, bool add,
             const Tensor& y);
void index_select(const Tensor& x, int dim, const Tensor& index, const Tensor& y);
void index_add(int dim, const Tensor& index, const Tensor& src, double alpha, const Tensor& y);
std::int64_t nonzero(const Tensor& x, const Tensor& y);
void arg_sort(const Tensor& x, int dim, bool descending, const Tensor& y);
void triangle(const Tensor& x, std::int64_t k, bool lower, const Tensor& y);
}  // namespace cuda

}  // namespace gradus
