// The op cases of one family: index.
#include "gradus/autograd/functions.h"
#include "gradus/tests/cases.h"

namespace gradus::testing {

void add_index_cases(Cases& cases) {
  const auto add = [&](std::string name, auto f, std::vector<Input> inputs,
                       bool differentiable = true) {
    cases.push_back({std::move(name), f, std::move(inputs), true, differentiable});
  };
  using In = const std::vector<Tensor>&;
  const Input x{{3, 4, 2}};
  const auto indices = [](Shape shape, double size) { return Input{shape, 0, size, Dtype::i64}; };
  for (int d : {0, 1, 2}) {
    const std::string at = " along " + std::to_string(d);
    Shape some = x.shape;
    some[d] = 5;
    const double size = static_cast<double>(x.shape[d]);
    add("gather" + at, [d](In in) { return gather(in[0], d, in[1]); }, {x, indices(some, size)});
    add("scatter_add" + at, [d](In in) { return scatter_add(in[0], d, in[1], in[2]); },
        {x, indices(some, size), {some}});
    add("scatter" + at, [d](In in) { return scatter(in[0], d, argsort(in[1], d), in[2]); },
        {x, {x.shape, 0, 9, Dtype::f32}, x});
    add("index_select" + at, [d](In in) { return index_select(in[0], d, in[1]); },
        {x, indices({5}, size)});
    add("index_add" + at, [d](In in) { return index_add(in[0], d, in[1], in[2], 0.5); },
        {x, indices({5}, size), {some}});
    add("sort" + at, [d](In in) { return sort(in[0], d).values; }, {x});
    add("topk" + at, [d](In in) { return topk(in[0], 2, d, false).values; }, {x});
    add("max" + at, [d](In in) { return max(in[0], d).values; }, {x});
    add("min" + at, [d](In in) { return min(in[0], d, true).values; }, {x});
  }
  add("gather (fewer)", [](In in) { return gather(in[0], 1, in[1]); }, {x, indices({2, 3, 1}, 4)});
  add("take_along_dim", [](In in) { return take_along_dim(in[0], in[1], 1); },
      {x, indices({1, 3, 2}, 4)});
  add("index",
      [](In in) {
        return index(in[0], {in[1], in[2]});
      },
      {x, indices({5}, 3), indices({2, 1}, 4)});
  add("index_put",
      [](In in) {
        return index_put(in[0], {in[1], in[2]}, in[3], true);
      },
      {x, indices({5}, 3), indices({2, 1}, 4), {{5, 2}}});
  add("masked_fill", [](In in) { return masked_fill(in[0], in[1] > 0, 0.5); },
      {x, {{4, 1}, -2, 2, Dtype::f32}});
  add("masked_select", [](In in) { return masked_select(in[0], in[1] > 0); },
      {x, {{4, 1}, -2, 2, Dtype::f32}});
  add(
      "one_hot", [](In in) { return one_hot(in[0], 5); }, {indices({3, 2}, 5)}, false);
  add(
      "nonzero", [](In in) { return nonzero(in[0]); }, {indices({3, 4}, 2)}, false);
}

}  // namespace gradus::testing
