// The op cases of one family: pointwise. Every op of the lists in kernels/ops.h is a row by itself;
// an op whose domain is not [-2, 2] says so with `lowest` and `highest`.
#include "gradus/autograd/functions.h"
#include "gradus/tests/cases.h"

namespace gradus::testing {
namespace {

template <class Op>
constexpr double lowest() {
  if constexpr (requires { Op::lowest; })
    return Op::lowest;
  else
    return -2;
}
template <class Op>
constexpr double highest() {
  if constexpr (requires { Op::highest; })
    return Op::highest;
  else
    return 2;
}

}  // namespace

void add_pointwise_cases(Cases& cases) {
  ops::UnaryOps::each([&]<class Op> {
    cases.push_back({Op::name,
                     [](const std::vector<Tensor>& in) { return pointwise<Op>(in[0]); },
                     {{{3, 4}, lowest<Op>(), highest<Op>()}},
                     true,
                     !ops::ZeroGradient<Op>});
  });
  ops::BinaryOps::each([&]<class Op> {
    const Input a{{2, 3}, lowest<Op>(), highest<Op>()}, b{{2, 3}, lowest<Op>(), highest<Op>()};
    const auto f = [](const std::vector<Tensor>& in) { return pointwise<Op>(in[0], in[1]); };
    const bool differentiable = !requires { typename Op::zero_gradient; };
    cases.push_back({Op::name, f, {a, b}, true, differentiable});
    Input row = b;
    row.shape = {3};
    cases.push_back({std::string(Op::name) + " (broadcast)", f, {a, row}, true, differentiable});
  });
  const Input x{{2, 3, 4}};
  cases.push_back({"prelu (channels)",
                   [](const std::vector<Tensor>& in) { return prelu(in[0], in[1]); },
                   {x, {{3}}}});
  cases.push_back({"glu", [](const std::vector<Tensor>& in) { return glu(in[0], 2); }, {x}});
  cases.push_back({"lerp (tensor weight)",
                   [](const std::vector<Tensor>& in) { return lerp(in[0], in[1], in[2]); },
                   {x, x, {{4}, 0, 1}}});
  cases.push_back({"addcmul",
                   [](const std::vector<Tensor>& in) { return addcmul(in[0], in[1], in[2], 0.3); },
                   {x, x, {{4}}}});
  cases.push_back({"addcdiv",
                   [](const std::vector<Tensor>& in) { return addcdiv(in[0], in[1], in[2], 0.3); },
                   {x, x, {{4}, 1, 2}}});
  cases.push_back(
      {"where",
       [](const std::vector<Tensor>& in) { return where(in[0].detach() > 0, in[1], in[2]); },
       {{{3, 1}, -2, 2, Dtype::f64, false}, x, {{4}}}});
}

}  // namespace gradus::testing
