// Ops whose result is a truth value. They have no gradient.
#pragma once

#include "gradus/kernels/ops/op.h"

namespace gradus::ops {

struct Eq {
  static constexpr auto name = "eq";
  GRADUS_HD bool y(auto a, auto b) const { return a == b; }
};
struct Ne {
  static constexpr auto name = "ne";
  GRADUS_HD bool y(auto a, auto b) const { return a != b; }
};
struct Lt {
  static constexpr auto name = "lt";
  GRADUS_HD bool y(auto a, auto b) const { return a < b; }
};
struct Le {
  static constexpr auto name = "le";
  GRADUS_HD bool y(auto a, auto b) const { return a <= b; }
};
struct LogicalAnd {
  static constexpr auto name = "logical_and";
  GRADUS_HD bool y(auto a, auto b) const { return (a != 0) & (b != 0); }
};
struct LogicalOr {
  static constexpr auto name = "logical_or";
  GRADUS_HD bool y(auto a, auto b) const { return (a != 0) | (b != 0); }
};
struct LogicalXor {
  static constexpr auto name = "logical_xor";
  GRADUS_HD bool y(auto a, auto b) const { return (a != 0) != (b != 0); }
};

struct LogicalNot {
  static constexpr auto name = "logical_not";
  GRADUS_HD bool y(auto x) const { return x == 0; }
};
struct IsNan {
  static constexpr auto name = "isnan";
  GRADUS_HD bool y(auto x) const { return x != x; }
};
struct IsInf {
  static constexpr auto name = "isinf";
  GRADUS_HD bool y(auto x) const { return (x == x) & (x - x != 0); }
};
struct IsFinite {
  static constexpr auto name = "isfinite";
  GRADUS_HD bool y(auto x) const { return x - x == 0; }
};

using Comparisons = List<Eq, Ne, Lt, Le, LogicalAnd, LogicalOr, LogicalXor>;
using Predicates = List<LogicalNot, IsNan, IsInf, IsFinite>;

}  // namespace gradus::ops
