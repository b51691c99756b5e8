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

void add_row_norms(Cases& cases) {
  const Input w{{4}, 0.5, 2}, b{{4}};
  cases.push_back({"layer_norm",
                   [](const auto& in) { return layer_norm(in[0], {4}, in[1], in[2]); },
                   {{{3, 2, 4}}, w, b}});
  cases.push_back({"layer_norm (two dimensions, no bias)",
                   [](const auto& in) {
                     return layer_norm(in[0], {2, 4}, in[1]);
                   },
                   {{{3, 2, 4}}, {{2, 4}, 0.5, 2}}});
  cases.push_back({"layer_norm (no weight, bias)",
                   [](const auto& in) { return layer_norm(in[0], {4}, {}, in[1], 0.1); },
                   {{{3, 4}}, b}});
  cases.push_back({"layer_norm (long rows)",
                   [](const auto& in) { return layer_norm(in[0], {35}, in[1], in[2]); },
                   {{{2, 35}}, {{35}, 0.5, 2}, {{35}}}});
  cases.push_back(
      {"rms_norm", [](const auto& in) { return rms_norm(in[0], {4}, in[1]); }, {{{3, 2, 4}}, w}});
  cases.push_back({"rms_norm (plain)",
                   [](const auto& in) { return rms_norm(in[0], {4}, {}, 1e-3); },
                   {{{3, 4}}}});
  cases.push_back({"group_norm",
                   [](const auto& in) { return group_norm(in[0], 2, in[1], in[2]); },
                   {{{2, 4, 3, 2}}, w, b}});
  cases.push_back({"group_norm (no weight)",
                   [](const auto& in) { return group_norm(in[0], 2, {}, in[1]); },
                   {{{2, 4, 3}}, b}});
  cases.push_back({"group_norm (N, C)",
                   [](const auto& in) { return group_norm(in[0], 2, in[1], in[2]); },
                   {{{3, 4}}, w, b}});
  cases.push_back({"instance_norm",
                   [](const auto& in) { return instance_norm(in[0], {}, {}, in[1], in[2]); },
                   {{{2, 4, 3}}, w, b}});
}

void add_batch_norms(Cases& cases) {
  const Input w{{4}, 0.5, 2}, b{{4}};
  for (const Shape& shape : {Shape{5, 4}, {2, 4, 3}, {2, 4, 3, 2}, {2, 4, 1, 3, 2}}) {
    cases.push_back({"batch_norm (" + std::to_string(shape.size()) + " dimensions)",
                     [](const auto& in) { return batch_norm(in[0], {}, {}, in[1], in[2], true); },
                     {{shape}, w, b}});
  }
  cases.push_back(
      {"batch_norm (channels last)",
       [](const auto& in) { return batch_norm(channels_last(in[0]), {}, {}, in[1], in[2], true); },
       {{{2, 4, 3, 2}}, w, b}});
  cases.push_back({"batch_norm (plain)",
                   [](const auto& in) { return batch_norm(in[0], {}, {}, {}, {}, true); },
                   {{{3, 4, 2}}}});
  for (bool last : {false, true}) {
    cases.push_back({last ? "batch_norm (evaluation, channels last)" : "batch_norm (evaluation)",
                     [last](const auto& in) {
                       return batch_norm(last ? channels_last(in[0]) : in[0], in[3], in[4], in[1],
                                         in[2]);
                     },
                     {{{2, 4, 3, 2}},
                      w,
                      b,
                      {{4}, -1, 1, Dtype::f64, false},
                      {{4}, 0.5, 2, Dtype::f64, false}}});
  }
}

}  // namespace

void add_norm_cases(Cases& cases) {
  add_softmaxes(cases);
  add_row_norms(cases);
  add_batch_norms(cases);
}

}  // namespace gradus::testing
