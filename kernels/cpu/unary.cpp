#include "gradus/kernels/unary.h"

#include "gradus/kernels/cpu/loop.h"

namespace gradus::cpu {
namespace {

using Forward = void (*)(const double* p, const Loop<2>&);
using Backward = void (*)(const double* p, const Loop<4>&);

template <class Op, class T>
void forward(const double* p, const Loop<2>& loop) {
  using C = compute_t<T>;
  const Op op = ops::from_parameters<Op>(p);
  T* y = static_cast<T*>(loop.data[0]);
  const T* x = static_cast<const T*>(loop.data[1]);
  for_each_row(loop, [&](const std::int64_t* at, std::int64_t n) {
    map_row(y + at[0], loop.strides[0][0], x + at[1], loop.strides[1][0], n,
            [op](T v) { return T(op.y(C(v))); });
  });
}

// Operands: dx, dy, x, y; what the op does not keep is dy again.
template <class Op, class T>
void backward(const double* p, const Loop<4>& loop) {
  using C = compute_t<T>;
  const Op op = ops::from_parameters<Op>(p);
  T* dx = static_cast<T*>(loop.data[0]);
  const T* dy = static_cast<const T*>(loop.data[1]);
  const T* x = static_cast<const T*>(loop.data[2]);
  const T* y = static_cast<const T*>(loop.data[3]);
  const auto s = [&](int k) { return loop.strides[k][0]; };
  for_each_row(loop, [&](const std::int64_t* at, std::int64_t n) {
    if constexpr (ops::FromX<Op>) {
      map_row(dx + at[0], s(0), x + at[2], s(2), dy + at[1], s(1), n,
              [op](T v, T d) { return T(op.dx_from_x(C(v), C(d))); });
    } else if constexpr (ops::FromY<Op>) {
      map_row(dx + at[0], s(0), y + at[3], s(3), dy + at[1], s(1), n,
              [op](T v, T d) { return T(op.dx_from_y(C(v), C(d))); });
    } else if constexpr (ops::FromXY<Op>) {
      map_row(dx + at[0], s(0), x + at[2], s(2), y + at[3], s(3), dy + at[1], s(1), n,
              [op](T v, T w, T d) { return T(op.dx_from_xy(C(v), C(w), C(d))); });
    } else {
      map_row(dx + at[0], s(0), dy + at[1], s(1), n, [op](T d) { return T(op.dx_from_dy(C(d))); });
    }
  });
}

template <class Op, class T>
constexpr Forward forward_or_null() {
  if constexpr (std::is_same_v<T, compute_t<T>> && !std::is_floating_point_v<T> &&
                !ops::Integers<Op>) {
    return nullptr;
  } else if constexpr (std::is_same_v<T, bool>) {
    return nullptr;
  } else {
    return forward<Op, T>;
  }
}

template <class Op>
struct Row {
  static constexpr Forward forwards[dtype_count] = {
      forward_or_null<Op, float>(),        forward_or_null<Op, double>(),
      forward_or_null<Op, bf16>(),         forward_or_null<Op, f16>(),
      forward_or_null<Op, std::int32_t>(), forward_or_null<Op, std::int64_t>(),
      forward_or_null<Op, std::uint8_t>(), nullptr};
  static constexpr Backward backwards[4] = {backward<Op, float>, backward<Op, double>,
                                            backward<Op, bf16>, backward<Op, f16>};
};

struct Entry {
  const char* name;
  const Forward* forwards;
  const Backward* backwards;  // null: zero gradient
};

template <ops::Unary... Ops>
constexpr auto make_table(ops::List<Ops...>) {
  return std::array<Entry, sizeof...(Ops)>{Entry{Ops::name, Row<Ops>::forwards, [] {
                                                   if constexpr (ops::ZeroGradient<Ops>)
                                                     return static_cast<const Backward*>(nullptr);
                                                   else
                                                     return static_cast<const Backward*>(
                                                         Row<Ops>::backwards);
                                                 }()}...};
}
constexpr auto table = make_table(ops::UnaryOps{});

}  // namespace

void unary(OpCall op, const Tensor& x, const Tensor& y) {
  const Entry& entry = table[static_cast<std::size_t>(op.index)];
  const Forward f = entry.forwards[static_cast<int>(x.dtype())];
  check(f != nullptr, ErrorKind::dtype, entry.name, ": not defined for ", x.dtype());
  f(op.p, Loop<2>({&y, &x}));
}

void unary_backward(OpCall op, const Tensor& x, const Tensor& y, const Tensor& dy,
                    const Tensor& dx) {
  const Entry& entry = table[static_cast<std::size_t>(op.index)];
  check(dy.is_floating() && entry.backwards != nullptr, ErrorKind::dtype, entry.name,
        ": no gradient for ", dy.dtype());
  entry.backwards[static_cast<int>(dy.dtype())](op.p,
                                                Loop<4>({&dx, &dy, x ? &x : &dy, y ? &y : &dy}));
}

}  // namespace gradus::cpu
