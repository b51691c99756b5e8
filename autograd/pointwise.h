// How every pointwise op is computed and recorded. functions/ has one line an op on top of this.
#pragma once

#include "gradus/kernels/ops.h"
#include "gradus/tensor/scalar.h"
#include "gradus/tensor/tensor.h"

namespace gradus {

namespace detail {
Tensor unary(const OpCall& op, const Tensor& x);
Tensor binary(const OpCall& op, const Tensor& a, const Tensor& b);
Tensor compare(const OpCall& op, const Tensor& a, const Tensor& b);
Tensor predicate(const OpCall& op, const Tensor& x);
}  // namespace detail

/// y = op(x): recorded, where integer tensors become f32 first unless the op works on integers; or
/// a boolean, if the op is a predicate.
template <class Op>
Tensor pointwise(const Tensor& x, const Op& op = {}) {
  if constexpr (ops::UnaryOps::has<Op>)
    return detail::unary(ops::call<ops::UnaryOps>(op), x);
  else
    return detail::predicate(ops::call<ops::Predicates>(op), x);
}

/// y = op(a, b) with broadcasting and PyTorch's dtype promotion: recorded; or a boolean, if the op
/// is a comparison.
template <class Op>
Tensor pointwise(const Tensor& a, const Tensor& b, const Op& op = {}) {
  if constexpr (ops::BinaryOps::has<Op>)
    return detail::binary(ops::call<ops::BinaryOps>(op), a, b);
  else
    return detail::compare(ops::call<ops::Comparisons>(op), a, b);
}

/// The dtype of an op on both: PyTorch's rule, in which a 0-dim tensor decides only between
/// categories.
Dtype result_type(const Tensor& a, const Tensor& b);

/// `value` as a 0-dim tensor of the dtype that an op of `t` and it has, on t's device.
Tensor scalar_beside(const Tensor& t, Scalar value);

/// Sums `x` over the dimensions that broadcasting `shape` to x's shape had added or stretched. Not
/// recorded.
Tensor sum_to(const Tensor& x, const Shape& shape);

}  // namespace gradus
