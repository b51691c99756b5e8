// Unary ops as entries of a table. Each family of kernels/ops is compiled in a file of its own,
// unary_<family>.cu, so that no file of the build is slow.
#pragma once

#include <span>

#include "gradus/kernels/cuda/table.cuh"

namespace gradus::cuda {

struct UnaryEntry {
  const char* name;
  Runs<2> forward;  // y, x
  // dx, dy and what the op keeps: x, y, or both in this order. Null: no such backward.
  Runs<2> from_dy;
  Runs<3> from_x, from_y;
  Runs<4> from_xy;
};

template <class Op>
struct FromDyOf {
  Op op;
  template <class T>
  __device__ T operator()(T dy) const {
    return op.dx_from_dy(dy);
  }
};
template <class Op>
struct FromXOf {
  Op op;
  template <class T>
  __device__ T operator()(T dy, T x) const {
    return op.dx_from_x(x, dy);
  }
};
template <class Op>
struct FromYOf {
  Op op;
  template <class T>
  __device__ T operator()(T dy, T y) const {
    return op.dx_from_y(y, dy);
  }
};
template <class Op>
struct FromXYOf {
  Op op;
  template <class T>
  __device__ T operator()(T dy, T x, T y) const {
    return op.dx_from_xy(x, y, dy);
  }
};

template <ops::Unary Op>
constexpr UnaryEntry unary_entry() {
  UnaryEntry e{Op::name, all_runs<Value, Op, 2>(), {}, {}, {}, {}};
  if constexpr (ops::FromX<Op>)
    e.from_x = floating_runs<FromXOf, Op, 3>();
  else if constexpr (ops::FromY<Op>)
    e.from_y = floating_runs<FromYOf, Op, 3>();
  else if constexpr (ops::FromXY<Op>)
    e.from_xy = floating_runs<FromXYOf, Op, 4>();
  else if constexpr (ops::FromDy<Op>)
    e.from_dy = floating_runs<FromDyOf, Op, 2>();
  return e;
}

template <class... Ops>
constexpr std::array<UnaryEntry, sizeof...(Ops)> unary_entries(ops::List<Ops...>) {
  return {unary_entry<Ops>()...};
}

std::span<const UnaryEntry> arithmetic_entries();
std::span<const UnaryEntry> exponential_entries();
std::span<const UnaryEntry> trigonometric_entries();
std::span<const UnaryEntry> activation_entries();

}  // namespace gradus::cuda
