// How every pointwise op is computed and recorded. functions.h has one line an op on top of this.
#pragma once

#include "gradus/kernels/ops.h"
#include "gradus/tensor/tensor.h"

namespace gradus {

namespace detail {
enum class Keeps { nothing, x, y, xy, no_gradient };
Tensor unary(OpCall op, const char* name, Keeps keeps, bool integers, const Tensor& x);
Tensor binary(OpCall op, const char* name, Keeps keeps, bool integers, const Tensor& a,
              const Tensor& b);
}  // namespace detail

/// y = op(x), recorded. Integer tensors become f32 first unless the op works on integers.
template <ops::Unary Op>
Tensor pointwise(const Tensor& x, const Op& op = {}) {
  using detail::Keeps;
  constexpr Keeps keeps = ops::FromX<Op>    ? Keeps::x
                          : ops::FromY<Op>  ? Keeps::y
                          : ops::FromXY<Op> ? Keeps::xy
                          : ops::FromDy<Op> ? Keeps::nothing
                                            : Keeps::no_gradient;
  return detail::unary(ops::call<ops::UnaryOps>(op), Op::name, keeps, ops::Integers<Op>, x);
}

/// y = op(a, b), recorded, with broadcasting and PyTorch's dtype promotion.
template <ops::Binary Op>
Tensor pointwise(const Tensor& a, const Tensor& b, const Op& op = {}) {
  using detail::Keeps;
  constexpr Keeps keeps = ops::KeepsInputs<Op> ? Keeps::xy : requires(Op o, float v) {
    o.da_from_dy(v);
  }
  ? Keeps::nothing : Keeps::no_gradient;
  return detail::binary(ops::call<ops::BinaryOps>(op), Op::name, keeps, ops::Integers<Op>, a, b);
}

/// The dtype of an op on both: PyTorch's rule, in which a 0-dim tensor decides only between
/// categories.
Dtype result_type(const Tensor& a, const Tensor& b);

/// Sums `x` over the dimensions that broadcasting `shape` to x's shape had added or stretched. Not
/// recorded.
Tensor sum_to(const Tensor& x, const Shape& shape);

}  // namespace gradus
