// The op cases of one family: convolutions.
#include "gradus/autograd/functions.h"
#include "gradus/tests/cases.h"

namespace gradus::testing {

void add_conv_cases(Cases& cases) {
  using In = const std::vector<Tensor>&;
  cases.push_back({"conv2d",
                   [](In in) { return conv2d(in[0], in[1], in[2]); },
                   {{{2, 2, 5, 4}}, {{3, 2, 3, 3}}, {{3}}}});
  cases.push_back({"conv2d padded",
                   [](In in) { return conv2d(in[0], in[1], in[2], 1, 1); },
                   {{{2, 1, 4, 4}}, {{2, 1, 3, 3}}, {{2}}}});
  cases.push_back({"conv2d strided, dilated",
                   [](In in) {
                     return conv2d(in[0], in[1], {}, {2, 1}, {1, 2}, {1, 2});
                   },
                   {{{1, 2, 6, 5}}, {{2, 2, 3, 2}}}});
  cases.push_back({"conv2d in groups",
                   [](In in) { return conv2d(in[0], in[1], in[2], 1, 1, 1, 2); },
                   {{{2, 4, 3, 3}}, {{4, 2, 2, 2}}, {{4}}}});
  cases.push_back({"conv2d of one image",
                   [](In in) { return conv2d(in[0], in[1]); },
                   {{{2, 4, 4}}, {{3, 2, 1, 1}}}});
  cases.push_back({"conv2d of the same size",
                   [](In in) {
                     return conv2d(in[0], in[1], in[2], 1, "same", {1, 3});
                   },
                   {{{2, 1, 4, 5}}, {{2, 1, 3, 4}}, {{2}}}});
  cases.push_back({"conv1d",
                   [](In in) { return conv1d(in[0], in[1], in[2], 2, 1); },
                   {{{2, 3, 7}}, {{2, 3, 3}}, {{2}}}});
  cases.push_back({"conv1d in groups, dilated",
                   [](In in) { return conv1d(in[0], in[1], {}, 1, 2, 2, 3); },
                   {{{1, 3, 6}}, {{3, 1, 3}}}});
  cases.push_back({"conv3d in groups",
                   [](In in) {
                     return conv3d(in[0], in[1], in[2], {1, 2, 1}, {1, 0, 1}, {1, 1, 2}, 2);
                   },
                   {{{2, 2, 3, 4, 3}}, {{4, 1, 2, 3, 2}}, {{4}}}});
  cases.push_back({"conv_transpose1d",
                   [](In in) { return conv_transpose1d(in[0], in[1], in[2], 3, 1, 2, 1, 2); },
                   {{{2, 3, 4}}, {{3, 2, 3}}, {{2}}}});
  cases.push_back({"conv_transpose1d of one line in groups",
                   [](In in) { return conv_transpose1d(in[0], in[1], {}, 1, 0, 0, 2); },
                   {{{4, 5}}, {{4, 1, 2}}}});
  cases.push_back({"conv_transpose2d",
                   [](In in) {
                     return conv_transpose2d(in[0], in[1], in[2], {2, 1}, {1, 0}, {1, 0}, 2);
                   },
                   {{{2, 4, 3, 3}}, {{4, 3, 3, 2}}, {{6}}}});
}

}  // namespace gradus::testing
