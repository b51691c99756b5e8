// How OpInfo's losses are called here.
#include "gradus/autograd/functions.h"
#include "gradus/tests/oracle/oracle.h"

namespace gradus::oracle {

void add_loss_calls(Calls& calls) {
  using A = const Args&;
  const auto add = [&](const char* entry, auto f) {
    calls.push_back({std::string("nn.functional.") + entry, roundings(32), [f](A a) {
                       a.without({"size_average", "reduce"});
                       return Tensors{f(a, Reduction(a.text("reduction", "mean")))};
                     }});
  };
  add("cross_entropy", [](A a, Reduction how) {
    return cross_entropy(a.t(), a.t("target"), a.optional("weight"),
                         a.integer("ignore_index", -100), how, a.real("label_smoothing", 0));
  });
  add("nll_loss", [](A a, Reduction how) {
    return nll_loss(a.t(), a.t("target"), a.optional("weight"), a.integer("ignore_index", -100),
                    how);
  });
  add("mse_loss",
      [](A a, Reduction how) { return mse_loss(a.without({"weight"}).t(), a.t("target"), how); });
  add("l1_loss",
      [](A a, Reduction how) { return l1_loss(a.without({"weight"}).t(), a.t("target"), how); });
  add("smooth_l1_loss", [](A a, Reduction how) {
    return smooth_l1_loss(a.t(), a.t("target"), how, a.real("beta", 1));
  });
  add("huber_loss", [](A a, Reduction how) {
    return huber_loss(a.without({"weight"}).t(), a.t("target"), how, a.real("delta", 1));
  });
  add("binary_cross_entropy",
      [](A a, Reduction how) { return bce(a.t(), a.t("target"), a.optional("weight"), how); });
  add("binary_cross_entropy_with_logits", [](A a, Reduction how) {
    return bce_with_logits(a.t(), a.t("target"), a.optional("weight"), how,
                           a.optional("pos_weight"));
  });
  add("kl_div",
      [](A a, Reduction how) { return kl_div(a.t(), a.t("target"), how, a.flag("log_target")); });
  add("cosine_embedding_loss", [](A a, Reduction how) {
    return cosine_embedding_loss(a.t(), a.t("other"), a.t("target"), a.real("margin", 0), how);
  });
  add("triplet_margin_loss", [](A a, Reduction how) {
    return triplet_margin_loss(a.t(), a.t("positive"), a.t("negative"), a.real("margin", 1),
                               a.real("p", 2), a.real("eps", 1e-6), a.flag("swap"), how);
  });
}

}  // namespace gradus::oracle
