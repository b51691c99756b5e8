// How every pointwise op is computed and recorded. functions/ has one line an op on top of this.
#pragma once

#include "gradus/kernels/ops.h"
#include "gradus/tensor/scalar.h"
#include "gradus/tensor/tensor.h"

namespace gradus {

namespace detail {
enum class Keeps : unsigned char { nothing, x, y, xy, no_gradient };

/// What autograd must know of an op beside its call.
struct OpTraits {
  const char* name;
  Keeps keeps;
  bool integers, booleans;
  double a_factor = 1, b_factor = 1;  // of binary ops that keep nothing
};
Tensor unary(const OpCall& op, const OpTraits& traits, const Tensor& x);
Tensor binary(const OpCall& op, const OpTraits& traits, const Tensor& a, const Tensor& b);
Tensor compare(const OpCall& op, const char* name, const Tensor& a, const Tensor& b);
Tensor predicate(const OpCall& op, const Tensor& x);

template <ops::Unary Op>
constexpr OpTraits unary_traits(const Op&) {
  constexpr Keeps keeps = ops::FromX<Op>    ? Keeps::x
                          : ops::FromY<Op>  ? Keeps::y
                          : ops::FromXY<Op> ? Keeps::xy
                          : ops::FromDy<Op> ? Keeps::nothing
                                            : Keeps::no_gradient;
  return {Op::name, keeps, ops::Integers<Op>, ops::Booleans<Op>};
}
template <ops::Binary Op>
constexpr OpTraits binary_traits(const Op& op) {
  constexpr bool integers = ops::Integers<Op>, booleans = ops::Booleans<Op>;
  if constexpr (ops::Linear<Op>)
    return {Op::name, Keeps::nothing, integers, booleans, op.a_factor(), op.b_factor()};
  else
    return {Op::name, ops::KeepsInputs<Op> ? Keeps::xy : Keeps::no_gradient, integers, booleans};
}
}  // namespace detail

/// y = op(x), recorded. Integer tensors become f32 first unless the op works on integers.
template <ops::Unary Op>
Tensor pointwise(const Tensor& x, const Op& op = {}) {
  return detail::unary(ops::call<ops::UnaryOps>(op), detail::unary_traits(op), x);
}

/// y = op(a, b), recorded, with broadcasting and PyTorch's dtype promotion.
template <ops::Binary Op>
Tensor pointwise(const Tensor& a, const Tensor& b, const Op& op = {}) {
  return detail::binary(ops::call<ops::BinaryOps>(op), detail::binary_traits(op), a, b);
}

/// y = op(a, b), boolean.
template <ops::Comparison Op>
Tensor pointwise(const Tensor& a, const Tensor& b, const Op& op = {}) {
  return detail::compare(ops::call<ops::Comparisons>(op), Op::name, a, b);
}
template <ops::Predicate Op>
Tensor pointwise(const Tensor& x, const Op& op = {}) {
  return detail::predicate(ops::call<ops::Predicates>(op), x);
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
