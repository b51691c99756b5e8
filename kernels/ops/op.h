// What a pointwise op is: concepts, lists, and how an op travels to a kernel.
//
// An op is a value: its parameters (at most four doubles) are its data members, most have none.
// A unary op:
//   y(x)                     the value; `x` is float or double (half types are converted outside),
//                            or an integer type if the op says `integers`
//   dx_from_x(x, dy)         the derivative times dy, and by its name what the backward keeps:
//   dx_from_y(y, dy)         the input, the output, both, or nothing
//   dx_from_xy(x, y, dy)
//   dx_from_dy(dy)
//   using zero_gradient = void;      for steps: the gradient is zero everywhere
// A binary op: y(a, b), and one of
//   da_from_ab(a, b, dy) with db_from_ab(a, b, dy)
//   a_factor() with b_factor()       linear in both: da = a_factor dy, db = b_factor dy
//   using zero_gradient = void;
// A missing derivative is a compile error that names the op. `integers`: also for integer tensors
// (all others make f32 of them first); `booleans`: also for booleans, T = bool. `lowest` and
// `highest` bound what tests draw inputs from, [-2, 2] if not given.
#pragma once

#include <concepts>
#include <cstring>
#include <limits>
#include <string_view>
#include <type_traits>
#include <utility>

#include "gradus/kernels/math.h"
#include "gradus/tensor/half.h"

namespace gradus {

/// An op on its way to a kernel: its place in the list, and its parameters.
struct OpCall {
  int index;
  double p[4];
};

namespace ops {

/// `v` in the type of `x`: keeps float arithmetic in float.
GRADUS_HD constexpr auto as(auto v, auto x) { return static_cast<decltype(x)>(v); }

/// `v` in the type of `x`, the nearest one where `x` is an integer that cannot hold it.
GRADUS_HD constexpr auto as_nearest(double v, auto x) {
  using T = decltype(x);
  if constexpr (std::is_integral_v<T>) {
    constexpr T low = std::numeric_limits<T>::min(), high = std::numeric_limits<T>::max();
    return v <= static_cast<double>(low) ? low : v >= static_cast<double>(high) ? high : T(v);
  } else {
    return static_cast<T>(v);
  }
}

/// An integer `v` in the type of `x`, modulo 2^bits as integer arithmetic goes (255 for -1 in u8).
GRADUS_HD constexpr auto as_wrapped(double v, auto x) {
  using T = decltype(x);
  if constexpr (std::is_integral_v<T>)
    return static_cast<T>(static_cast<std::int64_t>(v));
  else
    return static_cast<T>(v);
}

template <class Op>
concept FromX = requires(Op op, float v) {
  op.dx_from_x(v, v);
};
template <class Op>
concept FromY = requires(Op op, float v) {
  op.dx_from_y(v, v);
};
template <class Op>
concept FromXY = requires(Op op, float v) {
  op.dx_from_xy(v, v, v);
};
template <class Op>
concept FromDy = requires(Op op, float v) {
  op.dx_from_dy(v);
};
template <class Op>
concept KeepsInputs = requires(Op op, float v) {
  op.da_from_ab(v, v, v);
  op.db_from_ab(v, v, v);
};
template <class Op>
concept Linear = requires(Op op) {
  op.a_factor();
  op.b_factor();
};
template <class Op>
concept ZeroGradient = requires {
  typename Op::zero_gradient;
};
template <class Op>
concept Named = requires {
  { Op::name } -> std::convertible_to<std::string_view>;
};
template <class Op>
concept Unary = Named<Op> &&(FromX<Op> || FromY<Op> || FromXY<Op> || FromDy<Op> ||
                             ZeroGradient<Op>)&&requires(Op op, float v) {
  { op.y(v) } -> std::same_as<float>;
};
template <class Op>
concept Binary = Named<Op> &&
    (KeepsInputs<Op> || Linear<Op> || ZeroGradient<Op>)&&requires(Op op, float v) {
  { op.y(v, v) } -> std::same_as<float>;
};
/// Two values of one type to a boolean.
template <class Op>
concept Comparison = Named<Op> && requires(Op op, float v) {
  { op.y(v, v) } -> std::same_as<bool>;
};
/// One value to a boolean.
template <class Op>
concept Predicate = Named<Op> && requires(Op op, float v) {
  { op.y(v) } -> std::same_as<bool>;
};
template <class Op>
concept Integers = requires {
  Op::integers;
};
template <class Op>
concept Booleans = requires {
  Op::booleans;
};

namespace detail {
template <int I, class Op>
struct At {};
template <class Indices, class... Ops>
struct Numbered;
template <int... I, class... Ops>
struct Numbered<std::integer_sequence<int, I...>, Ops...> : At<I, Ops>... {};

// Overloads, not a fold over the list for each op: every program that includes gradus.h pays.
template <class Op, int I>
std::integral_constant<int, I> find(const At<I, Op>*);
template <class>
std::integral_constant<int, -1> find(const void*);
}  // namespace detail

/// A list of ops: an index for each (-1: not in it), and a way to visit them all.
template <class... Ops>
struct List {
  static constexpr int size = sizeof...(Ops);
  using Numbers = detail::Numbered<std::make_integer_sequence<int, size>, Ops...>;
  template <class Op>
  static constexpr int index_of =
      decltype(detail::find<Op>(static_cast<const Numbers*>(nullptr)))::value;
  template <class Op>
  static constexpr bool has = index_of<Op> >= 0;
  static void each(auto&& f) { (f.template operator()<Ops>(), ...); }
};

template <class... Lists>
struct JoinedLists;
template <class... A>
struct JoinedLists<List<A...>> {
  using type = List<A...>;
};
template <class... A, class... B, class... Rest>
struct JoinedLists<List<A...>, List<B...>, Rest...> : JoinedLists<List<A..., B...>, Rest...> {};
template <class... Lists>
using Join = typename JoinedLists<Lists...>::type;

template <class AllOps, class Op>
OpCall call(const Op& op) {
  static_assert(AllOps::template has<Op>, "add the op to its family's list");
  static_assert(std::is_empty_v<Op> || sizeof(Op) <= sizeof(OpCall::p), "at most four doubles");
  OpCall c{AllOps::template index_of<Op>, {}};
  if constexpr (!std::is_empty_v<Op>) std::memcpy(c.p, &op, sizeof(Op));
  return c;
}

template <class Op>
GRADUS_HD Op from_parameters(const double* p) {
  Op op;
  if constexpr (!std::is_empty_v<Op>) memcpy(static_cast<void*>(&op), p, sizeof(Op));
  return op;
}

}  // namespace ops
}  // namespace gradus
