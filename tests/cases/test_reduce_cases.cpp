// The op cases of one family: reduce. Sizes beyond 4096 and beyond 128 rows go through every level
// of the fixed tree.
#include "gradus/autograd/functions.h"
#include "gradus/tests/cases.h"

namespace gradus::testing {

void add_reduce_cases(Cases& cases) {
  const auto add = [&](std::string name, auto f, Input x, bool differentiable = true) {
    cases.push_back({std::move(name),
                     [f](const std::vector<Tensor>& in) { return f(in[0]); },
                     {x},
                     true,
                     differentiable});
  };
  const Input x{{3, 4, 2}};
  const std::pair<const char*, Dims> all_dims[] = {
      {" (all)", {}}, {" (first)", 0}, {" (last)", -1}, {" (outer two)", {0, 2}}};
  for (const auto& [suffix, d] : all_dims) {
    const Dims dims = d;
    add(
        std::string("sum") + suffix, [=](auto& x) { return sum(x, dims); }, x);
    add(
        std::string("mean") + suffix, [=](auto& x) { return mean(x, dims, true); }, x);
    add(
        std::string("amax") + suffix, [=](auto& x) { return amax(x, dims); }, x);
    add(
        std::string("amin") + suffix, [=](auto& x) { return amin(x, dims, true); }, x);
    add(
        std::string("var") + suffix, [=](auto& x) { return var(x, dims); }, x);
    add(
        std::string("std") + suffix, [=](auto& x) { return std(x, dims, 0, true); }, x);
    add(
        std::string("norm") + suffix, [=](auto& x) { return norm(x, 2, dims); }, x);
    add(
        std::string("logsumexp") + suffix,
        [=](auto& x) {
          return logsumexp(x, dims.empty() ? Dims{0, 1, 2} : dims);
        },
        x);
    add(
        std::string("any") + suffix, [=](auto& x) { return any(x > 1.5, dims); }, x, false);
    add(
        std::string("all") + suffix, [=](auto& x) { return all(x > -1.5, dims); }, x, false);
  }
  for (double p : {1.0, 3.0, 0.5, -1.0, std::numeric_limits<double>::infinity()}) {
    add(
        "norm " + std::to_string(p),
        [p](auto& x) {
          return norm(x, p, {0, 1});
        },
        x);
  }
  for (int d : {0, 1, -1}) {
    const std::string at = " along " + std::to_string(d);
    add(
        "prod" + at, [d](auto& x) { return prod(x, d); }, x);
    add(
        "cumsum" + at, [d](auto& x) { return cumsum(x, d); }, x);
    add(
        "cumprod" + at, [d](auto& x) { return cumprod(x, d); }, x);
    add(
        "argmax" + at, [d](auto& x) { return argmax(x, d); }, x, false);
    add(
        "argmin" + at, [d](auto& x) { return argmin(x, d, true); }, x, false);
  }
  add(
      "prod", [](auto& x) { return prod(x); }, x);
  add(
      "argmax", [](auto& x) { return argmax(x); }, x, false);
  // Too large for a full Jacobian; the bits of views are compared.
  add(
      "sum of 10000", [](auto& x) { return sum(x, 1); }, {{2, 10000}}, false);
  add(
      "sum of 10000 rows", [](auto& x) { return sum(x, 0); }, {{10000, 3}}, false);
  add(
      "sum of wide rows", [](auto& x) { return sum(x, 1); }, {{3, 300, 70}}, false);
  add(
      "amax of 10000", [](auto& x) { return amax(x, 1); }, {{2, 10000}}, false);
  add(
      "argmax of 10000", [](auto& x) { return argmax(x, 1); }, {{2, 10000}}, false);
  add(
      "argmin of wide rows", [](auto& x) { return argmin(x, 1); }, {{3, 300, 70}}, false);
}

}  // namespace gradus::testing
