// Fourier transforms as recorded ops: Cooley and Tukey's halving down to a short or odd length,
// which is a product with the transform's matrix.
#include "gradus/autograd/functions/fourier.h"

#include <cmath>
#include <numbers>
#include <vector>

#include "gradus/autograd/functions.h"

namespace gradus {
namespace {

struct Complex {
  Tensor re, im;  // im: undefined for zeros
};

/// cos and sin of -2 pi j / n for the given j, as x has them.
Complex roots(const std::vector<std::int64_t>& j, std::int64_t n, const Shape& shape,
              const Tensor& like) {
  std::vector<double> re, im;
  for (const std::int64_t k : j) {
    const double angle =
        -2 * std::numbers::pi * static_cast<double>(k % n) / static_cast<double>(n);
    re.push_back(std::cos(angle));
    im.push_back(std::sin(angle));
  }
  const auto made = [&](const std::vector<double>& v) {
    return from_data(v.data(), shape, {Dtype::f64}).to(like.dtype()).to(like.device());
  };
  return {made(re), made(im)};
}

template <class Product>
Complex times(const Complex& a, const Complex& b, Product&& product) {
  if (!a.im) return {product(a.re, b.re), product(a.re, b.im)};
  return {product(a.re, b.re) - product(a.im, b.im), product(a.re, b.im) + product(a.im, b.re)};
}

/// Along the last dimension.
Complex transform(const Complex& x) {
  const std::int64_t n = x.re.size(-1);
  constexpr std::int64_t longest_product = 32;
  if (n % 2 != 0 || n <= longest_product) {
    std::vector<std::int64_t> j;
    for (std::int64_t i = 0; i < n; ++i)
      for (std::int64_t k = 0; k < n; ++k) j.push_back(i * k % n);
    return times(x, roots(j, n, {n, n}, x.re),
                 [](const Tensor& a, const Tensor& b) { return matmul(a, b); });
  }
  const auto half = [&](std::int64_t start) {
    const auto every_second = [&](const Tensor& t) { return t ? t.slice(-1, start, n, 2) : t; };
    return transform({every_second(x.re), every_second(x.im)});
  };
  std::vector<std::int64_t> j;
  for (std::int64_t k = 0; k < n / 2; ++k) j.push_back(k);
  const Complex even = half(0);
  const Complex odd = times(half(1), roots(j, n, {n / 2}, x.re),
                            [](const Tensor& a, const Tensor& b) { return mul(a, b); });
  return {cat({even.re + odd.re, even.re - odd.re}, -1),
          cat({even.im + odd.im, even.im - odd.im}, -1)};
}

/// What a result is divided by; `inverse` swaps "backward" and "forward".
double divisor(const char* op, std::string_view norm, std::int64_t n, bool inverse) {
  check(norm == "backward" || norm == "ortho" || norm == "forward", ErrorKind::argument, op,
        ": norm is \"backward\", \"ortho\" or \"forward\", got \"", norm, "\"");
  if (norm == "ortho") return std::sqrt(static_cast<double>(n));
  return (norm == "backward") == inverse ? static_cast<double>(n) : 1;
}

/// The last dimension cut or filled with zeros.
Tensor of_length(const Tensor& x, std::int64_t n) {
  return x.size(-1) == n ? x : pad(x, {0, n - x.size(-1)});
}

}  // namespace

Tensor rfft(const Tensor& input, std::optional<std::int64_t> length, int dim,
            std::string_view norm) {
  constexpr auto op = "rfft";
  check(input.dim() > 0, ErrorKind::shape, op, ": a 0-dim tensor has no dimension to transform");
  const int d = wrap_dim(op, dim, input.dim());
  Tensor x = input.is_floating() ? input : input.to(Dtype::f32);
  check(!is_half(x.dtype()), ErrorKind::dtype, op, ": expected f32 or f64, got ", x.dtype());
  const std::int64_t n = length.value_or(x.size(d));
  check(n > 0, ErrorKind::argument, op, ": a length of ", n);
  x = of_length(x.movedim(d, -1), n);
  const Complex y = transform({x, {}});
  const double by = divisor(op, norm, n, false);
  const Tensor pairs = stack({y.re.narrow(-1, 0, n / 2 + 1), y.im.narrow(-1, 0, n / 2 + 1)}, -1);
  return (by == 1 ? pairs : pairs / by).movedim(-2, d);
}

Tensor irfft(const Tensor& input, std::optional<std::int64_t> length, int dim,
             std::string_view norm) {
  constexpr auto op = "irfft";
  check(input.dim() > 1 && input.size(-1) == 2, ErrorKind::shape, op,
        ": expected pairs (..., 2), got ", input.shape());
  check(input.dtype() == Dtype::f32 || input.dtype() == Dtype::f64, ErrorKind::dtype, op,
        ": expected f32 or f64, got ", input.dtype());
  const int d = wrap_dim(op, dim, input.dim() - 1);
  const std::int64_t n = length.value_or(2 * (input.size(d) - 1));
  check(n > 0, ErrorKind::argument, op, ": a length of ", n);
  const std::int64_t m = n / 2 + 1, mirrored = n - m;  // X[n - k] is the conjugate of X[k]
  const auto part = [&](int which) { return of_length(input.select(-1, which).movedim(d, -1), m); };
  const Tensor re = part(0), im = part(1);
  std::vector<double> known(static_cast<std::size_t>(m), 1);
  known[0] = 0;
  if (n % 2 == 0) known.back() = 0;
  const Tensor own = im * from_data(known.data(), {m}, {Dtype::f64}).to(im.dtype()).to(im.device());
  // The real part of the inverse transform is that of the transform of the conjugate.
  const Complex x = {cat({re, flip(re.narrow(-1, 1, mirrored), -1)}, -1),
                     cat({-own, flip(own.narrow(-1, 1, mirrored), -1)}, -1)};
  const double by = divisor(op, norm, n, true);
  const Tensor y = transform(x).re;
  return (by == 1 ? y : y / by).movedim(-1, d);
}

}  // namespace gradus
