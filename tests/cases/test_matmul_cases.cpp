// The op cases of one family: matrix products.
#include "gradus/autograd/functions.h"
#include "gradus/tests/cases.h"

namespace gradus::testing {

void add_matmul_cases(Cases& cases) {
  const auto product = [](const std::vector<Tensor>& in) { return matmul(in[0], in[1]); };
  const std::pair<Shape, Shape> shapes[] = {{{3, 4}, {4, 5}},
                                            {{4}, {4}},
                                            {{4}, {4, 3}},
                                            {{3, 4}, {4}},
                                            {{2, 3, 4}, {4, 5}},
                                            {{2, 3, 4}, {2, 4, 5}},
                                            {{2, 1, 3, 4}, {3, 4, 2}},
                                            {{3, 4}, {2, 4, 2}},
                                            {{4}, {2, 4, 3}}};
  for (const auto& [a, b] : shapes) {
    cases.push_back({"matmul " + to_string(a) + " x " + to_string(b), product, {{a}, {b}}});
  }
  const auto with_bias = [](const std::vector<Tensor>& in) { return linear(in[0], in[1], in[2]); };
  cases.push_back({"linear", with_bias, {{{5, 3}}, {{4, 3}}, {{4}}}});
  cases.push_back({"linear (B, T, K)", with_bias, {{{2, 3, 3}}, {{4, 3}}, {{4}}}});
  cases.push_back({"linear without bias",
                   [](const std::vector<Tensor>& in) { return linear(in[0], in[1]); },
                   {{{5, 3}}, {{4, 3}}}});
  cases.push_back({"addmm",
                   [](const std::vector<Tensor>& in) { return addmm(in[0], in[1], in[2], 0.5, 2); },
                   {{{4}}, {{3, 2}}, {{2, 4}}}});
  const auto sums = [&](const char* equation, std::vector<Input> inputs) {
    cases.push_back({std::string("einsum ") + equation,
                     [equation](const std::vector<Tensor>& in) { return einsum(equation, in); },
                     std::move(inputs)});
  };
  sums("ij,jk->ki", {{{2, 3}}, {{3, 4}}});
  sums("bi,bij,bj->b", {{{2, 3}}, {{2, 3, 4}}, {{2, 4}}});
  sums("...ij,...jk", {{{2, 1, 3, 2}}, {{3, 2, 4}}});
  sums("iij->j", {{{3, 3, 2}}});
  sums("ab,cd->ac", {{{2, 3}}, {{4, 2}}});
  for (const std::int64_t n : {5, 36}) {  // one product; halved once
    const std::string of = " of " + std::to_string(n);
    cases.push_back({"rfft" + of,
                     [](const std::vector<Tensor>& in) { return rfft(in[0], {}, 0, "ortho"); },
                     {{{n, 2}}}});
    cases.push_back({"irfft" + of,
                     [n](const std::vector<Tensor>& in) { return irfft(in[0], n); },
                     {{{2, n / 2 + 1, 2}}}});
  }
  cases.push_back(
      {"svdvals", [](const std::vector<Tensor>& in) { return svdvals(in[0]); }, {{{2, 3, 4}}}});
  cases.push_back(
      {"outer", [](const std::vector<Tensor>& in) { return outer(in[0], in[1]); }, {{{3}}, {{4}}}});
}

}  // namespace gradus::testing
