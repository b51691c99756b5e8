// Ops of the fuzzer whose loops go over windows, products and places.
#include <algorithm>
#include <limits>

#include "gradus/autograd/functions.h"
#include "gradus/tests/oracle/fuzz.h"

namespace gradus::oracle::fuzz {
namespace {

using Index = std::vector<std::int64_t>;

Outcome product(Draw& d) {
  const Dtype dtype = d.floating();
  const Shape batch = d.shape(static_cast<int>(d.random.range(0, 2)), 3);
  const Shape sizes = d.shape(3, 9);
  Shape a = batch, b = batch, y = batch;
  if (batch.size() > 0 && d.random.flip()) b[0] = 1;
  a.push_back(sizes[0]), a.push_back(sizes[1]);
  b.push_back(sizes[1]), b.push_back(sizes[2]);
  y.push_back(sizes[0]), y.push_back(sizes[2]);
  const Drawn left = d.tensor(a, dtype), right = d.tensor(b, dtype);
  Outcome o{to_string(a) + " x " + to_string(b), matmul(left.t, right.t), Plain(y), 0, 0};
  o.roundings = 2 * (static_cast<double>(sizes[1]) + 2);
  o.size = 4 * static_cast<double>(sizes[1]);
  every(y, [&](const Index& at) {
    double sum = 0;
    for (std::int64_t k = 0; k < sizes[1]; ++k) {
      Index i = at, j = at;
      i.back() = k;
      j[j.size() - 2] = k;
      sum += broadcast(left.p, i) * broadcast(right.p, j);
    }
    o.expected.at(at) = sum;
  });
  return o;
}

Outcome convolution(Draw& d) {
  Random& r = d.random;
  const std::int64_t groups = r.range(1, 2), c = groups * r.range(1, 3),
                     out = groups * r.range(1, 3);
  const std::int64_t k[2] = {r.range(1, 3), r.range(1, 3)}, s[2] = {r.range(1, 3), r.range(1, 2)};
  const std::int64_t p[2] = {r.range(0, 2), r.range(0, 2)}, l[2] = {r.range(1, 2), r.range(1, 2)};
  std::int64_t in[2], size[2];
  for (int i = 0; i < 2; ++i) {
    in[i] = (k[i] - 1) * l[i] + 1 + r.range(0, 6);
    size[i] = (in[i] + 2 * p[i] - (k[i] - 1) * l[i] - 1) / s[i] + 1;
  }
  const Dtype dtype = d.floating();
  const Drawn x = d.tensor({r.range(1, 2), c, in[0], in[1]}, dtype);
  const Drawn w = d.tensor({out, c / groups, k[0], k[1]}, dtype), b = d.tensor({out}, dtype);
  Outcome o{to_string(x.p.shape) + " * " + to_string(w.p.shape),
            conv2d(x.t, w.t, b.t, {s[0], s[1]}, {p[0], p[1]}, {l[0], l[1]}, groups),
            Plain(Shape{x.p.shape[0], out, size[0], size[1]}), 0, 0};
  const std::int64_t each = c / groups, terms = each * k[0] * k[1];
  o.roundings = 2 * (static_cast<double>(terms) + 3);
  o.size = 4 * static_cast<double>(terms + 1);
  every(o.expected.shape, [&](const Index& at) {
    double sum = b.p.at({at[1]});
    every(Shape{each, k[0], k[1]}, [&](const Index& tap) {
      const std::int64_t i = at[2] * s[0] + tap[1] * l[0] - p[0];
      const std::int64_t j = at[3] * s[1] + tap[2] * l[1] - p[1];
      if (i < 0 || j < 0 || i >= in[0] || j >= in[1]) return;
      const std::int64_t channel = at[1] / (out / groups) * each + tap[0];
      sum += x.p.at({at[0], channel, i, j}) * w.p.at({at[1], tap[0], tap[1], tap[2]});
    });
    o.expected.at(at) = sum;
  });
  return o;
}

Outcome pooling(Draw& d) {
  Random& r = d.random;
  const std::int64_t k = r.range(1, 3), s = r.range(1, 3), p = r.range(0, k / 2), n = r.range(k, 9);
  const bool largest = r.flip();
  const Drawn x = d.tensor({r.range(1, 2), r.range(1, 9), n, n + 1}, d.floating());
  Outcome o{to_string(x.p.shape), largest ? max_pool2d(x.t, k, s, p) : avg_pool2d(x.t, k, s, p),
            Plain(Shape{x.p.shape[0], x.p.shape[1], (n + 2 * p - k) / s + 1,
                        (n + 1 + 2 * p - k) / s + 1}),
            largest ? 0.0 : 12.0, 4};
  every(o.expected.shape, [&](const Index& at) {
    double sum = 0, top = -std::numeric_limits<double>::infinity();
    every(Shape{k, k}, [&](const Index& tap) {
      const std::int64_t i = at[2] * s + tap[0] - p, j = at[3] * s + tap[1] - p;
      if (i < 0 || j < 0 || i >= n || j > n) return;
      const double v = x.p.at({at[0], at[1], i, j});
      sum += v;
      top = std::max(top, v);
    });
    o.expected.at(at) = largest ? top : sum / static_cast<double>(k * k);
  });
  return o;
}

Outcome gathering(Draw& d) {
  Shape from = d.shape(static_cast<int>(d.random.range(1, 3)));
  const int dim = d.dim(from);
  from[dim] = std::max<std::int64_t>(1, from[dim]);
  Shape to = from;
  to[dim] = d.random.range(0, 7);
  const Drawn x = d.tensor(from, d.floating()), index = d.index(to, from[dim]);
  const bool add = d.random.flip();
  const auto moved = [&](const Index& at) {
    Index there = at;
    there[static_cast<std::size_t>(dim)] = static_cast<std::int64_t>(index.p.at(at));
    return there;
  };
  if (!add) {
    Outcome o{to_string(from) + " along " + std::to_string(dim), gather(x.t, dim, index.t),
              Plain(to), 0, 0};
    every(to, [&](const Index& at) { o.expected.at(at) = x.p.at(moved(at)); });
    return o;
  }
  const Drawn src = d.tensor(to, x.t.dtype());
  Outcome o{to_string(from) + " plus along " + std::to_string(dim),
            scatter_add(x.t, dim, index.t, src.t), x.p, 16, 16};
  every(to, [&](const Index& at) { o.expected.at(moved(at)) += src.p.at(at); });
  return o;
}

}  // namespace

void add_structured_ops(Ops& ops) {
  ops.emplace_back("matmul", product);
  ops.emplace_back("conv2d", convolution);
  ops.emplace_back("pooling", pooling);
  ops.emplace_back("gather, scatter_add", gathering);
}

}  // namespace gradus::oracle::fuzz
