// The in-place forms. Where nothing is recorded the kernel writes straight into the tensor; where a
// gradient is wanted the out-of-place op is recorded and its result moved in.
#include <cmath>

#include "gradus/autograd/functions.h"
#include "gradus/autograd/record.h"
#include "gradus/kernels/binary.h"
#include "gradus/kernels/compare.h"
#include "gradus/kernels/create.h"
#include "gradus/kernels/unary.h"

namespace gradus {
namespace {

/// The same tensor behind another handle, or with memory of its own. What the recorded op keeps of
/// its input must not be the handle that gets its result: it would own itself.
Tensor alias(const Tensor& t, bool copied = false) {
  const Tensor same = copied ? t.detach().clone() : t.detach();
  same.raw()->node = t.raw()->node;
  return same;
}

/// compute(t), so that what it keeps of t outlives the writing of t.
template <class Compute>
Tensor computed(const Tensor& t, Compute&& compute) {
  const Tensor x = alias(t);
  const auto owners = x.raw()->storage->references.load();
  const Tensor result = compute(x);
  const bool kept = x.raw()->references.load() > 1 || x.raw()->storage->references.load() > owners;
  const bool is_x = result.raw()->storage == x.raw()->storage;
  return kept && !is_x && result.requires_grad() ? compute(alias(t, true)) : result;
}

/// t = compute(t), for any op.
template <class Compute>
const Tensor& assign(const char* op, const Tensor& t, bool other_recorded, Compute&& compute) {
  check_in_place(op, t, other_recorded);
  const Tensor result = computed(t, compute);
  check(result.shape() == t.shape(), ErrorKind::shape, op, "_: the result has shape ",
        result.shape(), ", the tensor ", t.shape());
  check(t.is_floating() || !result.is_floating() || t.dtype() == result.dtype(), ErrorKind::dtype,
        op, "_: the result is ", result.dtype(), ", the tensor ", t.dtype());
  replace_in_place(t, result);
  return t;
}

template <ops::Unary Op>
const Tensor& map(const Tensor& t, const Op& op) {
  const bool direct = t.is_floating() || (ops::Integers<Op> && t.dtype() != Dtype::boolean);
  if (!direct || recording({&t}))
    return assign(Op::name, t, false, [&](const Tensor& x) { return pointwise(x, op); });
  check_writable(Op::name, t);
  dispatch<cpu::unary, cuda::unary>(t.device(), ops::call<ops::UnaryOps>(op), t, t);
  t.bump_version();
  return t;
}

/// An op with a number, which may decide that the result is of another type.
template <ops::Unary Op, class General>
const Tensor& map(const Tensor& t, Scalar value, const Op& op, General&& general) {
  const bool plain = promote_scalar(t.dtype(), value.dtype()) == t.dtype() && value.fits_double();
  return plain ? map(t, op) : assign(Op::name, t, false, general);
}

/// True if `other` shows memory of t in another way, so that writing t would change what is read.
bool crosses(const Tensor& t, const Tensor& other) {
  if (t.raw()->storage != other.raw()->storage) return false;
  return t.raw()->offset != other.raw()->offset || !(t.shape() == other.shape()) ||
         !(t.strides() == other.strides());
}

template <ops::Binary Op>
const Tensor& combine(const Tensor& t, const Tensor& other, const Op& op) {
  check_same_device(Op::name, t.device(), other.device());
  const Dtype dtype = result_type(t, other);
  const bool known = is_floating(dtype) || (ops::Integers<Op> && dtype != Dtype::boolean);
  if (dtype != t.dtype() || !known || recording({&t, &other})) {
    const bool wanted = other.requires_grad();
    return assign(Op::name, t, wanted, [&](const Tensor& x) { return pointwise(x, other, op); });
  }
  check(broadcast_shapes(Op::name, t.shape(), other.shape()) == t.shape(), ErrorKind::shape,
        Op::name, "_: the result has shape ", broadcast_shapes(Op::name, t.shape(), other.shape()),
        ", the tensor ", t.shape());
  check_writable(Op::name, t);
  Tensor b = as_dtype(other, dtype);
  if (crosses(t, b)) b = b.detach().clone();
  dispatch<cpu::binary, cuda::binary>(t.device(), ops::call<ops::BinaryOps>(op), t, b, t);
  t.bump_version();
  return t;
}

/// What add() and sub() say of a fraction beside integers.
void check_alpha(const char* op, const Tensor& a, const Tensor& b, double alpha) {
  check(is_floating(result_type(a, b)) || alpha == std::trunc(alpha), ErrorKind::argument, op,
        "_: alpha must be an integer for integer tensors, got ", alpha);
}

}  // namespace

const Tensor& Tensor::fill_(Scalar value) const {
  check_in_place("fill", *this, false);
  dispatch<cpu::fill, cuda::fill>(device(), *this, value);
  bump_version();
  if (grad_enabled() && !is_leaf()) body().node = {};
  return *this;
}

const Tensor& Tensor::copy_(const Tensor& source) const {
  return assign("copy", *this, source.requires_grad(), [&](const Tensor&) {
    Tensor s = source.to(device());
    if (s.requires_grad() || crosses(*this, s) || !is_floating()) s = s.to(dtype());
    if (crosses(*this, s)) s = s.clone();
    return s.expand(shape());
  });
}

const Tensor& Tensor::add_(const Tensor& other, double alpha) const {
  check_alpha("add", *this, other, alpha);
  return alpha == 1 ? combine(*this, other, ops::Add{})
                    : combine(*this, other, ops::AddScaled{alpha});
}
const Tensor& Tensor::add_(Scalar value) const {
  return map(*this, value, ops::AddScalar{value.real()},
             [&](const Tensor& x) { return gradus::add(x, value); });
}
const Tensor& Tensor::sub_(const Tensor& other, double alpha) const {
  check(result_type(*this, other) != Dtype::boolean, ErrorKind::dtype,
        "sub: not defined for two boolean tensors; use logical_xor or logical_not");
  check_alpha("sub", *this, other, alpha);
  return alpha == 1 ? combine(*this, other, ops::Sub{})
                    : combine(*this, other, ops::AddScaled{-alpha});
}
const Tensor& Tensor::sub_(Scalar value) const {
  return map(*this, value, ops::AddScalar{-value.real()},
             [&](const Tensor& x) { return gradus::sub(x, value); });
}
const Tensor& Tensor::mul_(const Tensor& other) const { return combine(*this, other, ops::Mul{}); }
const Tensor& Tensor::mul_(Scalar value) const {
  return map(*this, value, ops::MulScalar{value.real()},
             [&](const Tensor& x) { return gradus::mul(x, value); });
}
const Tensor& Tensor::div_(const Tensor& other) const { return combine(*this, other, ops::Div{}); }
const Tensor& Tensor::div_(Scalar value) const { return map(*this, ops::DivScalar{value.real()}); }

const Tensor& Tensor::pow_(Scalar exponent) const {
  return assign("pow", *this, false, [&](const Tensor& x) { return gradus::pow(x, exponent); });
}
const Tensor& Tensor::clamp_(std::optional<Scalar> min, std::optional<Scalar> max) const {
  constexpr double infinity = std::numeric_limits<double>::infinity();
  const bool plain = is_floating() && (min || max);
  if (!plain) {
    return assign("clamp", *this, false,
                  [&](const Tensor& x) { return gradus::clamp(x, min, max); });
  }
  return map(*this, ops::Clamp{min ? min->real() : -infinity, max ? max->real() : infinity});
}

const Tensor& Tensor::neg_() const {
  check(dtype() != Dtype::boolean, ErrorKind::dtype,
        "neg: not defined for a boolean tensor; use logical_not");
  return map(*this, ops::Neg{});
}
const Tensor& Tensor::abs_() const { return map(*this, ops::Abs{}); }
const Tensor& Tensor::square_() const { return map(*this, ops::Square{}); }
const Tensor& Tensor::sqrt_() const { return map(*this, ops::Sqrt{}); }
const Tensor& Tensor::rsqrt_() const { return map(*this, ops::Rsqrt{}); }
const Tensor& Tensor::reciprocal_() const { return map(*this, ops::Reciprocal{}); }
const Tensor& Tensor::exp_() const { return map(*this, ops::Exp{}); }
const Tensor& Tensor::log_() const { return map(*this, ops::Log{}); }
const Tensor& Tensor::tanh_() const { return map(*this, ops::Tanh{}); }
const Tensor& Tensor::sigmoid_() const { return map(*this, ops::Sigmoid{}); }
const Tensor& Tensor::relu_() const { return map(*this, ops::Relu{}); }

const Tensor& Tensor::lerp_(const Tensor& end, double weight) const {
  return combine(*this, end, ops::Lerp{weight});
}
const Tensor& Tensor::addcmul_(const Tensor& a, const Tensor& b, Scalar value) const {
  return assign("addcmul", *this, a.requires_grad() || b.requires_grad(),
                [&](const Tensor& x) { return addcmul(x, a, b, value); });
}
const Tensor& Tensor::addcdiv_(const Tensor& a, const Tensor& b, Scalar value) const {
  return assign("addcdiv", *this, a.requires_grad() || b.requires_grad(),
                [&](const Tensor& x) { return addcdiv(x, a, b, value); });
}
const Tensor& Tensor::masked_fill_(const Tensor& mask, Scalar value) const {
  check_same_device("masked_fill", device(), mask.device());
  const bool plain = mask.dtype() == Dtype::boolean && (is_floating() || !value.is_real()) &&
                     broadcast_shapes("masked_fill", shape(), mask.shape()) == shape();
  if (!plain || crosses(*this, mask) || recording({this})) {
    return assign("masked_fill", *this, false,
                  [&](const Tensor& x) { return gradus::masked_fill(x, mask, value); });
  }
  check_writable("masked_fill", *this);
  const Tensor v = as_dtype(scalar_beside(*this, value), dtype());
  dispatch<cpu::where, cuda::where>(device(), mask, v, *this, *this);
  bump_version();
  return *this;
}

}  // namespace gradus
