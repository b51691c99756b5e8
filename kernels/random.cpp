// The parts of random creation that are the same for every device.
#include "gradus/kernels/random.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "gradus/kernels/create.h"

namespace gradus {
namespace {

Draw draw_from(Generator* generator, const Shape& shape) {
  return generator != nullptr ? generator->next() : next_draw(Stream::user, shape);
}

/// A new tensor filled by `fill(contiguous tensor, draw)`.
template <class Fill>
Tensor make(const Shape& shape, TensorOptions options, Generator* generator, Fill&& fill) {
  Tensor t = empty(shape, {options.dtype, options.device, false});
  fill(t, draw_from(generator, shape));
  if (options.requires_grad) t.set_requires_grad(true);
  return t;
}

/// Fills `t`, through a row-major copy if its memory lies otherwise.
template <class Fill>
void fill_any(const Tensor& t, Fill&& fill) {
  if (t.is_contiguous()) return fill(t);
  const Tensor values = empty(t.shape(), t.options());
  fill(values);
  copy_into(values, t);
}

Tensor rand_from(const Shape& shape, TensorOptions options, Generator* g) {
  return make(shape, options, g, [](const Tensor& t, const Draw& d) { fill_uniform(t, 0, 1, d); });
}

Tensor randn_from(const Shape& shape, TensorOptions options, Generator* g) {
  return make(shape, options, g, [](const Tensor& t, const Draw& d) { fill_normal(t, 0, 1, d); });
}

Tensor randint_from(std::int64_t low, std::int64_t high, const Shape& shape, TensorOptions options,
                    Generator* g) {
  check(low < high, ErrorKind::argument, "randint: nothing lies between ", low, " and ", high);
  const std::uint64_t range = static_cast<std::uint64_t>(high) - static_cast<std::uint64_t>(low);
  return make(shape, options, g, [&](const Tensor& t, const Draw& d) {
    dispatch<cpu::integers, cuda::integers>(t.device(), d, low, range, t);
  });
}

/// Sorts random 63-bit keys; equal ones stay in order.
Tensor randperm_from(std::int64_t n, TensorOptions options, Generator* g) {
  check(n >= 0, ErrorKind::argument, "randperm: expected n >= 0, got ", n);
  const Tensor keys = empty({n}, {Dtype::i64});
  cpu::integers(draw_from(g, {}), 0, std::uint64_t{1} << 63, keys);
  std::vector<std::int64_t> order(static_cast<std::size_t>(n));
  std::iota(order.begin(), order.end(), 0);
  const std::int64_t* key = keys.data<std::int64_t>();
  std::sort(order.begin(), order.end(), [&](std::int64_t a, std::int64_t b) {
    return key[a] != key[b] ? key[a] < key[b] : a < b;
  });
  const Tensor host = from_data(order.data(), {n}, {Dtype::i64});
  Tensor t = empty({n}, {options.dtype, options.device});
  copy_into(as_dtype(host, options.dtype), t);
  return t;
}

Tensor bernoulli_from(const Tensor& p, Generator* g) {
  const Tensor rows = as_contiguous(p.detach());
  Tensor y = empty(p.shape(), p.options());
  dispatch<cpu::bernoulli, cuda::bernoulli>(p.device(), draw_from(g, p.shape()), rows, y);
  return y;
}

/// Indices of the row's weights, `samples` times, each by one uniform value on the running sum.
void with_replacement(const double* weight, std::int64_t n, const double* u, std::int64_t samples,
                      std::int64_t* out) {
  std::vector<double> sums(static_cast<std::size_t>(n));
  std::partial_sum(weight, weight + n, sums.begin());
  for (std::int64_t i = 0; i < samples; ++i) {
    const double at = u[i] * sums.back();
    std::int64_t k = std::upper_bound(sums.begin(), sums.end(), at) - sums.begin();
    if (k == n) {  // rounding reached the sum: the last index that has a weight
      while (weight[--k] == 0) continue;
    }
    out[i] = k;
  }
}

/// A race: index i arrives after an exponential time with rate weight[i]; the first ones are taken.
void without_replacement(const double* weight, std::int64_t n, const double* u,
                         std::int64_t samples, std::int64_t* out) {
  std::vector<std::pair<double, std::int64_t>> arrivals;
  for (std::int64_t i = 0; i < n; ++i) {
    if (weight[i] > 0) arrivals.emplace_back(-std::log1p(-u[i]) / weight[i], i);
  }
  check(static_cast<std::int64_t>(arrivals.size()) >= samples, ErrorKind::argument,
        "multinomial: ", samples, " samples without replacement from ", arrivals.size(),
        " positive weights");
  std::partial_sort(arrivals.begin(), arrivals.begin() + samples, arrivals.end());
  for (std::int64_t i = 0; i < samples; ++i) out[i] = arrivals[static_cast<std::size_t>(i)].second;
}

Tensor multinomial_from(const Tensor& weights, std::int64_t samples, bool replacement,
                        Generator* g) {
  check(weights.dim() == 1 || weights.dim() == 2, ErrorKind::shape,
        "multinomial: expected weights (N) or (B, N), got ", weights.shape());
  check(samples > 0, ErrorKind::argument, "multinomial: expected samples >= 1, got ", samples);
  const std::int64_t n = weights.shape().back(), rows = weights.dim() == 2 ? weights.size(0) : 1;
  const std::vector<double> w = weights.detach().to_vector<double>();
  const std::int64_t width = replacement ? samples : n;
  const Tensor u = empty({rows, width}, {Dtype::f64});
  cpu::uniform(draw_from(g, weights.dim() == 2 ? u.shape() : Shape{}), 0, 1, u);
  Tensor y = empty(weights.dim() == 2 ? Shape{rows, samples} : Shape{samples}, {Dtype::i64});
  for (std::int64_t row = 0; row < rows; ++row) {
    const double* weight = w.data() + row * n;
    double sum = 0;
    for (std::int64_t i = 0; i < n; ++i) {
      check(weight[i] >= 0 && std::isfinite(weight[i]), ErrorKind::argument, "multinomial: weight ",
            i, " of row ", row, " is ", weight[i]);
      sum += weight[i];
    }
    check(sum > 0, ErrorKind::argument, "multinomial: the weights of row ", row, " sum to ", sum);
    const auto draw_row = replacement ? with_replacement : without_replacement;
    draw_row(weight, n, u.data<double>() + row * width, samples,
             y.data<std::int64_t>() + row * samples);
  }
  Tensor result = empty(y.shape(), {Dtype::i64, weights.device()});
  copy_into(y, result);
  return result;
}

}  // namespace

void fill_uniform(const Tensor& t, double low, double high, const Draw& draw) {
  check(low <= high && std::isfinite(high - low), ErrorKind::argument,
        "uniform: no values between ", low, " and ", high);
  fill_any(t, [&](const Tensor& y) {
    dispatch<cpu::uniform, cuda::uniform>(y.device(), draw, low, high, y);
  });
}

void fill_normal(const Tensor& t, double mean, double deviation, const Draw& draw) {
  check(deviation >= 0, ErrorKind::argument, "normal: expected a deviation >= 0, got ", deviation);
  fill_any(t, [&](const Tensor& y) {
    dispatch<cpu::normal, cuda::normal>(y.device(), draw, mean, deviation, y);
  });
}

void fill_trunc_normal(const Tensor& t, double mean, double deviation, double low, double high,
                       const Draw& draw) {
  check(deviation > 0 && low < high, ErrorKind::argument, "trunc_normal: deviation ", deviation,
        ", bounds ", low, " and ", high);
  fill_any(t, [&](const Tensor& y) {
    dispatch<cpu::trunc_normal, cuda::trunc_normal>(y.device(), draw, mean, deviation, low, high,
                                                    y);
  });
}

Tensor rand(const Shape& shape, TensorOptions options) {
  return rand_from(shape, options, nullptr);
}
Tensor rand(const Shape& shape, TensorOptions options, Generator& g) {
  return rand_from(shape, options, &g);
}
Tensor randn(const Shape& shape, TensorOptions options) {
  return randn_from(shape, options, nullptr);
}
Tensor randn(const Shape& shape, TensorOptions options, Generator& g) {
  return randn_from(shape, options, &g);
}
Tensor randint(std::int64_t low, std::int64_t high, const Shape& shape, TensorOptions options) {
  return randint_from(low, high, shape, options, nullptr);
}
Tensor randint(std::int64_t low, std::int64_t high, const Shape& shape, TensorOptions options,
               Generator& g) {
  return randint_from(low, high, shape, options, &g);
}
Tensor randperm(std::int64_t n, TensorOptions options) {
  return randperm_from(n, options, nullptr);
}
Tensor randperm(std::int64_t n, TensorOptions options, Generator& g) {
  return randperm_from(n, options, &g);
}
Tensor rand_like(const Tensor& t) { return rand(t.shape(), t.options()); }
Tensor randn_like(const Tensor& t) { return randn(t.shape(), t.options()); }
Tensor bernoulli(const Tensor& p) { return bernoulli_from(p, nullptr); }
Tensor bernoulli(const Tensor& p, Generator& g) { return bernoulli_from(p, &g); }
Tensor multinomial(const Tensor& weights, std::int64_t samples, bool replacement) {
  return multinomial_from(weights, samples, replacement, nullptr);
}
Tensor multinomial(const Tensor& weights, std::int64_t samples, bool replacement, Generator& g) {
  return multinomial_from(weights, samples, replacement, &g);
}

}  // namespace gradus
