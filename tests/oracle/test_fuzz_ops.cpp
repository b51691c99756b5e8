// Ops of the fuzzer, each with its loop: pointwise ones, reductions, and ops along one dimension.
#include <algorithm>
#include <cmath>
#include <limits>

#include "gradus/autograd/functions.h"
#include "gradus/tests/oracle/fuzz.h"

namespace gradus::oracle::fuzz {
namespace {

using Index = std::vector<std::int64_t>;
constexpr double infinity = std::numeric_limits<double>::infinity();

template <class F>
Op unary(Tensor (*ours)(const Tensor&), F loop, double low, double high) {
  return [=](Draw& d) {
    const Drawn x = d.tensor(d.shape(), d.floating(), low, high);
    Outcome o{to_string(x.t.shape()), ours(x.t), Plain(x.p.shape), 6, 0};
    std::transform(x.p.v.begin(), x.p.v.end(), o.expected.v.begin(), loop);
    return o;
  };
}

template <class F>
Op binary(Tensor (*ours)(const Tensor&, const Tensor&), F loop) {
  return [=](Draw& d) {
    const Dtype dtype = d.floating();
    Shape whole = d.shape(), part;  // the second operand lacks or stretches dimensions
    const int from = static_cast<int>(d.random.range(0, whole.size()));
    for (int i = from; i < whole.size(); ++i) part.push_back(d.random.flip() ? 1 : whole[i]);
    Drawn a = d.tensor(whole, dtype), b = d.tensor(part, dtype);
    if (d.random.flip()) std::swap(a, b);
    const Shape shape = broadcast_shapes("fuzz", a.p.shape, b.p.shape);
    Outcome o{to_string(a.p.shape) + " and " + to_string(b.p.shape), ours(a.t, b.t), Plain(shape),
              2, 0};
    std::size_t i = 0;
    every(shape, [&](const Index& at) {
      o.expected.v[i++] = loop(broadcast(a.p, at), broadcast(b.p, at));
    });
    return o;
  };
}

/// Groups of the elements that a reduction joins, each in row-major order.
struct Groups {
  Shape out;
  std::vector<std::vector<double>> members;
};
Groups grouped(const Plain& x, const std::vector<bool>& over, bool keepdim) {
  Groups g;
  Shape kept;
  for (int d = 0; d < x.shape.size(); ++d) {
    const bool gone = over[static_cast<std::size_t>(d)];
    kept.push_back(gone ? 1 : x.shape[d]);
    if (!gone || keepdim) g.out.push_back(kept[d]);
  }
  g.members.resize(static_cast<std::size_t>(kept.numel()));
  every(x.shape, [&](const Index& at) {
    std::int64_t place = 0;
    for (int d = 0; d < kept.size(); ++d)
      place = place * kept[d] + (kept[d] == 1 ? 0 : at[static_cast<std::size_t>(d)]);
    g.members[static_cast<std::size_t>(place)].push_back(x.at(at));
  });
  return g;
}

template <class Ours, class F>
Op reduction(Ours ours, F loop, double roundings, bool of_nothing = true) {
  return [=](Draw& d) {
    const Drawn x = d.tensor(d.shape(static_cast<int>(d.random.range(1, 4))), d.floating());
    std::vector<bool> over(static_cast<std::size_t>(x.p.shape.size()), false);
    std::vector<int> dims;
    for (int k = 0; k < x.p.shape.size(); ++k) {
      if (!d.random.flip()) continue;
      over[static_cast<std::size_t>(k)] = true;
      dims.push_back(d.random.flip() ? k : k - x.p.shape.size());
    }
    if (dims.empty()) over.assign(over.size(), true);
    const bool keepdim = d.random.flip();
    const Groups g = grouped(x.p, over, keepdim);
    std::int64_t n = 1;
    for (int k = 0; k < x.p.shape.size(); ++k)
      n *= over[static_cast<std::size_t>(k)] ? x.p.shape[k] : 1;
    if (n == 0 && !of_nothing) return Outcome{"nothing", ones({1}), Plain(Shape{1}, 1)};
    Outcome o{to_string(x.p.shape) + (keepdim ? " kept" : ""), ours(x.t, Dims(dims), keepdim),
              Plain(g.out), roundings * std::sqrt(static_cast<double>(n)) + roundings, 4};
    std::transform(g.members.begin(), g.members.end(), o.expected.v.begin(), loop);
    return o;
  };
}

using Members = const std::vector<double>&;
double total(Members m) {
  double s = 0;
  for (double v : m) s += v;
  return s;
}
double variance(Members m) {
  const double n = static_cast<double>(m.size()), mean = total(m) / n;
  double s = 0;
  for (double v : m) s += (v - mean) * (v - mean);
  return s / n;
}

/// Along one dimension of x: the loop sees each line and gives it back changed.
template <class Ours, class F>
Op lines(Ours ours, F loop, double roundings) {
  return [=](Draw& d) {
    const Drawn x = d.tensor(d.shape(static_cast<int>(d.random.range(1, 4))), d.floating());
    const int dim = d.dim(x.p.shape);
    Outcome o{to_string(x.p.shape) + " along " + std::to_string(dim), ours(x.t, dim), x.p,
              roundings, 0};
    if (x.p.v.empty()) return o;
    Shape starts = x.p.shape;
    starts[dim] = 1;
    every(starts, [&](const Index& start) {
      std::vector<double> line;
      Index at = start;
      const auto k = static_cast<std::size_t>(dim);
      for (at[k] = 0; at[k] < x.p.shape[dim]; ++at[k]) line.push_back(x.p.at(at));
      loop(line);
      for (at[k] = 0; at[k] < x.p.shape[dim]; ++at[k])
        o.expected.at(at) = line[static_cast<std::size_t>(at[k])];
    });
    return o;
  };
}

void exponentials(std::vector<double>& line) {
  const double top = *std::max_element(line.begin(), line.end());
  double sum = 0;
  for (double& v : line) sum += v = std::exp(v - top);
  for (double& v : line) v /= sum;
}

}  // namespace

void add_simple_ops(Ops& ops) {
  using T = const Tensor&;
  using D = const Dims&;
  using Line = std::vector<double>&;
  const auto fold = [](auto join, double start) {
    return [=](Members m) {
      double y = start;
      for (double v : m) y = join(y, v);
      return y;
    };
  };
  const auto larger = [](double a, double b) { return std::max(a, b); };
  const auto smaller = [](double a, double b) { return std::min(a, b); };
  const Ops simple = {
      {"exp", unary(
                  exp, [](double v) { return std::exp(v); }, -4, 4)},
      {"log", unary(
                  log, [](double v) { return std::log(v); }, 0.01, 9)},
      {"tanh", unary(
                   tanh, [](double v) { return std::tanh(v); }, -4, 4)},
      {"erf", unary(
                  erf, [](double v) { return std::erf(v); }, -4, 4)},
      {"sqrt", unary(
                   sqrt, [](double v) { return std::sqrt(v); }, 0, 9)},
      {"abs", unary(
                  abs, [](double v) { return std::abs(v); }, -4, 4)},
      {"relu", unary(
                   relu, [](double v) { return std::max(v, 0.0); }, -4, 4)},
      {"sigmoid", unary(
                      sigmoid, [](double v) { return 1 / (1 + std::exp(-v)); }, -9, 9)},
      {"round", unary(
                    round, [](double v) { return std::nearbyint(v); }, -9, 9)},
      {"add", binary(add, [](double a, double b) { return a + b; })},
      {"sub", binary(sub, [](double a, double b) { return a - b; })},
      {"mul", binary(mul, [](double a, double b) { return a * b; })},
      {"maximum", binary(maximum, larger)},
      {"minimum", binary(minimum, smaller)},
      {"less", binary(lt, [](double a, double b) { return a < b ? 1.0 : 0.0; })},
      {"equal", binary(eq, [](double a, double b) { return a == b ? 1.0 : 0.0; })},
      {"sum", reduction([](T x, D d, bool k) { return sum(x, d, k); }, total, 4)},
      {"mean", reduction([](T x, D d, bool k) { return mean(x, d, k); },
                         [](Members m) { return total(m) / static_cast<double>(m.size()); }, 4)},
      {"var", reduction([](T x, D d, bool k) { return var(x, d, 0, k); }, variance, 8, false)},
      {"amax", reduction([](T x, D d, bool k) { return amax(x, d, k); }, fold(larger, -infinity), 0,
                         false)},
      {"amin", reduction([](T x, D d, bool k) { return amin(x, d, k); }, fold(smaller, infinity), 0,
                         false)},
      {"logsumexp", reduction([](T x, D d, bool k) { return logsumexp(x, d, k); },
                              [](Members m) {
                                double s = 0;
                                for (double v : m) s += std::exp(v);
                                return std::log(s);
                              },
                              8)},
      {"softmax", lines([](T x, int d) { return softmax(x, d); }, exponentials, 16)},
      {"log_softmax", lines([](T x, int d) { return log_softmax(x, d); },
                            [](Line line) {
                              exponentials(line);
                              for (double& v : line) v = std::log(v);
                            },
                            16)},
      {"cumsum", lines([](T x, int d) { return cumsum(x, d); },
                       [](Line line) {
                         for (std::size_t i = 1; i < line.size(); ++i) line[i] += line[i - 1];
                       },
                       40)},
      {"flip", lines([](T x, int d) { return flip(x, d); },
                     [](Line line) { std::reverse(line.begin(), line.end()); }, 0)},
      {"sort", lines([](T x, int d) { return sort(x, d).values; },
                     [](Line line) { std::sort(line.begin(), line.end()); }, 0)},
      {"roll", lines([](T x, int d) { return roll(x, 2, d); },
                     [](Line line) {
                       const auto n = static_cast<std::ptrdiff_t>(line.size());
                       std::rotate(line.begin(), line.begin() + (n - 2 % n) % n, line.end());
                     },
                     0)},
  };
  ops.insert(ops.end(), simple.begin(), simple.end());
}

}  // namespace gradus::oracle::fuzz
