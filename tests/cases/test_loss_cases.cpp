// The op cases of one family: losses.
#include "gradus/autograd/functions.h"
#include "gradus/tests/cases.h"

namespace gradus::testing {
namespace {

Input classes(Shape shape, int n) { return {shape, 0, static_cast<double>(n), Dtype::i64}; }

void add_class_losses(Cases& cases) {
  const Input weight{{5}, 0.5, 2, Dtype::f64, false};
  for (const char* reduction : {"mean", "sum", "none"}) {
    const std::string name = std::string(" (") + reduction;
    const Reduction r(reduction);
    cases.push_back({"cross_entropy" + name + ")",
                     [r](const auto& in) { return cross_entropy(in[0], in[1], {}, -100, r); },
                     {{{3, 5}}, classes({3}, 5)}});
    cases.push_back({"cross_entropy" + name + ", weight, smoothing, an ignored class)",
                     [r](const auto& in) { return cross_entropy(in[0], in[1], in[2], 1, r, 0.1); },
                     {{{6, 5}}, classes({6}, 5), weight}});
    cases.push_back({"cross_entropy" + name + ", pixels, weight)",
                     [r](const auto& in) { return cross_entropy(in[0], in[1], in[2], -100, r); },
                     {{{2, 5, 2, 2}}, classes({2, 2, 2}, 5), weight}});
    cases.push_back({"cross_entropy" + name + ", probabilities, weight, smoothing)",
                     [r](const auto& in) { return cross_entropy(in[0], in[1], in[2], 0, r, 0.2); },
                     {{{3, 5}}, {{3, 5}, 0, 1}, weight}});
    cases.push_back({"cross_entropy" + name + ", probabilities of pixels)",
                     [r](const auto& in) { return cross_entropy(in[0], in[1], {}, -100, r); },
                     {{{2, 5, 3}}, {{2, 5, 3}, 0, 1}}});
    cases.push_back({"nll_loss" + name + ", weight, an ignored class)",
                     [r](const auto& in) { return nll_loss(in[0], in[1], in[2], 1, r); },
                     {{{6, 5}}, classes({6}, 5), weight}});
    cases.push_back({"nll_loss" + name + ", pixels)",
                     [r](const auto& in) { return nll_loss(in[0], in[1], {}, -100, r); },
                     {{{2, 5, 3}}, classes({2, 3}, 5)}});
  }
}

void add_pair_losses(Cases& cases) {
  for (const char* reduction : {"mean", "sum", "none"}) {
    const Reduction r(reduction);
    const auto add = [&](const char* name, auto f, Input x, Input t) {
      cases.push_back({std::string(name) + " (" + reduction + ")",
                       [f, r](const auto& in) { return f(in[0], in[1], r); },
                       {x, t}});
    };
    using T = const Tensor&;
    const Input x{{3, 4}}, t{{3, 4}};
    const Input p{{3, 4}, 0.1, 0.9};
    add(
        "mse_loss", [](T x, T t, Reduction r) { return mse_loss(x, t, r); }, x, t);
    add("mse_loss, broadcast", [](T x, T t, Reduction r) { return mse_loss(x, t, r); }, x, {{4}});
    add(
        "l1_loss", [](T x, T t, Reduction r) { return l1_loss(x, t, r); }, x, t);
    add(
        "smooth_l1_loss", [](T x, T t, Reduction r) { return smooth_l1_loss(x, t, r, 0.7); }, x, t);
    add(
        "huber_loss", [](T x, T t, Reduction r) { return huber_loss(x, t, r, 1.3); }, x, t);
    add(
        "kl_div", [](T x, T t, Reduction r) { return kl_div(x, t, r); }, x, p);
    add(
        "kl_div, log_target", [](T x, T t, Reduction r) { return kl_div(x, t, r, true); }, x, t);
  }
}

void add_vector_losses(Cases& cases) {
  const Input v{{4, 3}}, sign{{4}, -1.9, 1.9, Dtype::f64, false};
  for (const char* reduction : {"mean", "none"}) {
    const std::string name = std::string(" (") + reduction + ")";
    const Reduction r(reduction);
    cases.push_back({"cosine_embedding_loss" + name,
                     [r](const auto& in) {
                       const Tensor target = where(gt(in[2], 0), 1.0, full_like(in[2], -1));
                       return cosine_embedding_loss(in[0], in[1], target, -0.5, r);
                     },
                     {v, v, sign}});
    cases.push_back({"triplet_margin_loss" + name,
                     [r](const auto& in) {
                       return triplet_margin_loss(in[0], in[1], in[2], 4, 2, 1e-6, false, r);
                     },
                     {v, v, v}});
    cases.push_back({"triplet_margin_loss (swap, p 3)" + name,
                     [r](const auto& in) {
                       return triplet_margin_loss(in[0], in[1], in[2], 4, 3, 0.1, true, r);
                     },
                     {v, v, v}});
  }
  cases.push_back({"normalize", [](const auto& in) { return normalize(in[0]); }, {v}});
  cases.push_back(
      {"normalize (p 1, dim 0)", [](const auto& in) { return normalize(in[0], 1, 0); }, {v}});
  cases.push_back({"cosine_similarity",
                   [](const auto& in) { return cosine_similarity(in[0], in[1]); },
                   {v, {{1, 3}}}});
}

}  // namespace

void add_loss_cases(Cases& cases) {
  add_class_losses(cases);
  add_pair_losses(cases);
  add_vector_losses(cases);
}

}  // namespace gradus::testing
