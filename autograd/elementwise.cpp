// Pointwise functions that are more than a line: those with a number as an argument, which decides
// the dtype, and those of three tensors.
#include "gradus/autograd/functions.h"
#include "gradus/autograd/record.h"
#include "gradus/kernels/compare.h"

namespace gradus {
namespace {

/// An op of a tensor and a number as `unary(value)`; integers that double would round go as a
/// tensor through `binary`.
template <class UnaryForm, class BinaryForm>
Tensor with_scalar(const Tensor& x, Scalar value, UnaryForm&& unary, BinaryForm&& binary) {
  const Dtype dtype = promote_scalar(x.dtype(), value.dtype());
  if (dtype == Dtype::boolean || !value.fits_double()) return binary(scalar_beside(x, value));
  return unary(x.dtype() == dtype ? x : x.to(dtype), value.real());
}

/// For rounding functions: an integer is what it rounds to.
template <class Op>
Tensor rounded(const Tensor& x, Op op) {
  return x.is_floating() ? pointwise(x, op) : x.clone();
}

void check_divisor(const char* op, const Tensor& a, const Tensor& b) {
  if (is_floating(result_type(a, b))) return;
  const Tensor zeros = as_dtype(b == 0, Dtype::i64);
  check(sum_to(zeros, {}).item<std::int64_t>() == 0, ErrorKind::argument, op,
        ": integer division by zero");
}

}  // namespace

Tensor add(const Tensor& a, const Tensor& b, Scalar alpha) {
  check(!alpha.is_real() || is_floating(result_type(a, b)), ErrorKind::argument,
        "add: alpha must be an integer for integer tensors, got ", alpha.real());
  if (result_type(a, b) == Dtype::boolean) return add(a, mul(b, alpha.real() != 0));
  return pointwise(a, b, ops::AddScaled{alpha.real()});
}

Tensor add(const Tensor& a, Scalar b) {
  return with_scalar(
      a, b, [](const Tensor& x, double v) { return pointwise(x, ops::AddScalar{v}); },
      [&](const Tensor& v) { return add(a, v); });
}

Tensor sub(const Tensor& a, const Tensor& b) {
  check(result_type(a, b) != Dtype::boolean, ErrorKind::dtype,
        "sub: not defined for two boolean tensors; use logical_xor or logical_not");
  return pointwise(a, b, ops::Sub{});
}

Tensor sub(const Tensor& a, const Tensor& b, Scalar alpha) {
  check(!alpha.is_real() || is_floating(result_type(a, b)), ErrorKind::argument,
        "sub: alpha must be an integer for integer tensors, got ", alpha.real());
  return pointwise(a, b, ops::AddScaled{-alpha.real()});
}

Tensor sub(const Tensor& a, Scalar b) {
  return with_scalar(
      a, b, [](const Tensor& x, double v) { return pointwise(x, ops::AddScalar{-v}); },
      [&](const Tensor& v) { return sub(a, v); });
}

Tensor sub(Scalar a, const Tensor& b) {
  return with_scalar(
      b, a, [](const Tensor& x, double v) { return pointwise(x, ops::SubFromScalar{v}); },
      [&](const Tensor& v) { return sub(v, b); });
}

Tensor mul(const Tensor& a, Scalar b) {
  return with_scalar(
      a, b, [](const Tensor& x, double v) { return pointwise(x, ops::MulScalar{v}); },
      [&](const Tensor& v) { return mul(a, v); });
}

Tensor div(const Tensor& a, Scalar b) { return pointwise(a, ops::DivScalar{b.real()}); }
Tensor div(Scalar a, const Tensor& b) { return pointwise(b, ops::DivIntoScalar{a.real()}); }

Tensor neg(const Tensor& x) {
  check(x.dtype() != Dtype::boolean, ErrorKind::dtype,
        "neg: not defined for a boolean tensor; use logical_not");
  return pointwise(x, ops::Neg{});
}

Tensor sign(const Tensor& x) {
  return x.dtype() == Dtype::boolean ? x.clone() : pointwise(x, ops::Sign{});
}
Tensor floor(const Tensor& x) { return rounded(x, ops::Floor{}); }
Tensor ceil(const Tensor& x) { return rounded(x, ops::Ceil{}); }
Tensor round(const Tensor& x) { return rounded(x, ops::Round{}); }
Tensor trunc(const Tensor& x) { return rounded(x, ops::Trunc{}); }

Tensor pow(const Tensor& x, const Tensor& exponent) { return pointwise(x, exponent, ops::Pow{}); }

Tensor pow(const Tensor& x, Scalar exponent) {
  const double e = exponent.real();
  const Dtype dtype = promote_scalar(x.dtype(), exponent.dtype());
  if (!is_floating(dtype)) {
    check(e >= 0, ErrorKind::argument, "pow: integers to a negative integer power, got exponent ",
          e);
    return e == 2 ? square(x.to(dtype)) : pow(x, scalar_beside(x, exponent));
  }
  const Tensor v = x.to(dtype);  // the usual exponents need no logarithm
  if (e == 2) return square(v);
  if (e == 0.5) return sqrt(v);
  if (e == 1) return mul(v, 1);
  if (e == -0.5) return rsqrt(v);
  if (e == -1) return reciprocal(v);
  return pointwise(v, ops::PowScalar{e});
}

Tensor pow(Scalar base, const Tensor& exponent) {
  const Dtype dtype = promote_scalar(exponent.dtype(), base.dtype());
  if (!is_floating(dtype)) return pow(scalar_beside(exponent, base), exponent);
  return pointwise(exponent.to(dtype), ops::ScalarPow{base.real()});
}

Tensor fmod(const Tensor& a, const Tensor& b) {
  check_divisor("fmod", a, b);
  return pointwise(a, b, ops::Fmod{});
}
Tensor fmod(const Tensor& a, Scalar b) { return fmod(a, scalar_beside(a, b)); }
Tensor remainder(const Tensor& a, const Tensor& b) {
  check_divisor("remainder", a, b);
  return pointwise(a, b, ops::Remainder{});
}
Tensor remainder(const Tensor& a, Scalar b) { return remainder(a, scalar_beside(a, b)); }

namespace {

/// x + value * a (b or 1 / b), half types in float and rounded once.
template <class Join>
Tensor joined(const Tensor& x, const Tensor& a, const Tensor& b, Scalar value, Join join) {
  const Dtype dtype = promote(promote(x.dtype(), a.dtype()), b.dtype());
  const auto wide = [&](const Tensor& t) { return is_half(dtype) ? t.to(Dtype::f32) : t; };
  const Tensor scaled = value.real() == 1 ? wide(a) : mul(wide(a), value);
  const Tensor y = add(wide(x), join(scaled, wide(b)));
  return is_half(dtype) ? y.to(dtype) : y;
}

}  // namespace

Tensor addcmul(const Tensor& x, const Tensor& a, const Tensor& b, Scalar value) {
  return joined(x, a, b, value, [](const Tensor& a, const Tensor& b) { return mul(a, b); });
}

Tensor addcdiv(const Tensor& x, const Tensor& a, const Tensor& b, Scalar value) {
  return joined(x, a, b, value, [](const Tensor& a, const Tensor& b) { return div(a, b); });
}

Tensor lerp(const Tensor& a, const Tensor& b, Scalar weight) {
  return pointwise(a, b, ops::Lerp{weight.real()});
}

Tensor lerp(const Tensor& a, const Tensor& b, const Tensor& weight) {
  const Tensor d = b - a;  // from the nearer end, so that weight 1 gives exactly b
  return where(weight < 0.5, a + weight * d, b - d * (1 - weight));
}

Tensor clamp(const Tensor& x, std::optional<Scalar> min, std::optional<Scalar> max) {
  check(min || max, ErrorKind::argument, "clamp: needs min or max");
  constexpr double infinity = std::numeric_limits<double>::infinity();
  Dtype dtype = x.dtype();
  if (min) dtype = promote_scalar(dtype, min->dtype());
  if (max) dtype = promote_scalar(dtype, max->dtype());
  if (dtype == Dtype::i64) {  // f64 does not hold them all
    const auto bound = [&](const std::optional<Scalar>& b) {
      return b ? full({}, *b, {dtype, x.device()}) : Tensor();
    };
    return clamp(x.to(dtype), bound(min), bound(max));
  }
  return pointwise(x.to(dtype),
                   ops::Clamp{min ? min->real() : -infinity, max ? max->real() : infinity});
}

Tensor clamp(const Tensor& x, const Tensor& min, const Tensor& max) {
  check(min.defined() || max.defined(), ErrorKind::argument, "clamp: needs min or max");
  Tensor y = x;  // the gradient of a tie goes half to each, as in PyTorch
  if (min.defined()) y = maximum(y, min);
  if (max.defined()) y = minimum(y, max);
  return y;
}

Tensor nan_to_num(const Tensor& x, double nan, std::optional<double> posinf,
                  std::optional<double> neginf) {
  if (!x.is_floating()) return x.clone();
  const double largest = x.dtype() == Dtype::f64    ? std::numeric_limits<double>::max()
                         : x.dtype() == Dtype::f16  ? 65504
                         : x.dtype() == Dtype::bf16 ? 0x1.fep127
                                                    : std::numeric_limits<float>::max();
  return pointwise(x, ops::NanToNum{nan, posinf.value_or(largest), neginf.value_or(-largest)});
}

Tensor where(const Tensor& condition, const Tensor& left, const Tensor& right) {
  check(condition.dtype() == Dtype::boolean, ErrorKind::dtype,
        "where: expected a boolean condition, got ", condition.dtype());
  check_same_device("where", condition.device(), left.device());
  check_same_device("where", left.device(), right.device());
  const Dtype dtype = result_type(left, right);
  const Tensor a = left.to(dtype), b = right.to(dtype);
  const Shape shape =
      broadcast_shapes("where", condition.shape(), broadcast_shapes("where", a.shape(), b.shape()));
  const Tensor y = a.shape() == shape ? empty_like(a) : empty(shape, a.options());
  dispatch<cpu::where, cuda::where>(y.device(), condition, a, b, y);
  return record("where", y, on(a, b), keep(condition),
                [sa = a.shape(), sb = b.shape()](const Tensor& dy, const Tensor& condition,
                                                 GradOut da, GradOut db) {
                  const Tensor zero = full({}, 0, dy.options());
                  if (da.wanted()) {
                    const Tensor d = empty_like(dy);
                    dispatch<cpu::where, cuda::where>(dy.device(), condition, dy, zero, d);
                    da.give(sum_to(d, sa));
                  }
                  if (db.wanted()) {
                    const Tensor d = empty_like(dy);
                    dispatch<cpu::where, cuda::where>(dy.device(), condition, zero, dy, d);
                    db.give(sum_to(d, sb));
                  }
                });
}

Tensor where(const Tensor& condition, const Tensor& a, Scalar b) {
  return where(condition, a, scalar_beside(a, b));
}
Tensor where(const Tensor& condition, Scalar a, const Tensor& b) {
  return where(condition, scalar_beside(b, a), b);
}

Tensor masked_fill(const Tensor& x, const Tensor& mask, Scalar value) {
  check(mask.dtype() == Dtype::boolean, ErrorKind::dtype,
        "masked_fill: expected a boolean mask, got ", mask.dtype());
  check(x.is_floating() || !value.is_real(), ErrorKind::dtype, "masked_fill: a real number for ",
        x.dtype());
  return where(mask, as_dtype(scalar_beside(x, value), x.dtype()), x);
}

Tensor gelu(const Tensor& x, std::string_view approximate) {
  if (approximate == "tanh") return pointwise(x, ops::GeluTanh{});
  check(approximate == "none", ErrorKind::argument,
        "gelu: approximate is \"none\" or \"tanh\", got \"", approximate, "\"");
  return pointwise(x, ops::Gelu{});
}

Tensor prelu(const Tensor& x, const Tensor& weight) {
  const std::int64_t channels = x.dim() < 2 ? 1 : x.size(1);
  check(weight.numel() == 1 || (weight.dim() == 1 && weight.numel() == channels), ErrorKind::shape,
        "prelu: weight ", weight.shape(), " does not fit the channels of ", x.shape());
  if (weight.numel() == 1) return pointwise(x, weight.reshape({}), ops::Prelu{});
  Shape along = Shape::filled(x.dim() - 1, 1);  // (C, 1, 1 ...)
  along[0] = channels;
  return pointwise(x, weight.reshape(along), ops::Prelu{});
}

Tensor glu(const Tensor& x, int dim) {
  const std::int64_t n = x.size(dim);
  check(x.dim() > 0 && n % 2 == 0, ErrorKind::shape, "glu: dimension ", dim, " of ", x.shape(),
        " is not even");
  return pointwise(x.narrow(dim, 0, n / 2), x.narrow(dim, n / 2, n / 2), ops::Glu{});
}

}  // namespace gradus
