// How OpInfo's indexing and sorting entries are called here.
#include "gradus/autograd/functions.h"
#include "gradus/tests/oracle/oracle.h"

namespace gradus::oracle {

void add_index_calls(Calls& calls) {
  using A = const Args&;
  const auto add = [&](const char* entry, auto f, Bound bound = exact) {
    calls.push_back({entry, bound, [f](A a) { return Tensors{f(a)}; }});
  };
  add("gather", [](A a) { return gather(a.t(), a.dim(), a.t("index")); });
  add("take_along_dim", [](A a) {
    if (!a.has("dim")) return take_along_dim(a.t().flatten(), a.t("index").flatten(), 0);
    return take_along_dim(a.t(), a.t("index"), a.dim());
  });
  add("scatter", [](A a) {
    const char* src = a.has("value") ? "value" : "src";
    if (a.has("reduce")) {
      if (a.text("reduce", "") != "add") throw LeftOut{"a product of what meets"};
      const Tensor added =
          a.is_tensor(src) ? a.t(src) : full_like(a.t("index"), a.real(src)).to(a.t().dtype());
      return scatter_add(a.t(), a.dim(), a.t("index"), added);
    }
    if (a.is_tensor(src)) return scatter(a.t(), a.dim(), a.t("index"), a.t(src));
    return scatter(a.t(), a.dim(), a.t("index"), a.scalar(src));
  });
  add(
      "scatter_add", [](A a) { return scatter_add(a.t(), a.dim(), a.t("index"), a.t("src")); },
      roundings(8));
  add("index_select", [](A a) { return index_select(a.t(), a.dim(), a.t("index")); });
  add(
      "index_add",
      [](A a) { return index_add(a.t(), a.dim(), a.t("index"), a.t("src"), a.real("alpha", 1)); },
      roundings(8));
  add(
      "index_put",
      [](A a) { return index_put(a.t(), a.list("indices"), a.t("values"), a.flag("accumulate")); },
      roundings(8));
  add("masked_fill", [](A a) {
    if (a.is_tensor("value") && a.t("value").dim() > 0) throw LeftOut{"several values"};
    if (a.is_tensor("value")) return where(a.t("mask"), a.t("value"), a.t());
    return masked_fill(a.t(), a.t("mask"), a.scalar("value"));
  });
  add("masked_select", [](A a) { return masked_select(a.t(), a.t("mask")); });
  add("where", [](A a) {
    if (!a.is_tensor("other")) return where(a.t("condition"), a.t(), a.scalar("other"));
    return where(a.t("condition"), a.t(), a.t("other"));
  });
  add("nn.functional.one_hot",
      [](A a) { return one_hot(a.t("index"), a.integer("num_classes", -1)); });
  calls.push_back({"nonzero", exact, [](A a) -> Tensors {
                     if (a.flag("as_tuple")) {
                       return unbind(nonzero(a.t().dim() == 0 ? a.t().reshape({1}) : a.t()), 1);
                     }
                     return {nonzero(a.t())};
                   }});
  add("nn.functional.embedding", [](A a) {
    a.without({"max_norm", "scale_grad_by_freq", "sparse"});
    const auto padding =
        a.has("padding_idx") ? std::optional(a.integer("padding_idx")) : std::nullopt;
    return embedding(a.t("indices"), a.t("weight"), padding);
  });
  // Which of equals topk takes is nobody's promise: the places must hold the values.
  calls.push_back(
      {.entry = "topk",
       .bound = exact,
       .f = [](A a) -> Tensors {
         const int dim = a.dim("dim", -1);
         const Tensor ordered = sort(a.t(), dim).values;
         const std::int64_t n = ordered.size(dim);
         const bool ties =
             n > 1 &&
             any(ordered.narrow(dim, 1, n - 1) == ordered.narrow(dim, 0, n - 1)).item<bool>();
         if (ties && a.t().requires_grad()) throw LeftOut{"equals"};
         const auto [values, indices] = topk(a.t(), a.integer("k"), dim, a.flag("largest", true));
         check(all(gather(a.t(), dim, indices) == values).item<bool>(), ErrorKind::internal,
               "topk: the values are not where it says");
         return {values};
       },
       .compared = 1});
  calls.push_back({"sort", exact, [](A a) -> Tensors {
                     const auto [values, indices] =
                         sort(a.t(), a.dim("dim", -1), a.flag("descending"));
                     return {values, indices};
                   }});
  add("argsort", [](A a) { return argsort(a.t(), a.dim("dim", -1), a.flag("descending")); });
}

}  // namespace gradus::oracle
