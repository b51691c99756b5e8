// The op cases of one family: shape.
#include "gradus/autograd/functions.h"
#include "gradus/tests/cases.h"

namespace gradus::testing {

void add_shape_cases(Cases& cases) {
  const Input x{{3, 4, 2}};
  const auto add = [&](std::string name, auto f, Input in) {
    cases.push_back(
        {std::move(name), [f](const std::vector<Tensor>& in) { return f(in[0]); }, {in}});
  };
  const auto weigh = [](const std::vector<Tensor>& parts) {  // every part with another factor
    Tensor y = zeros({}, parts[0].options());
    double factor = 1;
    for (const Tensor& p : parts) y = y + sum(p * (factor += 0.5));
    return y;
  };
  for (int d : {0, 1, -1}) {
    const std::string at = " along " + std::to_string(d);
    cases.push_back({"cat" + at,
                     [d](const std::vector<Tensor>& in) {
                       return cat({in[0], in[1], in[0]}, d);
                     },
                     {x, x}});
    cases.push_back({"stack" + at,
                     [d](const std::vector<Tensor>& in) {
                       return stack({in[0], in[1]}, d);
                     },
                     {x, x}});
    add(
        "split" + at, [=](auto& x) { return weigh(split(x, 2, d)); }, x);
    add(
        "chunk" + at, [=](auto& x) { return weigh(chunk(x, 2, d)); }, x);
    add(
        "unbind" + at, [=](auto& x) { return weigh(unbind(x, d)); }, x);
    add(
        "flip" + at, [d](auto& x) { return flip(x, d); }, x);
    add(
        "roll" + at, [d](auto& x) { return roll(x, {-5}, d); }, x);
    add(
        "repeat_interleave" + at, [d](auto& x) { return repeat_interleave(x, 3, d); }, x);
  }
  add(
      "flip (two)",
      [](auto& x) {
        return flip(x, {0, -1});
      },
      x);
  add(
      "roll (flat)", [](auto& x) { return roll(x, 7); }, x);
  add(
      "repeat",
      [](auto& x) {
        return repeat(x, {2, 1, 3, 1});
      },
      x);
  add("repeat of ones", [](auto& x) { return repeat(x, {2, 3}); }, {{1, 4}});
  add(
      "tile",
      [](auto& x) {
        return tile(x, {2, 3});
      },
      x);
  add(
      "pad",
      [](auto& x) {
        return pad(x, {1, 2, -1, 1}, "constant", 0.5);
      },
      x);
  add(
      "pad reflect",
      [](auto& x) {
        return pad(x, {1, 1, 3, 0}, "reflect");
      },
      x);
  add(
      "pad replicate",
      [](auto& x) {
        return pad(x, {0, 5, 2, 2}, "replicate");
      },
      x);
  add(
      "pad circular",
      [](auto& x) {
        return pad(x, {2, 0, 1, 4}, "circular");
      },
      x);
  add(
      "tril", [](auto& x) { return tril(x); }, x);
  add(
      "triu", [](auto& x) { return triu(x, -1); }, x);
  add("diag (matrix)", [](auto& x) { return diag(x, 1); }, {{3, 4}});
  add("diag (vector)", [](auto& x) { return diag(x, -2); }, {{3}});
  cases.push_back({"meshgrid",
                   [=](const std::vector<Tensor>& in) { return weigh(meshgrid(in, "xy")); },
                   {{{3}}, {{2}}}});
}

}  // namespace gradus::testing
