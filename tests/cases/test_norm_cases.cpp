// The op cases of one family: softmax and the normalisations.
#include "gradus/autograd/functions.h"
#include "gradus/tests/cases.h"

namespace gradus::testing {
namespace {

void add_softmaxes(Cases& cases) {
  for (int dim : {-1, 1, 0}) {
    const std::string name = " (dim " + std::to_string(dim) + ")";
    cases.push_back(
        {"softmax" + name, [dim](const auto& in) { return softmax(in[0], dim); }, {{{2, 3, 4}}}});
    cases.push_back({"log_softmax" + name,
                     [dim](const auto& in) { return log_softmax(in[0], dim); },
                     {{{2, 3, 4}}}});
  }
  cases.push_back(
      {"softmax (two blocks)", [](const auto& in) { return softmax(in[0], -1); }, {{{2, 19}}}});
}

}  // namespace

void add_norm_cases(Cases& cases) { add_softmaxes(cases); }

}  // namespace gradus::testing
