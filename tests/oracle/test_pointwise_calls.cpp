// How OpInfo's pointwise entries are called here.
#include "gradus/autograd/functions.h"
#include "gradus/tests/oracle/oracle.h"

namespace gradus::oracle {
namespace {

using Unary = Tensor (*)(const Tensor&);
using Binary = Tensor (*)(const Tensor&, const Tensor&);

/// alpha b of two numbers, an integer if both are.
Scalar scale(Scalar b, Scalar alpha) {
  if (b.is_real() || alpha.is_real()) return b.real() * alpha.real();
  return b.integer() * alpha.integer();
}

void add_unary(Calls& calls) {
  const auto add = [&](const char* entry, double units, Unary f) {
    calls.push_back(
        {entry, units == 0 ? exact : ulp(units), [f](const Args& a) { return Tensors{f(a.t())}; }});
  };
  for (const auto& [entry, f] :
       std::initializer_list<std::pair<const char*, Unary>>{{"abs", abs},
                                                            {"neg", neg},
                                                            {"sign", sign},
                                                            {"floor", floor},
                                                            {"ceil", ceil},
                                                            {"round", round},
                                                            {"trunc", trunc},
                                                            {"isnan", isnan},
                                                            {"isinf", isinf},
                                                            {"isfinite", isfinite},
                                                            {"logical_not", logical_not}})
    add(entry, 0, f);
  for (const auto& [entry, f] : std::initializer_list<std::pair<const char*, Unary>>{
           {"square", square}, {"sqrt", sqrt},   {"rsqrt", rsqrt},    {"reciprocal", reciprocal},
           {"exp", exp},       {"exp2", exp2},   {"expm1", expm1},    {"log", log},
           {"log2", log2},     {"log10", log10}, {"log1p", log1p},    {"sin", sin},
           {"cos", cos},       {"tan", tan},     {"asin", asin},      {"acos", acos},
           {"atan", atan},     {"sinh", sinh},   {"cosh", cosh},      {"tanh", tanh},
           {"erf", erf},       {"erfc", erfc},   {"sigmoid", sigmoid}})
    add(entry, 2, f);
  calls.push_back({"nan_to_num", exact, [](const Args& a) {
                     const auto maybe = [&](const char* name) {
                       return a.has(name) ? std::optional(a.real(name)) : std::nullopt;
                     };
                     return Tensors{
                         nan_to_num(a.t(), a.real("nan", 0), maybe("posinf"), maybe("neginf"))};
                   }});
  for (const auto& [entry, dtype] :
       std::initializer_list<std::pair<const char*, Dtype>>{{"float", Dtype::f32},
                                                            {"double", Dtype::f64},
                                                            {"long", Dtype::i64},
                                                            {"int", Dtype::i32},
                                                            {"bool", Dtype::boolean},
                                                            {"byte", Dtype::u8}}) {
    calls.push_back({entry, exact, [dtype](const Args& a) { return Tensors{a.t().to(dtype)}; }});
  }
}

/// `other` may be a number for those that take one.
template <class F>
void add_binary(Calls& calls, const char* entry, Bound bound, F f) {
  calls.push_back({entry, bound, [f](const Args& a) -> Tensors {
                     if (a.is_tensor("other")) return {f(a.t(), a.t("other"))};
                     return {f(a.t(), a.scalar("other"))};
                   }});
}

void add_binary(Calls& calls) {
  for (const auto& [entry, f] :
       std::initializer_list<std::pair<const char*, Binary>>{{"maximum", maximum},
                                                             {"minimum", minimum},
                                                             {"fmax", fmax},
                                                             {"fmin", fmin},
                                                             {"max/binary", maximum},
                                                             {"min/binary", minimum},
                                                             {"logical_and", logical_and},
                                                             {"logical_or", logical_or},
                                                             {"logical_xor", logical_xor},
                                                             {"atan2", atan2},
                                                             {"hypot", hypot}}) {
    const bool rounds = f == static_cast<Binary>(atan2) || f == static_cast<Binary>(hypot);
    calls.push_back({entry, rounds ? ulp(2) : exact,
                     [f](const Args& a) { return Tensors{f(a.t(), a.t("other"))}; }});
  }
  add_binary(calls, "eq", exact, [](auto a, auto b) { return eq(a, b); });
  add_binary(calls, "ne", exact, [](auto a, auto b) { return ne(a, b); });
  add_binary(calls, "lt", exact, [](auto a, auto b) { return lt(a, b); });
  add_binary(calls, "le", exact, [](auto a, auto b) { return le(a, b); });
  add_binary(calls, "gt", exact, [](auto a, auto b) { return gt(a, b); });
  add_binary(calls, "ge", exact, [](auto a, auto b) { return ge(a, b); });
  add_binary(calls, "mul", ulp(2), [](auto a, auto b) { return mul(a, b); });
  add_binary(calls, "pow", ulp(2), [](auto a, auto b) { return pow(a, b); });
  add_binary(calls, "fmod", exact, [](auto a, auto b) { return fmod(a, b); });
  add_binary(calls, "remainder", ulp(2), [](auto a, auto b) { return remainder(a, b); });
  add_binary(calls, "div/no_rounding_mode", ulp(2), [](auto a, auto b) { return div(a, b); });
  add_binary(calls, "__radd__", ulp(2), [](auto a, auto b) { return b + a; });
  add_binary(calls, "__rmul__", ulp(2), [](auto a, auto b) { return b * a; });
  add_binary(calls, "__rsub__", ulp(2), [](auto a, auto b) { return b - a; });
  add_binary(calls, "__rdiv__", ulp(2), [](auto a, auto b) { return b / a; });
  add_binary(calls, "__rpow__", ulp(2), [](auto a, auto b) { return pow(b, a); });
  calls.push_back({"add", ulp(2), [](const Args& a) -> Tensors {
                     if (!a.is_tensor("other"))
                       return {add(a.t(), scale(a.scalar("other"), a.scalar("alpha", 1)))};
                     return {add(a.t(), a.t("other"), a.scalar("alpha", 1))};
                   }});
  calls.push_back({"sub", ulp(2), [](const Args& a) -> Tensors {
                     if (!a.is_tensor("other"))
                       return {sub(a.t(), scale(a.scalar("other"), a.scalar("alpha", 1)))};
                     return {sub(a.t(), a.t("other"), a.scalar("alpha", 1))};
                   }});
  calls.push_back({"rsub", ulp(2), [](const Args& a) -> Tensors {
                     if (!a.is_tensor("other"))
                       return {sub(a.scalar("other"), mul(a.t(), a.scalar("alpha", 1)))};
                     return {sub(a.t("other"), a.t(), a.scalar("alpha", 1))};
                   }});
}

}  // namespace

void add_pointwise_calls(Calls& calls) {
  add_unary(calls);
  add_binary(calls);
  calls.push_back({"lerp", roundings(4), [](const Args& a) -> Tensors {
                     if (a.is_tensor("weight")) return {lerp(a.t(), a.t("end"), a.t("weight"))};
                     return {lerp(a.t(), a.t("end"), a.scalar("weight"))};
                   }});
  calls.push_back({"addcmul", roundings(4), [](const Args& a) -> Tensors {
                     return {addcmul(a.t(), a.t("a"), a.t("b"), a.scalar("value", 1))};
                   }});
  calls.push_back({"addcdiv", roundings(4), [](const Args& a) -> Tensors {
                     return {addcdiv(a.t(), a.t("a"), a.t("b"), a.scalar("value", 1))};
                   }});
  const auto bounded = [](const Args& a) -> Tensors {
    if (a.is_tensor("min") || a.is_tensor("max"))
      return {clamp(a.t(), a.optional("min"), a.optional("max"))};
    return {clamp(a.t(), a.maybe_scalar("min"), a.maybe_scalar("max"))};
  };
  calls.push_back({"clamp", exact, bounded});
  for (const char* entry : {"clamp_min", "clamp_max"}) {
    calls.push_back({.entry = entry,
                     .bound = exact,
                     .f = bounded,
                     .takes_bad_input = "a bound of a 0-dim tensor's dtype"});
  }
}

}  // namespace gradus::oracle
