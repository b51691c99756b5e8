#include "gradus/autograd/pointwise.h"

#include <array>

#include "gradus/autograd/functions.h"
#include "gradus/autograd/record.h"
#include "gradus/kernels/binary.h"
#include "gradus/kernels/compare.h"
#include "gradus/kernels/create.h"
#include "gradus/kernels/reduce.h"
#include "gradus/kernels/unary.h"

namespace gradus {
namespace {

int category(Dtype d) { return d == Dtype::boolean ? 0 : is_floating(d) ? 2 : 1; }

void give_backward(const OpCall& op, const Tensor& x, const Tensor& y, const Tensor& dy,
                   GradOut& out) {
  Tensor dx = out.room(x ? x : y ? y : dy);
  dispatch<cpu::unary_backward, cuda::unary_backward>(dy.device(), op, x, y, dy, dx);
  out.give(std::move(dx));
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

Tensor scalar_beside(const Tensor& t, Scalar value) {
  const Dtype dtype = promote_scalar(t.dtype(), value.dtype());
  if (value.fits_double()) return full({}, value.real(), {dtype, t.device()});
  const std::int64_t exact = value.integer();
  return as_dtype(from_data(&exact, {}, {Dtype::i64, t.device()}), dtype);
}

namespace detail {
namespace {

enum class Keeps : unsigned char { nothing, x, y, xy, no_gradient };

/// What autograd must know of an op beside its call.
struct OpTraits {
  const char* name;
  Keeps keeps;
  bool integers, booleans;
};
/// The same of a binary op; the factors are of those that are linear in both inputs.
struct BinaryTraits : OpTraits {
  void (*factors)(const OpCall& op, double& a, double& b);
};

template <ops::Unary Op>
constexpr OpTraits unary_traits() {
  constexpr Keeps keeps = ops::FromX<Op>    ? Keeps::x
                          : ops::FromY<Op>  ? Keeps::y
                          : ops::FromXY<Op> ? Keeps::xy
                          : ops::FromDy<Op> ? Keeps::nothing
                                            : Keeps::no_gradient;
  return {Op::name, keeps, ops::Integers<Op>, ops::Booleans<Op>};
}
template <ops::Binary Op>
constexpr BinaryTraits binary_traits() {
  constexpr Keeps keeps = ops::Linear<Op>        ? Keeps::nothing
                          : ops::KeepsInputs<Op> ? Keeps::xy
                                                 : Keeps::no_gradient;
  BinaryTraits traits{{Op::name, keeps, ops::Integers<Op>, ops::Booleans<Op>}, nullptr};
  if constexpr (ops::Linear<Op>) {
    traits.factors = [](const OpCall& call, double& a, double& b) {
      const Op op = ops::from_parameters<Op>(call.p);
      a = op.a_factor();
      b = op.b_factor();
    };
  }
  return traits;
}

// In the order of the lists, as the kernels' tables are.
template <class... Ops>
constexpr std::array<OpTraits, sizeof...(Ops)> table_of_unary(ops::List<Ops...>) {
  return {unary_traits<Ops>()...};
}
template <class... Ops>
constexpr std::array<BinaryTraits, sizeof...(Ops)> table_of_binary(ops::List<Ops...>) {
  return {binary_traits<Ops>()...};
}
template <class... Ops>
constexpr std::array<const char*, sizeof...(Ops)> names_of(ops::List<Ops...>) {
  return {Ops::name...};
}
constexpr auto unary_table = table_of_unary(ops::UnaryOps{});
constexpr auto binary_table = table_of_binary(ops::BinaryOps{});
constexpr auto comparison_names = names_of(ops::Comparisons{});

/// factor * dy, for ops that are linear in an input.
void give_scaled(const Tensor& dy, double factor, GradOut& out) {
  if (factor == 1) return out.give(dy);
  const OpCall op = factor == -1 ? ops::call<ops::UnaryOps>(ops::Neg{})
                                 : ops::call<ops::UnaryOps>(ops::MulScalar{factor});
  give_backward(op, {}, {}, dy, out);
}

}  // namespace

Tensor unary(const OpCall& op, const Tensor& input) {
  const OpTraits& traits = unary_table[static_cast<std::size_t>(op.index)];
  const auto compute = [&](const Tensor& x) {
    Tensor y = empty_like(x);
    dispatch<cpu::unary, cuda::unary>(x.device(), op, x, y);
    if (!recording({&x})) return y;
    const char* name = traits.name;
    switch (traits.keeps) {
      case Keeps::x:
        return record(name, std::move(y), on(x), keep(x),
                      [op](const Tensor& dy, const Tensor& x, GradOut dx) {
                        give_backward(op, x, {}, dy, dx);
                      });
      case Keeps::y:
        return record(name, std::move(y), on(x), keep(y),
                      [op](const Tensor& dy, const Tensor& y, GradOut dx) {
                        give_backward(op, {}, y, dy, dx);
                      });
      case Keeps::xy:
        return record(name, std::move(y), on(x), keep(x, y),
                      [op](const Tensor& dy, const Tensor& x, const Tensor& y, GradOut dx) {
                        give_backward(op, x, y, dy, dx);
                      });
      case Keeps::nothing:
        return record(name, std::move(y), on(x), keep(),
                      [op](const Tensor& dy, GradOut dx) { give_backward(op, {}, {}, dy, dx); });
      case Keeps::no_gradient:
        return record(name, std::move(y), on(x), keep(),
                      [](const Tensor& dy, GradOut dx) { dx.give(zeros_like(dy)); });
    }
    return y;
  };
  if (input.is_floating()) return compute(input);
  if (input.dtype() != Dtype::boolean && traits.integers) return compute(input);
  return compute(input.to(traits.integers ? Dtype::i64 : Dtype::f32));
}

Tensor binary(const OpCall& op, const Tensor& left, const Tensor& right) {
  const BinaryTraits& traits = binary_table[static_cast<std::size_t>(op.index)];
  const char* name = traits.name;
  check_same_device(name, left.device(), right.device());
  Dtype dtype = result_type(left, right);
  if (!is_floating(dtype)) {
    if (!traits.integers) dtype = Dtype::f32;
    if (dtype == Dtype::boolean && !traits.booleans) dtype = Dtype::i64;
  }
  const auto compute = [&](const Tensor& a, const Tensor& b) {
    Tensor y = a.shape() == b.shape()
                   ? empty_like(a)
                   : empty(broadcast_shapes(name, a.shape(), b.shape()), a.options());
    dispatch<cpu::binary, cuda::binary>(a.device(), op, a, b, y);
    if (traits.keeps == Keeps::no_gradient || !recording({&a, &b})) return y;
    if (traits.keeps == Keeps::xy) {
      return record(
          name, std::move(y), on(a, b), keep(a, b),
          [op](const Tensor& dy, const Tensor& a, const Tensor& b, GradOut da, GradOut db) {
            if (da.wanted()) {
              Tensor d = da.room(dy);
              dispatch<cpu::binary_backward_a, cuda::binary_backward_a>(dy.device(), op, a, b, dy,
                                                                        d);
              da.give(sum_to(d, a.shape()));
            }
            if (db.wanted()) {
              Tensor d = db.room(dy);
              dispatch<cpu::binary_backward_b, cuda::binary_backward_b>(dy.device(), op, a, b, dy,
                                                                        d);
              db.give(sum_to(d, b.shape()));
            }
          });
    }
    double fa = 1, fb = 1;  // linear in both
    traits.factors(op, fa, fb);
    if (a.shape() == b.shape()) {
      return record(name, std::move(y), on(a, b), keep(),
                    [fa, fb](const Tensor& dy, GradOut da, GradOut db) {
                      if (da.wanted()) give_scaled(dy, fa, da);
                      if (db.wanted()) give_scaled(dy, fb, db);
                    });
    }
    return record(
        name, std::move(y), on(a, b), keep(),
        [fa, fb, sa = a.shape(), sb = b.shape()](const Tensor& dy, GradOut da, GradOut db) {
          if (da.wanted()) give_scaled(sum_to(dy, sa), fa, da);
          if (db.wanted()) give_scaled(sum_to(dy, sb), fb, db);
        });
  };
  if (left.dtype() == dtype && right.dtype() == dtype) return compute(left, right);
  return compute(left.to(dtype), right.to(dtype));
}

Tensor compare(const OpCall& op, const Tensor& left, const Tensor& right) {
  const char* name = comparison_names[static_cast<std::size_t>(op.index)];
  check_same_device(name, left.device(), right.device());
  const Dtype dtype = result_type(left, right);
  const Tensor a = as_dtype(left, dtype), b = as_dtype(right, dtype);
  const Tensor y = a.shape() == b.shape() ? empty_like(a, Dtype::boolean)
                                          : empty(broadcast_shapes(name, a.shape(), b.shape()),
                                                  {Dtype::boolean, a.device()});
  dispatch<cpu::compare, cuda::compare>(a.device(), op, a, b, y);
  return y;
}

Tensor predicate(const OpCall& op, const Tensor& x) {
  const Tensor y = empty_like(x, Dtype::boolean);
  dispatch<cpu::predicate, cuda::predicate>(x.device(), op, x, y);
  return y;
}

}  // namespace detail
}  // namespace gradus
