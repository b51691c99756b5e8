// How OpInfo's convolutions, poolings and resizings are called here.
#include "gradus/autograd/functions.h"
#include "gradus/tests/oracle/device.h"
#include "gradus/tests/oracle/oracle.h"

namespace gradus::oracle {
namespace {

using A = const Args&;

std::vector<std::int64_t> sizes(A a, const char* name) {
  return a.is_text(name) ? std::vector<std::int64_t>() : a.integers(name);
}
std::int64_t one(A a, const char* name, std::int64_t fallback) {
  const auto v = sizes(a, name);
  return v.empty() ? fallback : v[0];
}
Pair two(A a, const char* name, std::int64_t fallback) {
  const auto v = sizes(a, name);
  if (v.empty()) return fallback;
  return v.size() == 1 ? Pair(v[0]) : Pair(v[0], v[1]);
}

Triple three(A a, const char* name, std::int64_t fallback) {
  const auto v = sizes(a, name);
  if (v.empty()) return fallback;
  return v.size() == 1 ? Triple(v[0]) : Triple(v[0], v[1], v[2]);
}

OutputSize output_size(A a) {
  const auto v = a.maybe_integers("output_size");
  if (v.empty()) throw LeftOut{"an output size of no numbers"};
  return {v.front(), v.back()};
}

template <class Size>
Padding<Size> padding(A a, Size numbers) {
  if (a.is_text("padding")) return a.text("padding", "").c_str();
  return numbers;
}

void add_convolutions(Calls& calls) {
  const auto add = [&](const char* entry, auto f) {
    calls.push_back({std::string("nn.functional.") + entry, contraction, [f](A a) {
                       if (!a.t().is_floating() && !replay_device().is_cpu())
                         throw LeftOut{on_the_cpu_alone};
                       return Tensors{f(a)};
                     }});
  };
  add("conv1d", [](A a) {
    return conv1d(a.t(), a.t("weight"), a.optional("bias"), one(a, "stride", 1),
                  padding(a, one(a, "padding", 0)), one(a, "dilation", 1), a.integer("groups", 1));
  });
  add("conv2d", [](A a) {
    return conv2d(a.t(), a.t("weight"), a.optional("bias"), two(a, "stride", 1),
                  padding(a, two(a, "padding", 0)), two(a, "dilation", 1), a.integer("groups", 1));
  });
  add("conv3d", [](A a) {
    return conv3d(a.t(), a.t("weight"), a.optional("bias"), three(a, "stride", 1),
                  padding(a, three(a, "padding", 0)), three(a, "dilation", 1),
                  a.integer("groups", 1));
  });
  add("conv_transpose1d", [](A a) {
    return conv_transpose1d(a.t(), a.t("weight"), a.optional("bias"), one(a, "stride", 1),
                            one(a, "padding", 0), one(a, "output_padding", 0),
                            a.integer("groups", 1), one(a, "dilation", 1));
  });
  add("conv_transpose2d", [](A a) {
    return conv_transpose2d(a.t(), a.t("weight"), a.optional("bias"), two(a, "stride", 1),
                            two(a, "padding", 0), two(a, "output_padding", 0),
                            a.integer("groups", 1), two(a, "dilation", 1));
  });
}

/// With return_indices the places are compared, too.
template <class Values, class WithPlaces>
Tensors max_pooled(A a, Values values, WithPlaces with_places) {
  if (!a.flag("return_indices")) return {values()};
  const ValuesIndices r = with_places();
  return {r.values, r.indices};
}

void add_max_poolings(Calls& calls) {
  const auto add = [&](const char* entry, auto f) {
    calls.push_back({std::string("nn.functional.") + entry, exact, [f](A a) { return f(a); }});
  };
  add("max_pool1d", [](A a) {
    if (a.has("stride") && one(a, "stride", 1) == 0)
      throw LeftOut{"a stride of 0, which is the kernel's size"};
    const auto call = [&](auto f) {
      return f(a.t(), one(a, "kernel_size", 0), one(a, "stride", 0), one(a, "padding", 0),
               one(a, "dilation", 1), a.flag("ceil_mode"));
    };
    return max_pooled(
        a, [&] { return call(max_pool1d); }, [&] { return call(max_pool1d_with_indices); });
  });
  add("max_pool2d", [](A a) {
    const auto call = [&](auto f) {
      return f(a.t(), two(a, "kernel_size", 0), two(a, "stride", 0), two(a, "padding", 0),
               two(a, "dilation", 1), a.flag("ceil_mode"));
    };
    return max_pooled(
        a, [&] { return call(max_pool2d); }, [&] { return call(max_pool2d_with_indices); });
  });
  add("adaptive_max_pool2d", [](A a) {
    return max_pooled(
        a, [&] { return adaptive_max_pool2d(a.t(), output_size(a)); },
        [&] { return adaptive_max_pool2d_with_indices(a.t(), output_size(a)); });
  });
}

/// PyTorch takes an output_size of all dimensions, too.
std::vector<std::int64_t> last_sizes(A a, std::size_t count) {
  auto v = a.integers("output_size");
  if (v.size() > count) v.erase(v.begin(), v.end() - static_cast<std::ptrdiff_t>(count));
  return v;
}

void add_unpoolings(Calls& calls) {
  for (const char* variant : {"", "/grad"}) {
    calls.push_back({std::string("nn.functional.max_unpool1d") + variant, exact, [](A a) {
                       const auto v = last_sizes(a, 1);
                       return Tensors{max_unpool1d(
                           a.t(), a.t("indices"), one(a, "kernel_size", 0), one(a, "stride", 0),
                           one(a, "padding", 0),
                           v.empty() ? std::nullopt : std::optional<std::int64_t>(v[0]))};
                     }});
    calls.push_back({std::string("nn.functional.max_unpool2d") + variant, exact, [](A a) {
                       const auto v = last_sizes(a, 2);
                       return Tensors{max_unpool2d(
                           a.t(), a.t("indices"), two(a, "kernel_size", 0), two(a, "stride", 0),
                           two(a, "padding", 0),
                           v.empty() ? std::nullopt : std::optional<Pair>(Pair(v[0], v[1])))};
                     }});
  }
}

void add_average_poolings(Calls& calls) {
  const auto add = [&](const char* entry, auto f) {
    calls.push_back(
        {std::string("nn.functional.") + entry, roundings(8), [f](A a) { return Tensors{f(a)}; }});
  };
  add("avg_pool1d", [](A a) {
    return avg_pool1d(a.t(), one(a, "kernel_size", 0), one(a, "stride", 0), one(a, "padding", 0),
                      a.flag("ceil_mode"), a.flag("count_include_pad", true));
  });
  add("avg_pool2d", [](A a) {
    if (a.has("divisor_override") && a.integer("divisor_override") == 0)
      throw LeftOut{"a divisor of 0, which is none"};
    return avg_pool2d(a.t(), two(a, "kernel_size", 0), two(a, "stride", 0), two(a, "padding", 0),
                      a.flag("ceil_mode"), a.flag("count_include_pad", true),
                      a.integer("divisor_override", 0));
  });
  add("adaptive_avg_pool1d", [](A a) { return adaptive_avg_pool1d(a.t(), *output_size(a).h); });
  add("adaptive_avg_pool2d", [](A a) { return adaptive_avg_pool2d(a.t(), output_size(a)); });
}

Tensor resized(A a, const char* mode, bool align_corners) {
  auto given = a.integers("size");
  auto factor = a.has("scale_factor") ? std::optional(a.real("scale_factor")) : std::nullopt;
  if (a.flag("recompute_scale_factor")) {  // the factor gives the size, and the size the factor
    for (int d = 2; d < a.t().dim(); ++d)
      given.push_back(static_cast<std::int64_t>(static_cast<double>(a.t().size(d)) * *factor));
    factor = std::nullopt;
  }
  const auto size = [&]() -> std::optional<Sides> {
    if (given.empty()) return std::nullopt;
    if (given.size() == 1) return given[0];
    if (given.size() == 2) return Pair(given[0], given[1]);
    return Triple(given[0], given[1], given[2]);
  }();
  return interpolate(a.t(), size, factor, mode, align_corners);
}

}  // namespace

void add_conv_calls(Calls& calls) {
  add_convolutions(calls);
  add_max_poolings(calls);
  add_unpoolings(calls);
  add_average_poolings(calls);
  const auto add = [&](const char* entry, Bound bound, auto f) {
    calls.push_back(
        {std::string("nn.functional.") + entry, bound, [f](A a) { return Tensors{f(a)}; }});
  };
  add("interpolate/nearest", exact, [](A a) { return resized(a, "nearest", false); });
  add("upsample_nearest", exact, [](A a) { return resized(a, "nearest", false); });
  add("interpolate/bilinear", roundings(8),
      [](A a) { return resized(a, "bilinear", a.flag("align_corners")); });
  add("upsample_bilinear", roundings(8), [](A a) { return resized(a, "bilinear", true); });
  add("unfold", exact, [](A a) {
    return unfold(a.t(), two(a, "kernel_size", 1), two(a, "dilation", 1), two(a, "padding", 0),
                  two(a, "stride", 1));
  });
  add("pixel_shuffle", exact,
      [](A a) { return pixel_shuffle(a.t(), a.integer("upscale_factor")); });
}

}  // namespace gradus::oracle
