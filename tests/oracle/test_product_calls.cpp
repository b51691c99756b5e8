// How OpInfo's products of matrices are called here.
#include "gradus/autograd/functions.h"
#include "gradus/tests/oracle/oracle.h"

namespace gradus::oracle {

namespace {

using A = const Args&;

/// A factor of addmm: 1 if not given. PyTorch cuts real factors of integers.
Scalar factor(A a, const char* name) {
  const Scalar f = a.scalar(name, 1);
  if (!a.t().is_floating() && f.is_real())
    throw LeftOut{"real factors of integers, which are refused here"};
  return f;
}

Tensor wide(A a) {
  if (is_half(a.t().dtype())) throw LeftOut{"half types"};
  return a.t();
}

}  // namespace

void add_product_calls(Calls& calls) {
  const auto add = [&](const char* entry, auto f, Bound bound = contraction) {
    calls.push_back({entry, bound, [f](A a) { return Tensors{f(a)}; }});
  };
  add("matmul", [](A a) { return matmul(a.t(), a.t("other")); });
  add("__rmatmul__", [](A a) { return matmul(a.t("other"), a.t()); });
  add("mm", [](A a) { return mm(a.t(), a.t("other")); });
  add("bmm", [](A a) { return bmm(a.t(), a.t("other")); });
  add("mv", [](A a) { return mv(a.t(), a.t("other")); });
  add("dot", [](A a) { return dot(a.t(), a.t("other")); });
  add("outer", [](A a) { return outer(a.t(), a.t("other")); });
  add("addmm", [](A a) {
    return addmm(a.t(), a.t("mat1"), a.t("mat2"), factor(a, "beta"), factor(a, "alpha"));
  });
  add("baddbmm", [](A a) {
    return baddbmm(a.t(), a.t("mat1"), a.t("mat2"), factor(a, "beta"), factor(a, "alpha"));
  });
  add(
      "fft.rfft",
      [](A a) {
        const auto n = a.has("n") ? std::optional(a.integer("n")) : std::nullopt;
        return rfft(wide(a), n, a.dim("dim", -1), a.text("norm", "backward"));
      },
      roundings(64));
  add(
      "fft.irfft",
      [](A a) {
        const auto n = a.has("n") ? std::optional(a.integer("n")) : std::nullopt;
        const Tensor x = wide(a).is_floating() ? a.t() : a.t().to(Dtype::f32);
        return irfft(stack({x, zeros_like(x)}, -1), n, a.dim("dim", -1),
                     a.text("norm", "backward"));
      },
      roundings(64));
  add(
      "linalg.svdvals", [](A a) { return svdvals(wide(a)); }, roundings(64));
  add("einsum", [](A a) { return einsum(a.text("equation", ""), a.list()); });
  add("nn.functional.linear", [](A a) { return linear(a.t(), a.t("weight"), a.optional("bias")); });
  add(
      "nn.functional.scaled_dot_product_attention",
      [](A a) {
        if (a.real("dropout_p", 0) != 0) throw LeftOut{"random"};
        const auto scale = a.has("scale") ? std::optional(a.real("scale")) : std::nullopt;
        const char* mask = a.has("attn_mask") ? "attn_mask" : "mask";
        return scaled_dot_product_attention(a.t("q"), a.t("k"), a.t("v"), a.optional(mask), 0,
                                            a.flag("is_causal"), scale, a.flag("enable_gqa"));
      },
      roundings(64));
}

}  // namespace gradus::oracle
