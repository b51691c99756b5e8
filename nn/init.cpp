#include "gradus/nn/init.h"

#include <cmath>
#include <vector>

#include "gradus/kernels/create.h"
#include "gradus/kernels/random.h"

namespace gradus::nn::init {
namespace {

/// A parameter is not part of any batch: its elements count from 0.
Draw next() { return next_draw(Stream::init, {}); }

const Tensor& written(const Tensor& t) {
  t.bump_version();
  return t;
}

double fan(const Tensor& t, FanMode mode) {
  const Fans f = fans(t);
  return mode == FanMode::fan_in ? f.in : f.out;
}

/// Householder's QR of the (n, m) matrix `a`, n >= m, row-major: on return the first m columns of
/// Q, each with the sign of R's diagonal, which makes Q uniformly distributed if `a` is normal.
void orthonormal_columns(std::vector<double>& a, std::size_t n, std::size_t m) {
  std::vector<double> reflectors,
      signs;  // v_k of length n - k with |v_k|^2 = 2, one after the other
  for (std::size_t k = 0; k < m; ++k) {
    double square = 0;
    for (std::size_t i = k; i < n; ++i) square += a[i * m + k] * a[i * m + k];
    const double head = a[k * m + k], norm = std::sqrt(square);
    const double diagonal = head > 0 ? -norm : norm;  // away from cancellation
    signs.push_back(diagonal < 0 ? -1 : 1);
    const std::size_t at = reflectors.size();
    for (std::size_t i = k; i < n; ++i) reflectors.push_back(a[i * m + k]);
    reflectors[at] -= diagonal;
    const double length = square - head * diagonal;  // |v|^2 / 2
    if (length > 0) {
      for (std::size_t i = at; i < reflectors.size(); ++i) reflectors[i] /= std::sqrt(length);
    }
    for (std::size_t j = k; j < m; ++j) {  // a -= v v' a
      double dot = 0;
      for (std::size_t i = k; i < n; ++i) dot += reflectors[at + i - k] * a[i * m + j];
      for (std::size_t i = k; i < n; ++i) a[i * m + j] -= dot * reflectors[at + i - k];
    }
  }
  for (std::size_t i = 0; i < n; ++i) {
    for (std::size_t j = 0; j < m; ++j) a[i * m + j] = i == j ? signs[j] : 0;
  }
  std::size_t at = reflectors.size();
  for (std::size_t k = m; k-- > 0;) {  // Q = H_0 ... H_m-1 (the identity's columns)
    at -= n - k;
    for (std::size_t j = k; j < m; ++j) {
      double dot = 0;
      for (std::size_t i = k; i < n; ++i) dot += reflectors[at + i - k] * a[i * m + j];
      for (std::size_t i = k; i < n; ++i) a[i * m + j] -= dot * reflectors[at + i - k];
    }
  }
}

}  // namespace

Fans fans(const Tensor& weight) {
  check(weight.dim() >= 2, ErrorKind::shape,
        "init: expected a weight of two or more dimensions, got ", weight.shape());
  double kernel = 1;
  for (int d = 2; d < weight.dim(); ++d) kernel *= static_cast<double>(weight.size(d));
  return {kernel * static_cast<double>(weight.size(1)),
          kernel * static_cast<double>(weight.size(0))};
}

double calculate_gain(std::string_view nonlinearity, double parameter) {
  if (nonlinearity == "relu") return std::sqrt(2.0);
  if (nonlinearity == "leaky_relu") return std::sqrt(2 / (1 + parameter * parameter));
  if (nonlinearity == "tanh") return 5.0 / 3;
  if (nonlinearity == "selu") return 0.75;
  for (std::string_view neutral : {"linear", "conv1d", "conv2d", "conv3d", "conv_transpose1d",
                                   "conv_transpose2d", "conv_transpose3d", "sigmoid"}) {
    if (nonlinearity == neutral) return 1;
  }
  raise(ErrorKind::argument, {"calculate_gain: unknown nonlinearity \"", nonlinearity, "\""});
}

const Tensor& uniform_(const Tensor& t, double low, double high) {
  fill_uniform(t, low, high, next());
  return written(t);
}
const Tensor& normal_(const Tensor& t, double mean, double std) {
  fill_normal(t, mean, std, next());
  return written(t);
}
const Tensor& trunc_normal_(const Tensor& t, double mean, double std, double a, double b) {
  fill_trunc_normal(t, mean, std, a, b, next());
  return written(t);
}
const Tensor& constant_(const Tensor& t, double value) {
  dispatch<cpu::fill, cuda::fill>(t.device(), t, value);
  return written(t);
}
const Tensor& ones_(const Tensor& t) { return constant_(t, 1); }
const Tensor& zeros_(const Tensor& t) { return constant_(t, 0); }

const Tensor& xavier_uniform_(const Tensor& t, double gain) {
  const Fans f = fans(t);
  const double bound = gain * std::sqrt(6 / (f.in + f.out));  // variance of U(-b, b) is b^2 / 3
  return init::uniform_(t, -bound, bound);
}
const Tensor& xavier_normal_(const Tensor& t, double gain) {
  const Fans f = fans(t);
  return init::normal_(t, 0, gain * std::sqrt(2 / (f.in + f.out)));
}
const Tensor& kaiming_uniform_(const Tensor& t, double a, FanMode mode,
                               std::string_view nonlinearity) {
  const double bound = calculate_gain(nonlinearity, a) * std::sqrt(3 / fan(t, mode));
  return t.numel() == 0 ? t : init::uniform_(t, -bound, bound);
}
const Tensor& kaiming_normal_(const Tensor& t, double a, FanMode mode,
                              std::string_view nonlinearity) {
  const double deviation = calculate_gain(nonlinearity, a) / std::sqrt(fan(t, mode));
  return t.numel() == 0 ? t : init::normal_(t, 0, deviation);
}

const Tensor& orthogonal_(const Tensor& t, double gain) {
  check(t.dim() >= 2, ErrorKind::shape, "orthogonal_: expected two or more dimensions, got ",
        t.shape());
  if (t.numel() == 0) return t;
  const std::int64_t rows = t.size(0), columns = t.numel() / rows;
  const bool wide = rows < columns;
  const auto n = static_cast<std::size_t>(wide ? columns : rows);
  const auto m = static_cast<std::size_t>(wide ? rows : columns);
  const Tensor normal =
      empty({static_cast<std::int64_t>(n), static_cast<std::int64_t>(m)}, {Dtype::f64});
  fill_normal(normal, 0, 1, next());
  std::vector<double> q = normal.to_vector<double>();
  orthonormal_columns(q, n, m);
  std::vector<double> values(q.size());
  for (std::size_t i = 0; i < n; ++i) {
    for (std::size_t j = 0; j < m; ++j) values[wide ? j * n + i : i * m + j] = gain * q[i * m + j];
  }
  const Tensor host = from_data(values.data(), t.shape(), {Dtype::f64});
  Tensor moved = empty(t.shape(), {Dtype::f64, t.device()});
  copy_into(host, moved);
  copy_into(moved, t);
  return written(t);
}

}  // namespace gradus::nn::init
