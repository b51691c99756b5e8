#include "gradus/kernels/binary.h"

#include "gradus/kernels/cpu/loop.h"

namespace gradus::cpu {
namespace {

using Forward = void (*)(const double* p, const Loop<3>&);
using Backward = void (*)(const double* p, const Loop<4>&);

template <class Op, class T>
void forward(const double* p, const Loop<3>& loop) {
  using C = compute_t<T>;
  const Op op = ops::from_parameters<Op>(p);
  T* y = static_cast<T*>(loop.data[0]);
  const T* a = static_cast<const T*>(loop.data[1]);
  const T* b = static_cast<const T*>(loop.data[2]);
  for_each_row(loop, [&](const std::int64_t* at, std::int64_t n) {
    map_row(y + at[0], loop.strides[0][0], a + at[1], loop.strides[1][0], b + at[2],
            loop.strides[2][0], n, [op](T u, T v) { return T(op.y(C(u), C(v))); });
  });
}

// Operands: the gradient to write, dy, a, b.
template <class Op, class T, bool first>
void backward(const double* p, const Loop<4>& loop) {
  using C = compute_t<T>;
  const Op op = ops::from_parameters<Op>(p);
  T* d = static_cast<T*>(loop.data[0]);
  const T* dy = static_cast<const T*>(loop.data[1]);
  const T* a = static_cast<const T*>(loop.data[2]);
  const T* b = static_cast<const T*>(loop.data[3]);
  const auto s = [&](int k) { return loop.strides[k][0]; };
  for_each_row(loop, [&](const std::int64_t* at, std::int64_t n) {
    map_row(d + at[0], s(0), a + at[2], s(2), b + at[3], s(3), dy + at[1], s(1), n,
            [op](T u, T v, T g) {
              if constexpr (first)
                return T(op.da_from_ab(C(u), C(v), C(g)));
              else
                return T(op.db_from_ab(C(u), C(v), C(g)));
            });
  });
}

template <class Op, class T>
constexpr Forward forward_or_null() {
  if constexpr (std::is_same_v<T, bool>)
    return nullptr;
  else if constexpr (std::is_integral_v<T> && !ops::Integers<Op>)
    return nullptr;
  else
    return forward<Op, T>;
}

template <class Op, bool first>
constexpr std::array<Backward, 4> backward_row() {
  if constexpr (ops::KeepsInputs<Op>) {
    return {backward<Op, float, first>, backward<Op, double, first>, backward<Op, bf16, first>,
            backward<Op, f16, first>};
  } else {
    return {};
  }
}

struct Entry {
  const char* name;
  std::array<Forward, dtype_count> forwards;
  std::array<Backward, 4> da, db;
};

template <ops::Binary... Ops>
constexpr auto make_table(ops::List<Ops...>) {
  return std::array<Entry, sizeof...(Ops)>{Entry{
      Ops::name,
      {forward_or_null<Ops, float>(), forward_or_null<Ops, double>(), forward_or_null<Ops, bf16>(),
       forward_or_null<Ops, f16>(), forward_or_null<Ops, std::int32_t>(),
       forward_or_null<Ops, std::int64_t>(), forward_or_null<Ops, std::uint8_t>(), nullptr},
      backward_row<Ops, true>(),
      backward_row<Ops, false>()}...};
}
constexpr auto table = make_table(ops::BinaryOps{});

}  // namespace

void binary(OpCall op, const Tensor& a, const Tensor& b, const Tensor& y) {
  const Entry& entry = table[static_cast<std::size_t>(op.index)];
  const Forward f = entry.forwards[static_cast<std::size_t>(y.dtype())];
  check(f != nullptr, ErrorKind::dtype, entry.name, ": not defined for ", y.dtype());
  f(op.p, Loop<3>({&y, &a, &b}));
}

void binary_backward_a(OpCall op, const Tensor& a, const Tensor& b, const Tensor& dy,
                       const Tensor& da) {
  table[static_cast<std::size_t>(op.index)].da[static_cast<std::size_t>(dy.dtype())](
      op.p, Loop<4>({&da, &dy, &a, &b}));
}

void binary_backward_b(OpCall op, const Tensor& a, const Tensor& b, const Tensor& dy,
                       const Tensor& db) {
  table[static_cast<std::size_t>(op.index)].db[static_cast<std::size_t>(dy.dtype())](
      op.p, Loop<4>({&db, &dy, &a, &b}));
}

}  // namespace gradus::cpu
