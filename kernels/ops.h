// Every pointwise op, once: its value and its derivative. The CPU loop, the CUDA kernel, the
// gradient check, the oracle test and the benchmark of an op all come from its struct here.
//
// A unary op is a value: its parameters (at most four doubles) are its data members, most have
// none.
//   y(x)                     the value; `x` is float or double (half types are converted outside),
//                            or an integer type if the op says `integers`
//   dx_from_x(x, dy)         the derivative times dy, and by its name what the backward keeps:
//   dx_from_y(y, dy)         the input, the output, both, or nothing
//   dx_from_xy(x, y, dy)
//   dx_from_dy(dy)
//   using zero_gradient = void;      for steps: the gradient is zero everywhere
// A missing derivative is a compile error that names the op.
#pragma once

#include <cstring>
#include <string_view>
#include <type_traits>

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

// What the backward keeps.
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
concept ZeroGradient = requires {
  typename Op::zero_gradient;
};
template <class Op>
concept Unary = (FromX<Op> || FromY<Op> || FromXY<Op> || FromDy<Op> ||
                 ZeroGradient<Op>)&&requires(Op op, float v) {
  { Op::name } -> std::convertible_to<std::string_view>;
  { op.y(v) } -> std::same_as<float>;
};
/// Ops that also work on integer tensors.
template <class Op>
concept Integers = requires {
  Op::integers;
};

/// A list of ops: an index for each, and a way to visit them all.
template <class... Ops>
struct List {
  static constexpr int size = sizeof...(Ops);
  template <class Op>
  static constexpr int index_of = [] {
    int i = 0, found = -1;
    ((std::is_same_v<Op, Ops> ? void(found = i++) : void(i++)), ...);
    return found;
  }();
  static void each(auto&& f) { (f.template operator()<Ops>(), ...); }
};

template <class AllOps, class Op>
OpCall call(const Op& op) {
  static_assert(AllOps::template index_of<Op> >= 0,
                "add the op to its list at the end of kernels/ops.h");
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

// ---- unary ----

struct Neg {
  static constexpr auto name = "neg";
  static constexpr bool integers = true;
  GRADUS_HD auto y(auto x) const { return as(-x, x); }
  GRADUS_HD auto dx_from_dy(auto dy) const { return -dy; }
};

struct AddScalar {  // y = x + value
  static constexpr auto name = "add";
  static constexpr bool integers = true;
  double value = 0;
  GRADUS_HD auto y(auto x) const { return as(x + as(value, x), x); }
  GRADUS_HD auto dx_from_dy(auto dy) const { return dy; }
};

struct MulScalar {  // y = x * value
  static constexpr auto name = "mul";
  static constexpr bool integers = true;
  double value = 1;
  GRADUS_HD auto y(auto x) const { return as(x * as(value, x), x); }
  GRADUS_HD auto dx_from_dy(auto dy) const { return dy * as(value, dy); }
};

struct Exp {
  static constexpr auto name = "exp";
  GRADUS_HD auto y(auto x) const { return math::exp(x); }
  GRADUS_HD auto dx_from_y(auto y, auto dy) const { return dy * y; }
};

struct Log {
  static constexpr auto name = "log";
  static constexpr double lowest = 0.1;  // where tests draw x from
  GRADUS_HD auto y(auto x) const { return math::log(x); }
  GRADUS_HD auto dx_from_x(auto x, auto dy) const { return dy / x; }
};

struct Tanh {
  static constexpr auto name = "tanh";
  GRADUS_HD auto y(auto x) const { return math::tanh(x); }
  GRADUS_HD auto dx_from_y(auto y, auto dy) const { return dy * (1 - y * y); }
};

struct Sigmoid {
  static constexpr auto name = "sigmoid";
  GRADUS_HD auto y(auto x) const { return math::sigmoid(x); }
  GRADUS_HD auto dx_from_y(auto y, auto dy) const { return dy * (1 - y) * y; }
};

struct Relu {
  static constexpr auto name = "relu";
  static constexpr bool integers = true;
  GRADUS_HD auto y(auto x) const { return x < 0 ? as(0, x) : x; }  // NaN stays NaN
  GRADUS_HD auto dx_from_y(auto y, auto dy) const { return y > 0 ? dy : as(0, dy); }
};

struct LeakyRelu {
  static constexpr auto name = "leaky_relu";
  double slope = 0.01;
  GRADUS_HD auto y(auto x) const { return x > 0 ? x : as(slope, x) * x; }
  GRADUS_HD auto dx_from_x(auto x, auto dy) const { return x > 0 ? dy : as(slope, dy) * dy; }
};

using UnaryOps = List<Neg, AddScalar, MulScalar, Exp, Log, Tanh, Sigmoid, Relu, LeakyRelu>;

// ---- binary: y(a, b); da(...) and db(...) with the same suffixes (_from_dy, _from_ab) ----

template <class Op>
concept Binary = requires(Op op, float v) {
  { Op::name } -> std::convertible_to<std::string_view>;
  { op.y(v, v) } -> std::same_as<float>;
}
&&(
    requires(Op op, float v) {
      op.da_from_dy(v);
      op.db_from_dy(v);
    } ||
    requires(Op op, float v) {
      op.da_from_ab(v, v, v);
      op.db_from_ab(v, v, v);
    } ||
    requires { typename Op::zero_gradient; });
template <class Op>
concept KeepsInputs = requires(Op op, float v) {
  op.da_from_ab(v, v, v);
};

struct Add {
  static constexpr auto name = "add";
  static constexpr bool integers = true;
  GRADUS_HD auto y(auto a, auto b) const { return as(a + b, a); }
  GRADUS_HD auto da_from_dy(auto dy) const { return dy; }
  GRADUS_HD auto db_from_dy(auto dy) const { return dy; }
};

struct Sub {
  static constexpr auto name = "sub";
  static constexpr bool integers = true;
  GRADUS_HD auto y(auto a, auto b) const { return as(a - b, a); }
  GRADUS_HD auto da_from_dy(auto dy) const { return dy; }
  GRADUS_HD auto db_from_dy(auto dy) const { return -dy; }
};

struct Mul {
  static constexpr auto name = "mul";
  static constexpr bool integers = true;
  GRADUS_HD auto y(auto a, auto b) const { return as(a * b, a); }
  GRADUS_HD auto da_from_ab(auto, auto b, auto dy) const { return dy * b; }
  GRADUS_HD auto db_from_ab(auto a, auto, auto dy) const { return dy * a; }
};

struct Div {
  static constexpr auto name = "div";
  static constexpr double lowest = 0.4;
  GRADUS_HD auto y(auto a, auto b) const { return a / b; }
  GRADUS_HD auto da_from_ab(auto, auto b, auto dy) const { return dy / b; }
  GRADUS_HD auto db_from_ab(auto a, auto b, auto dy) const { return -dy * (a / b) / b; }
};

using BinaryOps = List<Add, Sub, Mul, Div>;

}  // namespace ops
}  // namespace gradus
