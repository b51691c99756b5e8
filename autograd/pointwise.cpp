#include "gradus/autograd/pointwise.h"

#include "gradus/autograd/functions.h"
#include "gradus/autograd/record.h"
#include "gradus/kernels/binary.h"
#include "gradus/kernels/create.h"
#include "gradus/kernels/reduce.h"
#include "gradus/kernels/unary.h"

namespace gradus {
namespace {

int category(Dtype d) { return d == Dtype::boolean ? 0 : is_floating(d) ? 2 : 1; }

Tensor backward_of(OpCall op, const Tensor& x, const Tensor& y, const Tensor& dy) {
  Tensor dx = empty_like(x ? x : y ? y : dy);
  dispatch<cpu::unary_backward, cuda::unary_backward>(dy.device(), op, x, y, dy, dx);
  return dx;
}

}  // namespace

Dtype result_type(const Tensor& a, const Tensor& b) {
  if (a.dtype() == b.dtype()) return a.dtype();
  if (a.dim() > 0 && b.dim() == 0 && category(b.dtype()) <= category(a.dtype())) return a.dtype();
  if (b.dim() > 0 && a.dim() == 0 && category(a.dtype()) <= category(b.dtype())) return b.dtype();
  return promote(a.dtype(), b.dtype());
}

Tensor sum_to(const Tensor& x, const Shape& shape) {
  if (x.shape() == shape) return x;
  Shape kept = Shape::filled(x.dim(), 1);
  for (int i = 0; i < shape.size(); ++i) kept[x.dim() - shape.size() + i] = shape[i];
  Tensor y = empty(kept, x.options());
  dispatch<cpu::sum, cuda::sum>(x.device(), x, y, false);
  return as_view(y, shape, contiguous_strides(shape), 0);
}

namespace detail {

Tensor unary(OpCall op, const char* name, Keeps keeps, bool integers, const Tensor& input) {
  const bool exact = integers && input.dtype() != Dtype::boolean;
  const Tensor x =
      input.is_floating() || exact ? input : input.to(integers ? Dtype::i64 : Dtype::f32);
  Tensor y = empty_like(x);
  dispatch<cpu::unary, cuda::unary>(x.device(), op, x, y);
  switch (keeps) {
    case Keeps::x:
      return record(name, y, on(x), keep(x), [op](const Tensor& dy, const Tensor& x, GradOut dx) {
        dx.give(backward_of(op, x, {}, dy));
      });
    case Keeps::y:
      return record(name, y, on(x), keep(y), [op](const Tensor& dy, const Tensor& y, GradOut dx) {
        dx.give(backward_of(op, {}, y, dy));
      });
    case Keeps::xy:
      return record(name, y, on(x), keep(x, y),
                    [op](const Tensor& dy, const Tensor& x, const Tensor& y, GradOut dx) {
                      dx.give(backward_of(op, x, y, dy));
                    });
    case Keeps::nothing:
      return record(name, y, on(x), keep(),
                    [op](const Tensor& dy, GradOut dx) { dx.give(backward_of(op, {}, {}, dy)); });
    case Keeps::no_gradient:
      return record(name, y, on(x), keep(),
                    [](const Tensor& dy, GradOut dx) { dx.give(zeros_like(dy)); });
  }
  return y;
}

Tensor binary(OpCall op, const char* name, Keeps keeps, bool integers, const Tensor& left,
              const Tensor& right) {
  check_same_device(name, left.device(), right.device());
  Dtype dtype = result_type(left, right);
  if (!is_floating(dtype) && !integers) dtype = Dtype::f32;
  if (dtype == Dtype::boolean) dtype = Dtype::i64;
  const Tensor a = left.to(dtype), b = right.to(dtype);
  Tensor y = a.shape() == b.shape()
                 ? empty_like(a)
                 : empty(broadcast_shapes(name, a.shape(), b.shape()), a.options());
  dispatch<cpu::binary, cuda::binary>(a.device(), op, a, b, y);
  switch (keeps) {
    case Keeps::xy:
      return record(
          name, y, on(a, b), keep(a, b),
          [op](const Tensor& dy, const Tensor& a, const Tensor& b, GradOut da, GradOut db) {
            if (da.wanted()) {
              Tensor d = empty_like(dy);
              dispatch<cpu::binary_backward_a, cuda::binary_backward_a>(dy.device(), op, a, b, dy,
                                                                        d);
              da.give(sum_to(d, a.shape()));
            }
            if (db.wanted()) {
              Tensor d = empty_like(dy);
              dispatch<cpu::binary_backward_b, cuda::binary_backward_b>(dy.device(), op, a, b, dy,
                                                                        d);
              db.give(sum_to(d, b.shape()));
            }
          });
    case Keeps::nothing:  // linear in both: da = s dy, db = t dy
      return record(
          name, y, on(a, b), keep(),
          [op, sa = a.shape(), sb = b.shape()](const Tensor& dy, GradOut da, GradOut db) {
            if (da.wanted()) da.give(sum_to(dy, sa));
            if (!db.wanted()) return;
            const bool minus = op.index == ops::BinaryOps::index_of<ops::Sub>;
            db.give(sum_to(
                minus ? backward_of(ops::call<ops::UnaryOps>(ops::Neg{}), {}, {}, dy) : dy, sb));
          });
    default: return y;
  }
}

}  // namespace detail
}  // namespace gradus
