// Pointwise functions and operators: one line each; value and derivative stand in kernels/ops. All
// broadcast and promote dtypes as PyTorch does. Integers become f32 where only reals make sense.
#pragma once

#include <limits>
#include <optional>

#include "gradus/autograd/pointwise.h"

namespace gradus {

// Arithmetic. `alpha` scales b.
inline Tensor add(const Tensor& a, const Tensor& b) { return pointwise(a, b, ops::Add{}); }
Tensor add(const Tensor& a, const Tensor& b, Scalar alpha);
Tensor add(const Tensor& a, Scalar b);
Tensor sub(const Tensor& a, const Tensor& b);  // booleans: an error, as in PyTorch
Tensor sub(const Tensor& a, const Tensor& b, Scalar alpha);
Tensor sub(const Tensor& a, Scalar b);
Tensor sub(Scalar a, const Tensor& b);
inline Tensor mul(const Tensor& a, const Tensor& b) { return pointwise(a, b, ops::Mul{}); }
Tensor mul(const Tensor& a, Scalar b);
inline Tensor div(const Tensor& a, const Tensor& b) { return pointwise(a, b, ops::Div{}); }
Tensor div(const Tensor& a, Scalar b);
Tensor div(Scalar a, const Tensor& b);
Tensor neg(const Tensor& x);
inline Tensor reciprocal(const Tensor& x) { return pointwise(x, ops::Reciprocal{}); }
inline Tensor square(const Tensor& x) { return pointwise(x, ops::Square{}); }
Tensor pow(const Tensor& x, const Tensor& exponent);
Tensor pow(const Tensor& x, Scalar exponent);
Tensor pow(Scalar base, const Tensor& exponent);
Tensor fmod(const Tensor& a, const Tensor& b);  // sign of a
Tensor fmod(const Tensor& a, Scalar b);
Tensor remainder(const Tensor& a, const Tensor& b);  // sign of b
Tensor remainder(const Tensor& a, Scalar b);
/// x + value * a * b, and x + value * a / b.
Tensor addcmul(const Tensor& x, const Tensor& a, const Tensor& b, Scalar value = 1);
Tensor addcdiv(const Tensor& x, const Tensor& a, const Tensor& b, Scalar value = 1);
/// a + weight (b - a).
Tensor lerp(const Tensor& a, const Tensor& b, Scalar weight);
Tensor lerp(const Tensor& a, const Tensor& b, const Tensor& weight);

// Exponentials, logarithms, roots.
inline Tensor exp(const Tensor& x) { return pointwise(x, ops::Exp{}); }
inline Tensor exp2(const Tensor& x) { return pointwise(x, ops::Exp2{}); }
inline Tensor expm1(const Tensor& x) { return pointwise(x, ops::Expm1{}); }
inline Tensor log(const Tensor& x) { return pointwise(x, ops::Log{}); }
inline Tensor log2(const Tensor& x) { return pointwise(x, ops::Log2{}); }
inline Tensor log10(const Tensor& x) { return pointwise(x, ops::Log10{}); }
inline Tensor log1p(const Tensor& x) { return pointwise(x, ops::Log1p{}); }
inline Tensor sqrt(const Tensor& x) { return pointwise(x, ops::Sqrt{}); }
inline Tensor rsqrt(const Tensor& x) { return pointwise(x, ops::Rsqrt{}); }
inline Tensor erf(const Tensor& x) { return pointwise(x, ops::Erf{}); }
inline Tensor erfc(const Tensor& x) { return pointwise(x, ops::Erfc{}); }

// Trigonometry.
inline Tensor sin(const Tensor& x) { return pointwise(x, ops::Sin{}); }
inline Tensor cos(const Tensor& x) { return pointwise(x, ops::Cos{}); }
inline Tensor tan(const Tensor& x) { return pointwise(x, ops::Tan{}); }
inline Tensor asin(const Tensor& x) { return pointwise(x, ops::Asin{}); }
inline Tensor acos(const Tensor& x) { return pointwise(x, ops::Acos{}); }
inline Tensor atan(const Tensor& x) { return pointwise(x, ops::Atan{}); }
inline Tensor sinh(const Tensor& x) { return pointwise(x, ops::Sinh{}); }
inline Tensor cosh(const Tensor& x) { return pointwise(x, ops::Cosh{}); }
inline Tensor tanh(const Tensor& x) { return pointwise(x, ops::Tanh{}); }
inline Tensor atan2(const Tensor& y, const Tensor& x) { return pointwise(y, x, ops::Atan2{}); }
inline Tensor hypot(const Tensor& a, const Tensor& b) { return pointwise(a, b, ops::Hypot{}); }

// Signs, rounding, bounds.
inline Tensor abs(const Tensor& x) { return pointwise(x, ops::Abs{}); }
Tensor sign(const Tensor& x);
Tensor floor(const Tensor& x);
Tensor ceil(const Tensor& x);
Tensor round(const Tensor& x);  // halves to the even neighbour
Tensor trunc(const Tensor& x);
inline Tensor maximum(const Tensor& a, const Tensor& b) { return pointwise(a, b, ops::Maximum{}); }
inline Tensor minimum(const Tensor& a, const Tensor& b) { return pointwise(a, b, ops::Minimum{}); }
inline Tensor fmax(const Tensor& a, const Tensor& b) { return pointwise(a, b, ops::Fmax{}); }
inline Tensor fmin(const Tensor& a, const Tensor& b) { return pointwise(a, b, ops::Fmin{}); }
Tensor clamp(const Tensor& x, std::optional<Scalar> min, std::optional<Scalar> max = {});
/// Bounds that are tensors; an undefined one does not bound.
Tensor clamp(const Tensor& x, const Tensor& min, const Tensor& max);
/// Infinities become the largest and lowest number of the dtype unless given.
Tensor nan_to_num(const Tensor& x, double nan = 0, std::optional<double> posinf = {},
                  std::optional<double> neginf = {});

// Truth values.
inline Tensor eq(const Tensor& a, const Tensor& b) { return pointwise(a, b, ops::Eq{}); }
inline Tensor ne(const Tensor& a, const Tensor& b) { return pointwise(a, b, ops::Ne{}); }
inline Tensor lt(const Tensor& a, const Tensor& b) { return pointwise(a, b, ops::Lt{}); }
inline Tensor le(const Tensor& a, const Tensor& b) { return pointwise(a, b, ops::Le{}); }
inline Tensor gt(const Tensor& a, const Tensor& b) { return pointwise(b, a, ops::Lt{}); }
inline Tensor ge(const Tensor& a, const Tensor& b) { return pointwise(b, a, ops::Le{}); }
inline Tensor eq(const Tensor& a, Scalar b) { return eq(a, scalar_beside(a, b)); }
inline Tensor ne(const Tensor& a, Scalar b) { return ne(a, scalar_beside(a, b)); }
inline Tensor lt(const Tensor& a, Scalar b) { return lt(a, scalar_beside(a, b)); }
inline Tensor le(const Tensor& a, Scalar b) { return le(a, scalar_beside(a, b)); }
inline Tensor gt(const Tensor& a, Scalar b) { return gt(a, scalar_beside(a, b)); }
inline Tensor ge(const Tensor& a, Scalar b) { return ge(a, scalar_beside(a, b)); }
inline Tensor logical_and(const Tensor& a, const Tensor& b) {
  return pointwise(a, b, ops::LogicalAnd{});
}
inline Tensor logical_or(const Tensor& a, const Tensor& b) {
  return pointwise(a, b, ops::LogicalOr{});
}
inline Tensor logical_xor(const Tensor& a, const Tensor& b) {
  return pointwise(a, b, ops::LogicalXor{});
}
inline Tensor logical_not(const Tensor& x) { return pointwise(x, ops::LogicalNot{}); }
inline Tensor isnan(const Tensor& x) { return pointwise(x, ops::IsNan{}); }
inline Tensor isinf(const Tensor& x) { return pointwise(x, ops::IsInf{}); }
inline Tensor isfinite(const Tensor& x) { return pointwise(x, ops::IsFinite{}); }
/// condition ? a : b; all broadcast, a and b promote.
Tensor where(const Tensor& condition, const Tensor& a, const Tensor& b);
Tensor where(const Tensor& condition, const Tensor& a, Scalar b);
Tensor where(const Tensor& condition, Scalar a, const Tensor& b);
/// value where mask, else x; the mask broadcasts to x's shape.
Tensor masked_fill(const Tensor& x, const Tensor& mask, Scalar value);

inline Tensor operator+(const Tensor& a, const Tensor& b) { return add(a, b); }
inline Tensor operator+(const Tensor& a, Scalar b) { return add(a, b); }
inline Tensor operator+(Scalar a, const Tensor& b) { return add(b, a); }
inline Tensor operator-(const Tensor& a, const Tensor& b) { return sub(a, b); }
inline Tensor operator-(const Tensor& a, Scalar b) { return sub(a, b); }
inline Tensor operator-(Scalar a, const Tensor& b) { return sub(a, b); }
inline Tensor operator-(const Tensor& x) { return neg(x); }
inline Tensor operator*(const Tensor& a, const Tensor& b) { return mul(a, b); }
inline Tensor operator*(const Tensor& a, Scalar b) { return mul(a, b); }
inline Tensor operator*(Scalar a, const Tensor& b) { return mul(b, a); }
inline Tensor operator/(const Tensor& a, const Tensor& b) { return div(a, b); }
inline Tensor operator/(const Tensor& a, Scalar b) { return div(a, b); }
inline Tensor operator/(Scalar a, const Tensor& b) { return div(a, b); }
inline Tensor operator==(const Tensor& a, const Tensor& b) { return eq(a, b); }
inline Tensor operator==(const Tensor& a, Scalar b) { return eq(a, b); }
inline Tensor operator==(Scalar a, const Tensor& b) { return eq(b, a); }
inline Tensor operator!=(const Tensor& a, const Tensor& b) { return ne(a, b); }
inline Tensor operator!=(const Tensor& a, Scalar b) { return ne(a, b); }
inline Tensor operator!=(Scalar a, const Tensor& b) { return ne(b, a); }
inline Tensor operator<(const Tensor& a, const Tensor& b) { return lt(a, b); }
inline Tensor operator<(const Tensor& a, Scalar b) { return lt(a, b); }
inline Tensor operator<(Scalar a, const Tensor& b) { return gt(b, a); }
inline Tensor operator<=(const Tensor& a, const Tensor& b) { return le(a, b); }
inline Tensor operator<=(const Tensor& a, Scalar b) { return le(a, b); }
inline Tensor operator<=(Scalar a, const Tensor& b) { return ge(b, a); }
inline Tensor operator>(const Tensor& a, const Tensor& b) { return gt(a, b); }
inline Tensor operator>(const Tensor& a, Scalar b) { return gt(a, b); }
inline Tensor operator>(Scalar a, const Tensor& b) { return lt(b, a); }
inline Tensor operator>=(const Tensor& a, const Tensor& b) { return ge(a, b); }
inline Tensor operator>=(const Tensor& a, Scalar b) { return ge(a, b); }
inline Tensor operator>=(Scalar a, const Tensor& b) { return le(b, a); }

}  // namespace gradus
