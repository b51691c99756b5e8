// Contract: reductions over any dimensions, and running sums.
//
// Order: what is combined with what follows from the logical shape alone, never from strides or
// threads. `y` has x's number of dimensions and size 1 in the reduced ones; it is row-major.
#pragma once

#include "gradus/tensor/dispatch.h"
#include "gradus/tensor/tensor.h"

namespace gradus {

enum class Reduce { sum, prod, max, min };

namespace cpu {
/// y = the reduction of x (of no elements: 0, 1, -inf or the lowest, inf or the highest number).
/// Sums and products are computed in f32, f64 or i64 and converted to y's dtype.
void reduce(Reduce op, const Tensor& x, const Tensor& y);
/// y = sum of x, or y += ... (add).
void sum(const Tensor& x, const Tensor& y, bool add);
/// y (i64) = where along `dim` the largest (smallest) element is: the first of equals, the first
/// NaN if there is one. y has size 1 at `dim`; x has at least one element there.
void arg_max(const Tensor& x, int dim, const Tensor& y);
void arg_min(const Tensor& x, int dim, const Tensor& y);

/// y[i] = x[0] + ... + x[i] along `dim`, or from the end (reverse). Same shape and dtype.
void cumulative_sum(const Tensor& x, int dim, bool reverse, const Tensor& y);
void cumulative_prod(const Tensor& x, int dim, const Tensor& y);
/// dx[i] = dy * (the product of all other x), exact also where x has zeros.
/// x, dx: (rows, n) row-major; dy: (rows).
void prod_backward(const Tensor& x, const Tensor& dy, const Tensor& dx);
/// dx[i] = sum over j >= i of dy[j] * (the product of x[0..j] without x[i]). All (rows, n),
/// row-major.
void cumulative_prod_backward(const Tensor& x, const Tensor& dy, const Tensor& dx);
}  // namespace cpu

namespace cuda {
void reduce(Reduce op, const Tensor& x, const Tensor& y);
void sum(const Tensor& x, const Tensor& y, bool add);
void arg_max(const Tensor& x, int dim, const Tensor& y);
void arg_min(const Tensor& x, int dim, const Tensor& y);
void cumulative_sum(const Tensor& x, int dim, bool reverse, const Tensor& y);
void cumulative_prod(const Tensor& x, int dim, const Tensor& y);
void prod_backward(const Tensor& x, const Tensor& dy, const Tensor& dx);
void cumulative_prod_backward(const Tensor& x, const Tensor& dy, const Tensor& dx);
}  // namespace cuda

}  // namespace gradus
