// How OpInfo's views, joins and rearrangements are called here. Nothing is computed: all are exact.
#include <algorithm>

#include "gradus/autograd/functions.h"
#include "gradus/tests/oracle/oracle.h"

namespace gradus::oracle {
namespace {

using A = const Args&;

Tensor padded(A a) {
  return pad(a.t(), a.integers("pad"), a.text("mode", "constant"), a.real("value", 0));
}

Tensor repeated(A a) {
  const bool flat = !a.has("dim");
  if (a.is_tensor("repeats")) {
    const Tensor times = a.t("repeats");
    if (times.numel() == 1) {
      const std::int64_t n = times.item<std::int64_t>();
      return flat ? repeat_interleave(a.t(), n) : repeat_interleave(a.t(), n, a.dim());
    }
    return flat ? repeat_interleave(a.t().flatten(), times, 0)
                : repeat_interleave(a.t(), times, a.dim());
  }
  const std::int64_t n = a.integer("repeats");
  return flat ? repeat_interleave(a.t(), n) : repeat_interleave(a.t(), n, a.dim());
}

void add_joins(Calls& calls) {
  const auto add = [&](const char* entry, auto f) { calls.push_back({entry, exact, f}); };
  add("cat", [](A a) -> Tensors { return {cat(a.list(), a.dim())}; });
  add("stack", [](A a) -> Tensors { return {stack(a.list(), a.dim())}; });
  for (const char* entry : {"split", "split/list_args", "split_with_sizes"}) {
    add(entry, [](A a) -> Tensors {
      const auto sizes = a.integers("size");
      try {
        return split(a.t(), a.integer("size"), a.dim());
      } catch (const Error&) {
        return split(a.t(), sizes, a.dim());
      }
    });
  }
  add("chunk", [](A a) { return chunk(a.t(), a.integer("chunks"), a.dim()); });
  add("unbind", [](A a) { return unbind(a.t(), a.dim()); });
  for (const char* entry : {"meshgrid/list_of_tensors", "meshgrid/variadic_tensors"})
    add(entry, [](A a) { return meshgrid(a.list(), a.text("indexing", "ij")); });
}

void add_views(Calls& calls) {
  const auto add = [&](const char* entry, auto f) {
    calls.push_back({entry, exact, [f](A a) { return Tensors{f(a)}; }});
  };
  for (const char* entry : {"expand", "broadcast_to"})
    add(entry, [](A a) { return a.t().expand(a.shape("shape")); });
  add("reshape", [](A a) { return a.t().reshape(a.shape("shape")); });
  add("view", [](A a) { return a.t().contiguous().view(a.shape("shape")); });
  add("view_as", [](A a) { return a.t().contiguous().view(a.t("other").shape()); });
  add("reshape_as", [](A a) { return a.t().reshape(a.t("other").shape()); });
  add("expand_as", [](A a) { return a.t().expand(a.t("other").shape()); });
  add("permute", [](A a) { return a.t().permute(a.dims("dims")); });
  add("transpose", [](A a) { return a.t().transpose(a.dim("dim0"), a.dim("dim1")); });
  add("t", [](A a) { return a.t().t(); });
  add("T", [](A a) { return a.t().t(); });
  add("mT", [](A a) { return a.t().transpose(-2, -1); });
  add("squeeze", [](A a) { return a.has("dim") ? a.t().squeeze(a.dim()) : a.t().squeeze(); });
  add("squeeze/multiple", [](A a) {
    std::vector<int> dims;
    for (int d : a.dims()) dims.push_back(d < 0 ? d + a.t().dim() : d);
    std::sort(dims.rbegin(), dims.rend());
    Tensor y = a.t();
    for (int d : dims) y = y.squeeze(d);
    return y;
  });
  add("unsqueeze", [](A a) { return a.t().unsqueeze(a.dim()); });
  add("flatten", [](A a) { return a.t().flatten(a.dim("start_dim", 0), a.dim("end_dim", -1)); });
  add("unflatten", [](A a) { return a.t().unflatten(a.dim(), a.shape("sizes")); });
  add("narrow", [](A a) {
    if (a.is_tensor("start") && a.t("start").dtype() == Dtype::boolean)
      throw LeftOut{"a truth value as a place"};
    return a.t().narrow(a.dim(), a.integer("start"), a.integer("length"));
  });
  add("select", [](A a) { return a.t().select(a.dim(), a.integer("index")); });
  add("slice", [](A a) {
    const Tensor x = a.t();
    const int dim = a.dim();
    return x.slice(dim, a.integer("start", 0), a.integer("end", x.size(dim)), a.integer("step", 1));
  });
  add("unfold", [](A a) { return a.t().unfold(a.dim(), a.integer("size"), a.integer("step")); });
  add("diagonal", [](A a) {
    return a.t().diagonal(a.integer("offset", 0), a.dim("dim1", 0), a.dim("dim2", 1));
  });
  add("movedim", [](A a) { return a.t().movedim(a.dims("source"), a.dims("destination")); });
  add("contiguous", [](A a) { return a.t().contiguous(); });
  add("clone", [](A a) { return a.t().clone(); });
}

void add_rearrangements(Calls& calls) {
  const auto add = [&](const char* entry, auto f) {
    calls.push_back({entry, exact, [f](A a) { return Tensors{f(a)}; }});
  };
  add("flip", [](A a) { return flip(a.t(), a.dims("dims")); });
  add("fliplr", [](A a) { return flip(a.t(), 1); });
  add("flipud", [](A a) {
    if (a.t().dim() == 0) throw LeftOut{"a 0-dim tensor, which flips to itself"};
    return flip(a.t(), 0);
  });
  add("roll", [](A a) {
    const auto shifts = a.integers("shifts");
    return a.has("dims") || shifts.size() != 1 ? roll(a.t(), shifts, a.dims("dims"))
                                               : roll(a.t(), shifts[0]);
  });
  add("repeat", [](A a) { return repeat(a.t(), a.shape("times")); });
  add("tile", [](A a) { return tile(a.t(), a.shape("times")); });
  add("repeat_interleave", repeated);
  add("tril", [](A a) { return tril(a.t(), a.integer("k", a.integer("diagonal", 0))); });
  add("triu", [](A a) { return triu(a.t(), a.integer("k", a.integer("diagonal", 0))); });
  add("diag", [](A a) { return diag(a.t(), a.integer("k", a.integer("diagonal", 0))); });
  for (const char* mode : {"constant", "reflect", "replicate", "replicate_negative", "circular"})
    add((std::string("nn.functional.pad/") + mode).c_str(), padded);
}

}  // namespace

void add_shape_calls(Calls& calls) {
  add_joins(calls);
  add_views(calls);
  add_rearrangements(calls);
}

}  // namespace gradus::oracle
