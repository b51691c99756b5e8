// How OpInfo's normalisations and distances are called here.
#include "gradus/autograd/functions.h"
#include "gradus/tests/oracle/oracle.h"

namespace gradus::oracle {

void add_norm_calls(Calls& calls) {
  using A = const Args&;
  const auto add = [&](const char* entry, auto f) {
    calls.push_back(
        {std::string("nn.functional.") + entry, roundings(32), [f](A a) { return Tensors{f(a)}; }});
  };
  add("layer_norm", [](A a) {
    return layer_norm(a.t(), a.shape("normalized_shape"), a.optional("weight"), a.optional("bias"),
                      a.real("eps", 1e-5));
  });
  add("rms_norm", [](A a) {
    const auto eps = a.has("eps") ? std::optional(a.real("eps")) : std::nullopt;
    return rms_norm(a.t(), a.shape("normalized_shape"), a.optional("weight"), eps);
  });
  add("group_norm", [](A a) {
    if (a.t().numel() == 0 && a.t().size(0) > 0) throw LeftOut{"groups of nothing"};
    return group_norm(a.t(), a.integer("num_groups"), a.optional("weight"), a.optional("bias"),
                      a.real("eps", 1e-5));
  });
  add("instance_norm", [](A a) {
    return instance_norm(a.t(), a.optional("running_mean"), a.optional("running_var"),
                         a.optional("weight"), a.optional("bias"), a.flag("use_input_stats", true),
                         a.real("momentum", 0.1), a.real("eps", 1e-5));
  });
  add("batch_norm", [](A a) {
    if (a.t().dim() < 2) throw LeftOut{"x without channels"};
    return batch_norm(a.t(), a.optional("running_mean"), a.optional("running_var"),
                      a.optional("weight"), a.optional("bias"), a.flag("training"),
                      a.real("momentum", 0.1), a.real("eps", 1e-5));
  });
  // With p = 0.5 the gradient is what is left of far larger terms.
  calls.push_back({.entry = "nn.functional.normalize",
                   .bound = roundings(32),
                   .f =
                       [](A a) {
                         if (a.has("out")) throw LeftOut{"the argument out"};
                         return Tensors{normalize(a.t(), a.real("p", 2), a.dim("dim", 1),
                                                  a.real("eps", 1e-12))};
                       },
                   .gradient = 1e-9});
  add("cosine_similarity", [](A a) {
    const char* other = a.has("x2") ? "x2" : "other";
    return cosine_similarity(a.t(), a.t(other), a.dim("dim", 1), a.real("eps", 1e-8));
  });
  add("pairwise_distance", [](A a) {
    const char* other = a.has("x2") ? "x2" : "other";
    return pairwise_distance(a.t(), a.t(other), a.real("p", 2), a.real("eps", 1e-6),
                             a.flag("keepdim"));
  });
}

}  // namespace gradus::oracle
