// ONNX's pointwise nodes.
#include <limits>

#include "gradus/autograd/functions.h"
#include "gradus/tests/oracle/onnx.h"

namespace gradus::oracle::onnx {
namespace {

using N = const Node&;
using Unary = Tensor (*)(const Tensor&);
using Binary = Tensor (*)(const Tensor&, const Tensor&);

void add_unary(Rules& rules) {
  for (const auto& [op, f] : std::initializer_list<std::pair<const char*, Unary>>{
           {"Abs", abs},           {"Acos", acos},
           {"Asin", asin},         {"Atan", atan},
           {"Ceil", ceil},         {"Cos", cos},
           {"Cosh", cosh},         {"Erf", erf},
           {"Exp", exp},           {"Floor", floor},
           {"IsNaN", isnan},       {"Log", log},
           {"Neg", neg},           {"Not", logical_not},
           {"Relu", relu},         {"Reciprocal", reciprocal},
           {"Round", round},       {"Sigmoid", sigmoid},
           {"Sign", sign},         {"Sin", sin},
           {"Sinh", sinh},         {"Sqrt", sqrt},
           {"Tan", tan},           {"Tanh", tanh},
           {"Softsign", softsign}, {"HardSwish", hardswish}}) {
    rules[op] = [f](N n) { return Tensors{f(n.x())}; };
  }
  rules["Identity"] = [](N n) { return Tensors{n.x()}; };
  rules["Acosh"] = [](N n) { return Tensors{log(n.x() + sqrt(square(n.x()) - 1))}; };
  rules["Asinh"] = [](N n) {
    const Tensor a = abs(n.x());
    return Tensors{sign(n.x()) * log(a + sqrt(square(a) + 1))};
  };
  rules["Atanh"] = [](N n) { return Tensors{(log1p(n.x()) - log1p(-n.x())) / 2}; };
  rules["IsInf"] = [](N n) {
    Tensor y = isinf(n.x());
    if (n.integer("detect_negative", 1) == 0) y = logical_and(y, n.x() > 0);
    if (n.integer("detect_positive", 1) == 0) y = logical_and(y, n.x() < 0);
    return Tensors{y};
  };
  rules["Softplus"] = [](N n) { return Tensors{softplus(n.x())}; };
  rules["Celu"] = [](N n) { return Tensors{celu(n.x(), n.real("alpha", 1))}; };
  rules["Elu"] = [](N n) { return Tensors{elu(n.x(), n.real("alpha", 1))}; };
  rules["LeakyRelu"] = [](N n) { return Tensors{leaky_relu(n.x(), n.real("alpha", 0.01))}; };
  rules["ThresholdedRelu"] = [](N n) { return Tensors{threshold(n.x(), n.real("alpha", 1), 0)}; };
  rules["HardSigmoid"] = [](N n) {
    return Tensors{clamp(n.x() * n.real("alpha", 0.2) + n.real("beta", 0.5), 0, 1)};
  };
  rules["Selu"] = [](N n) {
    return Tensors{n.real("gamma", 1.05070102214813232) *
                   elu(n.x(), n.real("alpha", 1.67326319217681884))};
  };
  rules["Shrink"] = [](N n) {
    const double bias = n.real("bias", 0), lambda = n.real("lambd", 0.5);
    const Tensor x = n.x();
    return Tensors{where(x < -lambda, x + bias, where(x > lambda, x - bias, zeros_like(x)))};
  };
  rules["Clip"] = [](N n) {
    constexpr double top = std::numeric_limits<double>::infinity();
    const Tensor low = n.has_input(1) ? n.x(1) : Tensor(),
                 high = n.has_input(2) ? n.x(2) : Tensor();
    if (low || high) return Tensors{clamp(n.x(), low, high)};
    if (!n.has("min") && !n.has("max")) return Tensors{n.x()};
    return Tensors{clamp(n.x(), n.real("min", -top), n.real("max", top))};
  };
  rules["Cast"] = [](N n) {
    const std::map<std::int64_t, Dtype> ours = {
        {1, Dtype::f32},     {2, Dtype::u8},   {6, Dtype::i32},  {7, Dtype::i64},
        {9, Dtype::boolean}, {10, Dtype::f16}, {11, Dtype::f64}, {16, Dtype::bf16}};
    const auto to = ours.find(n.integer("to", 0));
    if (to == ours.end()) throw LeftOut{"a cast to a type that we have not"};
    return Tensors{n.x().to(to->second)};
  };
  rules["CastLike"] = [](N n) { return Tensors{n.x().to(n.x(1).dtype())}; };
}

/// Integers divide towards zero in ONNX; ours give a real number.
Tensor divided(const Tensor& a, const Tensor& b) {
  const Tensor y = div(a, b);
  return a.is_floating() ? y : trunc(y).to(a.dtype());
}

void add_binary(Rules& rules) {
  for (const auto& [op, f] : std::initializer_list<std::pair<const char*, Binary>>{
           {"Add", [](const Tensor&a, const Tensor&b) { return add(a, b); }},
           {"Sub", [](const Tensor&a, const Tensor&b) { return sub(a, b); }},
           {"Mul", [](const Tensor&a, const Tensor&b) { return mul(a, b); }},
           {"Div", divided},
           {"And", logical_and},
           {"Or", logical_or},
           {"Xor", logical_xor},
           {"Equal", [](const Tensor&a, const Tensor&b) { return eq(a, b); }},
           {"Greater", [](const Tensor&a, const Tensor&b) { return gt(a, b); }},
           {"GreaterOrEqual", [](const Tensor&a, const Tensor&b) { return ge(a, b); }},
           {"Less", [](const Tensor&a, const Tensor&b) { return lt(a, b); }},
           {"LessOrEqual", [](const Tensor&a, const Tensor&b) { return le(a, b); }}}) {
    rules[op] = [f](N n) { return Tensors{f(n.x(), n.x(1))}; };
  }
  rules["Pow"] = [](N n) { return Tensors{pow(n.x(), n.x(1)).to(n.x().dtype())}; };
  rules["Mod"] = [](N n) {
    return Tensors{n.integer("fmod", 0) != 0 ? fmod(n.x(), n.x(1)) : remainder(n.x(), n.x(1))};
  };
  rules["PRelu"] = [](N n) {  // the slope broadcasts from the right
    return Tensors{where(n.x() < 0, n.x() * n.x(1), n.x())};
  };
  rules["Where"] = [](N n) { return Tensors{where(n.x(0), n.x(1), n.x(2))}; };
  const auto folded = [](Binary f) {
    return [f](N n) {
      Tensor y = n.x();
      for (std::size_t i = 1; i < n.inputs.size(); ++i) y = f(y, n.x(i));
      return y;
    };
  };
  const auto plus = folded([](const Tensor& a, const Tensor& b) { return add(a, b); });
  rules["Max"] = [f = folded(maximum)](N n) { return Tensors{f(n)}; };
  rules["Min"] = [f = folded(minimum)](N n) { return Tensors{f(n)}; };
  rules["Sum"] = [plus](N n) { return Tensors{plus(n)}; };
  rules["Mean"] = [plus](N n) { return Tensors{plus(n) / static_cast<double>(n.inputs.size())}; };
}

}  // namespace

void add_pointwise_rules(Rules& rules) {
  add_unary(rules);
  add_binary(rules);
}

}  // namespace gradus::oracle::onnx
