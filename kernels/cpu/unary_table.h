// From an op's struct to its row functions. Each family of kernels/ops is compiled in a file of its
// own, unary_<family>.cpp, so that no file of the build is slow.
#pragma once

#include <array>
#include <span>

#include "gradus/kernels/cpu/rows.h"
#include "gradus/kernels/ops.h"

namespace gradus::cpu {

struct UnaryEntry {
  const char* name;
  Rows forward;   // y, x
  Rows backward;  // dx, dy, x, y; what the op does not keep may be anything. Null: zero gradient
};

template <class Op, class T>
void unary_row(const double* p, void* const* at, std::int64_t n) {
  const Op op = ops::from_parameters<Op>(p);
  T* y = static_cast<T*>(at[0]);
  const T* x = static_cast<const T*>(at[1]);
  GRADUS_INDEPENDENT
  for (std::int64_t i = 0; i < n; ++i) y[i] = op.y(x[i]);
}

template <class Op, class T>
void unary_backward_row(const double* p, void* const* at, std::int64_t n) {
  const Op op = ops::from_parameters<Op>(p);
  T* dx = static_cast<T*>(at[0]);
  const T* dy = static_cast<const T*>(at[1]);
  [[maybe_unused]] const T* x = static_cast<const T*>(at[2]);
  [[maybe_unused]] const T* y = static_cast<const T*>(at[3]);
  GRADUS_INDEPENDENT
  for (std::int64_t i = 0; i < n; ++i) {
    if constexpr (ops::FromX<Op>)
      dx[i] = op.dx_from_x(x[i], dy[i]);
    else if constexpr (ops::FromY<Op>)
      dx[i] = op.dx_from_y(y[i], dy[i]);
    else if constexpr (ops::FromXY<Op>)
      dx[i] = op.dx_from_xy(x[i], y[i], dy[i]);
    else
      dx[i] = op.dx_from_dy(dy[i]);
  }
}

template <ops::Unary Op>
constexpr UnaryEntry unary_entry() {
  UnaryEntry e{Op::name, {}, {}};
  e.forward.f32 = unary_row<Op, float>;
  e.forward.f64 = unary_row<Op, double>;
  if constexpr (ops::Integers<Op>) {
    e.forward.i32 = unary_row<Op, std::int32_t>;
    e.forward.i64 = unary_row<Op, std::int64_t>;
    e.forward.u8 = unary_row<Op, std::uint8_t>;
  }
  if constexpr (!ops::ZeroGradient<Op>) {
    e.backward.f32 = unary_backward_row<Op, float>;
    e.backward.f64 = unary_backward_row<Op, double>;
  }
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

}  // namespace gradus::cpu
