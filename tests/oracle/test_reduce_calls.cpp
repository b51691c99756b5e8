// How OpInfo's reductions and running sums are called here.
#include "gradus/autograd/functions.h"
#include "gradus/tests/oracle/oracle.h"

namespace gradus::oracle {
namespace {

using A = const Args&;

Tensors both(const ValuesIndices& r) { return {r.values, r.indices}; }

std::optional<int> one_dim(A a) { return a.has("dim") ? std::optional(a.dim()) : std::nullopt; }

/// In "var/unbiased" the truth value may stand where `dim` does.
Dims dims_of(A a) { return a.is_flag("dim") ? Dims() : a.dims(); }

/// PyTorch has `unbiased` as well as `correction`, and one of them may stand where `dim` does.
double correction(A a) {
  if (a.is_flag("dim")) return a.flag("dim") ? 1 : 0;
  if (a.has("unbiased")) return a.flag("unbiased") ? 1 : 0;
  return a.real("correction", 1);
}

Tensor norm_of(A a, const char* order) {
  const Tensor x = a.has("dtype") ? a.t().to(*a.dtype()) : a.t();
  double p = 2;                                                        // which is Frobenius', too
  const std::string name = a.is_text(order) ? a.text(order, "") : "";  // of a norm, or "F:inf"
  if (name != "fro" && !name.empty() && !name.starts_with("F:"))
    throw LeftOut{"norms of matrices by name"};
  if (a.has(order) && name != "fro") {
    p = a.real(order);
  }
  return norm(x, p, a.dims(), a.flag("keepdim"));
}

}  // namespace

void add_reduce_calls(Calls& calls) {
  const auto add = [&](const char* entry, Bound bound, auto f) {
    calls.push_back({entry, bound, [f](A a) { return Tensors{f(a)}; }});
  };
  const auto add_both = [&](const char* entry, auto f) {
    calls.push_back({entry, exact, [f](A a) { return both(f(a)); }});
  };
  add("sum", contraction, [](A a) { return sum(a.t(), a.dims(), a.flag("keepdim"), a.dtype()); });
  add("mean", roundings(8),
      [](A a) { return mean(a.t(), a.dims(), a.flag("keepdim"), a.dtype()); });
  add("prod", roundings(16), [](A a) {
    const Tensor x = a.has("dtype") ? a.t().to(*a.dtype()) : a.t();
    return a.has("dim") ? prod(x, a.dim(), a.flag("keepdim")) : prod(x);
  });
  add("amax", exact, [](A a) { return amax(a.t(), a.dims(), a.flag("keepdim")); });
  add("amin", exact, [](A a) { return amin(a.t(), a.dims(), a.flag("keepdim")); });
  add("argmax", exact, [](A a) { return argmax(a.t(), one_dim(a), a.flag("keepdim")); });
  add("argmin", exact, [](A a) { return argmin(a.t(), one_dim(a), a.flag("keepdim")); });
  add("max/reduction_no_dim", exact, [](A a) { return max(a.t()); });
  add("min/reduction_no_dim", exact, [](A a) { return min(a.t()); });
  add_both("max/reduction_with_dim", [](A a) { return max(a.t(), a.dim(), a.flag("keepdim")); });
  add_both("min/reduction_with_dim", [](A a) { return min(a.t(), a.dim(), a.flag("keepdim")); });
  for (const char* entry : {"var", "var/unbiased"}) {
    add(entry, roundings(16),
        [](A a) { return var(a.t(), dims_of(a), correction(a), a.flag("keepdim")); });
  }
  for (const char* entry : {"std", "std/unbiased"}) {
    add(entry, roundings(16),
        [](A a) { return std(a.t(), dims_of(a), correction(a), a.flag("keepdim")); });
  }
  for (const char* entry : {"norm", "norm/inf", "norm/fro"})
    add(entry, roundings(16), [](A a) { return norm_of(a, "p"); });
  add("linalg.vector_norm", roundings(16), [](A a) { return norm_of(a, "ord"); });
  add("logsumexp", roundings(8), [](A a) { return logsumexp(a.t(), a.dims(), a.flag("keepdim")); });
  add("all", exact, [](A a) { return all(a.t(), a.dims(), a.flag("keepdim")); });
  add("any", exact, [](A a) { return any(a.t(), a.dims(), a.flag("keepdim")); });
  add("cumsum", roundings(16), [](A a) {
    return a.has("dtype") ? cumsum(a.t().to(*a.dtype()), a.dim()).to(*a.dtype())
                          : cumsum(a.t(), a.dim());
  });
  add("cumprod", roundings(16),
      [](A a) { return cumprod(a.has("dtype") ? a.t().to(*a.dtype()) : a.t(), a.dim()); });
}

}  // namespace gradus::oracle
