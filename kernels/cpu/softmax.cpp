#include "gradus/kernels/softmax.h"

#include "gradus/kernels/cpu/lanes.h"
#include "gradus/tensor/parallel.h"

namespace gradus::cpu {
namespace {

/// Rows a chunk: an exponential costs about as much as eight simple operations.
std::int64_t rows_a_chunk(std::int64_t n) {
  return std::max<std::int64_t>(1, pointwise_grain / 8 / std::max<std::int64_t>(1, n));
}

template <class T>
void softmax_row(const T* x, std::int64_t n, T* y) {
  using C = compute_t<T>;
  const C m = max_row<C>(x, n);
  if constexpr (std::is_same_v<T, C>) {
    const C sum = sum_exp_row(x, n, m, [y](std::int64_t i, const C* v, int used) {
      for (int j = 0; j < used; ++j) y[i + j] = v[j];
    });
    for (std::int64_t i = 0; i < n; ++i) y[i] /= sum;
  } else {  // the exponentials would be rounded twice: compute them again
    const C sum = sum_exp_row(x, n, m);
    map_row(x, y, n, [m, sum](C v) { return math::exp(v - m) / sum; });
  }
}

template <class T>
void log_softmax_row(const T* x, std::int64_t n, T* y) {
  using C = compute_t<T>;
  const C m = max_row<C>(x, n), log_sum = math::log(sum_exp_row(x, n, m));
  map_row(x, y, n, [m, log_sum](C v) { return (v - m) - log_sum; });
}

template <class T>
void softmax_backward_row(const T* y, const T* dy, std::int64_t n, T* dx) {
  using C = compute_t<T>;
  const C dot = sum_row<C>(n, [=](std::int64_t i) { return C(y[i]) * C(dy[i]); });
  for (std::int64_t i = 0; i < n; ++i) dx[i] = T(C(y[i]) * (C(dy[i]) - dot));
}

template <class T>
void log_softmax_backward_row(const T* y, const T* dy, std::int64_t n, T* dx) {
  using C = compute_t<T>;
  const C sum = sum_row<C>(dy, n);
  map_row(
      y, dx, n, [sum](C v) { return math::exp(v) * sum; },
      [dy](std::int64_t i, C v) { return C(dy[i]) - v; });
}

}  // namespace

void softmax(const Tensor& x, bool log, const Tensor& y) {
  if (x.numel() == 0) return;
  const std::int64_t n = x.dim() == 0 ? 1 : x.shape().back();
  visit_floating(x.dtype(), log ? "log_softmax" : "softmax", [&]<class T> {
    const T* from = static_cast<const T*>(x.data());
    T* to = static_cast<T*>(y.data());
    parallel_for(x.numel() / n, rows_a_chunk(n), [=](std::int64_t begin, std::int64_t end) {
      for (std::int64_t r = begin; r < end; ++r) {
        if (log)
          log_softmax_row(from + r * n, n, to + r * n);
        else
          softmax_row(from + r * n, n, to + r * n);
      }
    });
  });
}

void softmax_backward(const Tensor& y, const Tensor& dy, bool log, const Tensor& dx) {
  if (y.numel() == 0) return;
  const std::int64_t n = y.dim() == 0 ? 1 : y.shape().back();
  visit_floating(y.dtype(), log ? "log_softmax" : "softmax", [&]<class T> {
    const T* out = static_cast<const T*>(y.data());
    const T* d = static_cast<const T*>(dy.data());
    T* to = static_cast<T*>(dx.data());
    parallel_for(y.numel() / n, rows_a_chunk(n), [=](std::int64_t begin, std::int64_t end) {
      for (std::int64_t r = begin; r < end; ++r) {
        if (log)
          log_softmax_backward_row(out + r * n, d + r * n, n, to + r * n);
        else
          softmax_backward_row(out + r * n, d + r * n, n, to + r * n);
      }
    });
  });
}

}  // namespace gradus::cpu
