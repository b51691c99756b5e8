// The op cases of one family: attention.
#include "gradus/autograd/functions.h"
#include "gradus/tests/cases.h"

namespace gradus::testing {
namespace {

Tensor attend(const Tensor& q, const Tensor& k, const Tensor& v, const Tensor& mask, double p,
              bool causal, std::optional<double> scale) {
  return scaled_dot_product_attention(q, k, v, mask, p, causal, scale);
}

}  // namespace

void add_attention_cases(Cases& cases) {
  const Input q{{2, 2, 3, 4}}, k{{2, 2, 5, 4}}, v{{2, 2, 5, 3}};
  cases.push_back({"attention",
                   [](const auto& in) { return attend(in[0], in[1], in[2], {}, 0, false, {}); },
                   {q, k, v}});
  cases.push_back({"attention (causal, scale)",
                   [](const auto& in) { return attend(in[0], in[1], in[2], {}, 0, true, 0.3); },
                   {q, k, v}});
  cases.push_back({"attention (boolean mask)",
                   [](const auto& in) {
                     const Tensor mask = gt(in[3], 0.0);
                     return attend(in[0], in[1], in[2], mask, 0, false, {});
                   },
                   {q, k, v, {{2, 1, 1, 5}, -1, 3, Dtype::f64, false}}});
  cases.push_back({"attention (added mask with a gradient, causal)",
                   [](const auto& in) { return attend(in[0], in[1], in[2], in[3], 0, true, {}); },
                   {q, k, v, {{3, 5}}}});
  cases.push_back({"attention (three dimensions, broadcast)",
                   [](const auto& in) { return attend(in[0], in[1], in[2], {}, 0, false, {}); },
                   {{{2, 3, 4}}, {{1, 5, 4}}, {{5, 2}}}});
  cases.push_back({"attention (two dimensions)",
                   [](const auto& in) { return attend(in[0], in[1], in[2], {}, 0, true, {}); },
                   {{{3, 4}}, {{3, 4}}, {{3, 2}}}});
  cases.push_back({"attention (two queries a head)",
                   [](const auto& in) {
                     return scaled_dot_product_attention(in[0], in[1], in[2], {}, 0, true, {},
                                                         true);
                   },
                   {{{2, 4, 3, 2}}, {{2, 2, 3, 2}}, {{2, 2, 3, 2}}}});
  cases.push_back({"attention (five dimensions)",
                   [](const auto& in) { return attend(in[0], in[1], in[2], {}, 0, false, {}); },
                   {{{2, 1, 2, 2, 3}}, {{2, 1, 2, 3, 3}}, {{2, 1, 2, 3, 2}}}});
}

}  // namespace gradus::testing
