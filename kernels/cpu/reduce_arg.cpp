// Where the largest and the smallest elements are.
#include "gradus/kernels/cpu/reduce_fold.h"
#include "gradus/kernels/create.h"
#include "gradus/kernels/reduce.h"

namespace gradus::cpu {
namespace {

/// Does b come before a? NaN before all numbers, the first of equals stays.
template <bool largest, class T>
GRADUS_MATH bool better(T b, T a) {
  const bool b_wins = largest ? b > a : b < a;
  return (a == a) & (b_wins | (b != b));
}

template <bool largest, class T>
std::int64_t arg_of_run(const T* x, std::int64_t n) {
  using Op = std::conditional_t<largest, fold::Max, fold::Min>;
  for (std::int64_t begin = 0, best = 0;;
       begin += fold::piece) {  // pieces: the extreme, then where
    const std::int64_t m = std::min(fold::piece, n - begin);
    const T extreme = fold::run<Op>(x + begin, m);
    if (begin == 0 || better<largest>(extreme, x[best])) {
      for (best = begin; x[best] != extreme && x[best] == x[best];) ++best;
    }
    if (begin + m == n) return best;
  }
}

template <bool largest, class T>
void arg_of_columns(const T* x, std::int64_t n, std::int64_t stride, std::int64_t width,
                    std::int64_t* y) {
  T best[fold::panel];
  for (std::int64_t j = 0; j < width; ++j) {
    best[j] = x[j];
    y[j] = 0;
  }
  for (std::int64_t r = 1; r < n; ++r) {
    x += stride;
    for (std::int64_t j = 0; j < width; ++j) {
      const T v = x[j];
      const bool wins = better<largest>(v, best[j]);
      best[j] = wins ? v : best[j];
      y[j] = wins ? r : y[j];
    }
  }
}

template <bool largest>
void arg_extreme(const Tensor& input, int dim, const Tensor& y) {
  const Tensor x = fold::prepared(input);
  const Shape& shape = x.shape();
  std::int64_t outer = 1, inner = 1;
  for (int i = 0; i < dim; ++i) outer *= shape[i];
  for (int i = dim + 1; i < x.dim(); ++i) inner *= shape[i];
  const std::int64_t n = x.dim() == 0 ? 1 : shape[dim], panels = (inner - 1) / fold::panel + 1;
  std::int64_t* to = y.data<std::int64_t>();
  if (y.numel() == 0) return;
  fold::visit_prepared(x, [&]<class T> {
    const T* from = x.data<T>();
    const std::int64_t work = n * std::min(inner, fold::panel);
    parallel_for(outer * panels, 1 + pointwise_grain / work,
                 [&](std::int64_t begin, std::int64_t end) {
                   for (std::int64_t k = begin; k < end; ++k) {
                     const std::int64_t o = k / panels, c = k % panels * fold::panel;
                     const T* start = from + o * n * inner + c;
                     if (inner == 1)
                       to[o] = arg_of_run<largest>(start, n);
                     else
                       arg_of_columns<largest>(start, n, inner, std::min(fold::panel, inner - c),
                                               to + o * inner + c);
                   }
                 });
  });
}

}  // namespace

void arg_max(const Tensor& x, int dim, const Tensor& y) { arg_extreme<true>(x, dim, y); }
void arg_min(const Tensor& x, int dim, const Tensor& y) { arg_extreme<false>(x, dim, y); }

}  // namespace gradus::cpu
