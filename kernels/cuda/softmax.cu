// Softmax along rows: a block for each row, which it reads twice or three times, out of the cache
// but for the first: maximum, sum of exponentials, result.
#include "gradus/kernels/cuda/rows.cuh"
#include "gradus/kernels/softmax.h"

namespace gradus::cuda {
namespace {

template <bool log, int threads, class T>
__global__ void __launch_bounds__(threads) softmax_rows(const T* x, std::int64_t n, T* y) {
  using C = compute_t<T>;
  x += std::int64_t{blockIdx.x} * n;
  y += std::int64_t{blockIdx.x} * n;
  const C m = row_max<threads>(x, n);
  const C sum = row_sum<threads, C>(n, [&](std::int64_t i) { return math::exp(C(x[i]) - m); });
  if constexpr (log) {
    const C log_sum = math::log(sum);
    each_in_row<threads>(n, [&](std::int64_t i) { y[i] = T((C(x[i]) - m) - log_sum); });
  } else {
    each_in_row<threads>(n, [&](std::int64_t i) { y[i] = T(math::exp(C(x[i]) - m) / sum); });
  }
}

template <bool log, int threads, class T>
__global__ void __launch_bounds__(threads)
    softmax_backward_rows(const T* y, const T* dy, std::int64_t n, T* dx) {
  using C = compute_t<T>;
  const std::int64_t begin = std::int64_t{blockIdx.x} * n;
  y += begin;
  dy += begin;
  dx += begin;
  const C sum =
      row_sum<threads, C>(n, [&](std::int64_t i) { return log ? C(dy[i]) : C(y[i]) * C(dy[i]); });
  each_in_row<threads>(n, [&](std::int64_t i) {
    const C d = C(dy[i]), v = C(y[i]);
    dx[i] = T(log ? d - math::exp(v) * sum : v * (d - sum));
  });
}

}  // namespace

void softmax(const Tensor& x, bool log, const Tensor& y) {
  if (x.numel() == 0) return;
  const std::int64_t n = x.dim() == 0 ? 1 : x.shape().back(), rows = x.numel() / n;
  const Stream stream = compute_stream(x.device().index());
  visit_floating(x.dtype(), log ? "log_softmax" : "softmax", [&]<class T> {
    with_row_threads(n, [&]<int threads> {
      if (log)
        launch<softmax_rows<true, threads, T>>(rows, threads, 0, stream, x.data<T>(), n,
                                               y.data<T>());
      else
        launch<softmax_rows<false, threads, T>>(rows, threads, 0, stream, x.data<T>(), n,
                                                y.data<T>());
    });
  });
}

void softmax_backward(const Tensor& y, const Tensor& dy, bool log, const Tensor& dx) {
  if (y.numel() == 0) return;
  const std::int64_t n = y.dim() == 0 ? 1 : y.shape().back(), rows = y.numel() / n;
  const Stream stream = compute_stream(y.device().index());
  visit_floating(y.dtype(), log ? "log_softmax" : "softmax", [&]<class T> {
    with_row_threads(n, [&]<int threads> {
      if (log)
        launch<softmax_backward_rows<true, threads, T>>(rows, threads, 0, stream, y.data<T>(),
                                                        dy.data<T>(), n, dx.data<T>());
      else
        launch<softmax_backward_rows<false, threads, T>>(rows, threads, 0, stream, y.data<T>(),
                                                         dy.data<T>(), n, dx.data<T>());
    });
  });
}

}  // namespace gradus::cuda
