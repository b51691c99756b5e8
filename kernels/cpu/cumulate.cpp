// Running sums and products, and the gradients of products: chains along one dimension.
#include "gradus/kernels/cpu/reduce_fold.h"
#include "gradus/kernels/prod_gradient.h"
#include "gradus/kernels/reduce.h"

namespace gradus::cpu {
namespace {

/// y[o][i][j] = y[o][i - 1][j] op x[o][i][j]; `reverse` goes from the end.
template <class F>
void scan(const Tensor& input, int dim, bool reverse, const Tensor& output, F op) {
  const Tensor x = fold::prepared(input);
  if (x.numel() == 0) return;
  const bool direct = output.dtype() == x.dtype() && output.is_contiguous();
  const Tensor y = direct ? output : empty(x.shape(), x.options());
  std::int64_t outer = 1, inner = 1;
  for (int i = 0; i < dim; ++i) outer *= x.shape()[i];
  for (int i = dim + 1; i < x.dim(); ++i) inner *= x.shape()[i];
  const std::int64_t n = x.numel() / (outer * inner), step = reverse ? -inner : inner;
  fold::visit_prepared(x, [&]<class T> {
    const T* from = x.data<T>();
    T* to = y.data<T>();
    const auto columns = [&](std::int64_t first, std::int64_t w) {
      T acc[fold::panel];
      std::copy_n(from + first, w, acc);
      std::copy_n(acc, w, to + first);
      for (std::int64_t i = 1, at = first + step; i < n; ++i, at += step) {
        for (std::int64_t j = 0; j < w; ++j) {
          acc[j] = static_cast<T>(op(acc[j], from[at + j]));
          to[at + j] = acc[j];
        }
      }
    };
    parallel_for(outer, 1 + pointwise_grain / (n * inner),
                 [&](std::int64_t begin, std::int64_t end) {
                   for (std::int64_t o = begin; o < end; ++o) {
                     const std::int64_t first = (o * n + (reverse ? n - 1 : 0)) * inner;
                     for (std::int64_t c = 0; c < inner; c += fold::panel) {
                       columns(first + c, std::min(fold::panel, inner - c));
                     }
                   }
                 });
  });
  if (!direct) copy(y, output);
}

/// Calls f(row, n) of T for each row of x.
template <class F>
void each_row(const char* op, const Tensor& x, F f) {
  const std::int64_t rows = x.shape()[0], n = x.shape()[1];
  visit_floating(x.dtype(), op, [&]<class T> {
    parallel_for(rows, 1 + pointwise_grain / (n + 1), [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t r = begin; r < end; ++r) f.template operator()<T>(r, n);
    });
  });
}

}  // namespace

void cumulative_sum(const Tensor& x, int dim, bool reverse, const Tensor& y) {
  scan(x, dim, reverse, y, [](auto a, auto b) { return a + b; });
}

void cumulative_prod(const Tensor& x, int dim, const Tensor& y) {
  scan(x, dim, false, y, [](auto a, auto b) { return a * b; });
}

void prod_backward(const Tensor& x, const Tensor& dy, const Tensor& dx) {
  each_row("prod", x, [&]<class T>(std::int64_t r, std::int64_t n) {
    prod_gradient<T>(x.data<T>() + r * n, compute_t<T>(dy.data<T>()[r]), n, dx.data<T>() + r * n);
  });
}

void cumulative_prod_backward(const Tensor& x, const Tensor& dy, const Tensor& dx) {
  each_row("cumprod", x, [&]<class T>(std::int64_t r, std::int64_t n) {
    cumulative_prod_gradient<T>(x.data<T>() + r * n, dy.data<T>() + r * n, n, dx.data<T>() + r * n);
  });
}

}  // namespace gradus::cpu
