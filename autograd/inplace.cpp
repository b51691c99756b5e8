// The in-place forms. Where a gradient is wanted, the out-of-place op is recorded and its result
// moved in.
#include "gradus/autograd/functions.h"
#include "gradus/autograd/record.h"
#include "gradus/kernels/create.h"

namespace gradus {
namespace {

const Tensor& in_place(const char* op, const Tensor& t, const Tensor& other, auto&& compute) {
  check_in_place(op, t, other.defined() && other.requires_grad());
  const Tensor result = compute();
  check(result.shape() == t.shape(), ErrorKind::shape, op, "_: the result has shape ",
        result.shape(), ", the tensor ", t.shape());
  replace_in_place(t, result);
  return t;
}

}  // namespace

const Tensor& Tensor::fill_(double value) const {
  check_in_place("fill", *this, false);
  dispatch<cpu::fill, cuda::fill>(device(), *this, value);
  bump_version();
  if (!is_leaf()) body().node = {};
  return *this;
}

const Tensor& Tensor::copy_(const Tensor& source) const {
  return in_place("copy", *this, source,
                  [&] { return source.to(device()).to(dtype()).expand(shape()); });
}

const Tensor& Tensor::add_(const Tensor& other, double alpha) const {
  return in_place("add", *this, other,
                  [&] { return *this + (alpha == 1 ? other : other * alpha); });
}
const Tensor& Tensor::add_(double value) const {
  return in_place("add", *this, {}, [&] { return *this + value; });
}
const Tensor& Tensor::sub_(const Tensor& other, double alpha) const {
  return in_place("sub", *this, other,
                  [&] { return *this - (alpha == 1 ? other : other * alpha); });
}
const Tensor& Tensor::mul_(const Tensor& other) const {
  return in_place("mul", *this, other, [&] { return *this * other; });
}
const Tensor& Tensor::mul_(double value) const {
  return in_place("mul", *this, {}, [&] { return *this * value; });
}
const Tensor& Tensor::div_(const Tensor& other) const {
  return in_place("div", *this, other, [&] { return *this / other; });
}
const Tensor& Tensor::div_(double value) const {
  return in_place("div", *this, {}, [&] { return *this * (1 / value); });
}

}  // namespace gradus
