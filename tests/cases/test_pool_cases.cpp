// The op cases of one family: pooling, and images of another size.
#include "gradus/autograd/functions.h"
#include "gradus/tests/cases.h"

namespace gradus::testing {

void add_pool_cases(Cases& cases) {
  const auto add = [&](const std::string& name, auto f, Shape shape) {
    cases.push_back({name, [f](const auto& in) { return f(in[0]); }, {{shape}}});
    if (shape.size() != 4) return;
    cases.push_back({name + ", channels last",
                     [f](const auto& in) { return f(channels_last(in[0])); },
                     {{shape}}});
  };
  using T = const Tensor&;
  add("max_pool2d (2)", [](T x) { return max_pool2d(x, 2); }, {2, 3, 4, 6});
  add("max_pool2d (3, stride 2, padding 1, ceil)",
      [](T x) { return max_pool2d(x, 3, 2, 1, 1, true); }, {1, 2, 5, 4});
  add("max_pool2d (2x3, stride 1x2, dilation 2x1)",
      [](T x) {
        return max_pool2d(x, {2, 3}, {1, 2}, {1, 0}, {2, 1});
      },
      {2, 2, 4, 7});
  add("max_pool2d (no batch)", [](T x) { return max_pool2d(x, 2); }, {2, 4, 4});
  add("max_pool1d (3, stride 2, padding 1)", [](T x) { return max_pool1d(x, 3, 2, 1); }, {2, 2, 7});
  add("avg_pool2d (2)", [](T x) { return avg_pool2d(x, 2); }, {2, 3, 4, 6});
  add("avg_pool2d (3, stride 2, padding 1, ceil)", [](T x) { return avg_pool2d(x, 3, 2, 1, true); },
      {1, 2, 6, 4});
  add("avg_pool2d (3, stride 1, padding 1, inputs counted)",
      [](T x) { return avg_pool2d(x, 3, 1, 1, false, false); }, {1, 2, 3, 4});
  add("avg_pool2d (divisor 3)", [](T x) { return avg_pool2d(x, 2, 1, 0, false, true, 3); },
      {1, 2, 3, 4});
  add("avg_pool1d (2, no batch)", [](T x) { return avg_pool1d(x, 2); }, {3, 5});
  add("adaptive_avg_pool2d (3x2)",
      [](T x) {
        return adaptive_avg_pool2d(x, {3, 2});
      },
      {2, 2, 4, 5});
  add("adaptive_avg_pool1d (3)", [](T x) { return adaptive_avg_pool1d(x, 3); }, {2, 2, 7});
  add("adaptive_max_pool2d (3x2)",
      [](T x) {
        return adaptive_max_pool2d(x, {3, 2});
      },
      {2, 2, 4, 5});
  add("max_unpool2d",
      [](T x) {
        const auto [values, indices] = max_pool2d_with_indices(x, {2, 3}, {2, 3}, {1, 0});
        return max_unpool2d(values, indices, {2, 3}, {2, 3}, {1, 0}, Pair(4, 7));
      },
      {1, 2, 4, 7});
  add("max_unpool1d",
      [](T x) {
        const auto [values, indices] = max_pool1d_with_indices(x, 2);
        return max_unpool1d(values, indices, 2);
      },
      {2, 2, 6});
  add("unfold", [](T x) { return unfold(x, {2, 3}, {1, 2}, {1, 0}, {2, 1}); }, {2, 2, 3, 6});
  add("pixel_shuffle", [](T x) { return pixel_shuffle(x, 2); }, {2, 8, 2, 3});
  add("interpolate (nearest)", [](T x) { return interpolate(x, Pair(5, 2)); }, {1, 2, 3, 4});
  add("interpolate (nearest, sequences)", [](T x) { return interpolate(x, {}, 1.6); }, {2, 3, 4});
  add("interpolate (nearest, volumes)", [](T x) { return interpolate(x, Triple(3, 1, 4)); },
      {1, 2, 2, 3, 2});
  add("interpolate (bilinear)", [](T x) { return interpolate(x, {}, 1.7, "bilinear"); },
      {1, 2, 3, 4});
  add("interpolate (bilinear, corners)",
      [](T x) { return interpolate(x, Pair(5, 2), {}, "bilinear", true); }, {1, 2, 3, 4});
}

}  // namespace gradus::testing
