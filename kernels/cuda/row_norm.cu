// Layer norm, RMS norm and group norm: a block for each row. The mean first, then the squares of
// the differences from it, the second time out of the cache.
#include "gradus/kernels/cuda/channel_reduce.cuh"
#include "gradus/kernels/cuda/rows.cuh"
#include "gradus/kernels/norm.h"

namespace gradus::cuda {
namespace {

template <class T>
struct Rows {
  using C = compute_t<T>;
  std::int64_t channels, row_channels, inner, n, count;
  bool centre;
  C eps;
  const T* x;
  const T* weight;  // or null
  C *mean, *rstd;

  Rows(const Tensor& x, const Tensor& weight, const RowNorm& norm, const Tensor& stats)
      : channels(norm.channels),
        row_channels(norm.row_channels),
        inner(norm.inner),
        n(std::max<std::int64_t>(1, norm.row())),  // 0 only where x has no element
        count(x.numel() / n),
        centre(norm.centre),
        eps(static_cast<C>(norm.eps)),
        x(static_cast<const T*>(x.data())),
        weight(weight ? static_cast<const T*>(weight.data()) : nullptr),
        mean(static_cast<C*>(stats.data())),
        rstd(mean + count) {}
  /// The channel of element i of row r.
  __device__ std::int64_t channel(std::int64_t r, std::int64_t i) const {
    const std::int64_t first = r % (channels / row_channels) * row_channels;
    return first + (inner == 1 ? i : i / inner);
  }
  __device__ C weight_of(std::int64_t c) const { return weight != nullptr ? C(weight[c]) : C(1); }
};

template <int threads, class T>
__global__ void __launch_bounds__(threads) norm_rows(Rows<T> rows, const T* bias, T* y) {
  using C = compute_t<T>;
  const std::int64_t r = blockIdx.x, n = rows.n;
  const T* x = rows.x + r * n;
  y += r * n;
  C mean = 0;
  if (rows.centre)
    mean = row_sum<threads, C>(n, [&](std::int64_t i) { return C(x[i]); }) / static_cast<C>(n);
  const C squares = row_sum<threads, C>(n, [&](std::int64_t i) {
    const C d = C(x[i]) - mean;
    return d * d;
  });
  const C rstd = math::rsqrt(squares / static_cast<C>(n) + rows.eps);
  if (threadIdx.x == 0) {
    rows.mean[r] = mean;
    rows.rstd[r] = rstd;
  }
  each_in_row<threads>(n, [&](std::int64_t i) {
    const std::int64_t c = rows.channel(r, i);
    const C v = (C(x[i]) - mean) * rstd * rows.weight_of(c);
    y[i] = T(bias != nullptr ? v + C(bias[c]) : v);
  });
}

/// dx = rstd (g - mean g - xhat mean(g xhat)) with g = dy weight.
template <int threads, class T>
__global__ void __launch_bounds__(threads) norm_backward_rows(Rows<T> rows, const T* dy, T* dx) {
  using C = compute_t<T>;
  const std::int64_t r = blockIdx.x, n = rows.n;
  const T* x = rows.x + r * n;
  dy += r * n;
  dx += r * n;
  const C mean = rows.mean[r], rstd = rows.rstd[r];
  const auto g = [&](std::int64_t i) { return C(dy[i]) * rows.weight_of(rows.channel(r, i)); };
  const auto xhat = [&](std::int64_t i) { return (C(x[i]) - mean) * rstd; };
  C sum = 0;
  if (rows.centre) sum = row_sum<threads, C>(n, g) / static_cast<C>(n);
  const C dot =
      row_sum<threads, C>(n, [&](std::int64_t i) { return g(i) * xhat(i); }) / static_cast<C>(n);
  each_in_row<threads>(n, [&](std::int64_t i) { dx[i] = T(rstd * (g(i) - sum - xhat(i) * dot)); });
}

/// dy xhat and dy of one element: what the gradients of weight and bias add up.
template <class T>
struct AffineTerms {
  using C = compute_t<T>;
  Rows<T> rows;
  const T* dy;
  __device__ void operator()(std::int64_t at, std::int64_t, std::int64_t, C (&v)[2]) const {
    const std::int64_t r = at / rows.n;
    const C d = C(dy[at]);
    v[0] = d * ((C(rows.x[at]) - rows.mean[r]) * rows.rstd[r]);
    v[1] = d;
  }
};

template <class T>
struct AffineResult {
  T* to[2];  // of weight and bias, or null
  bool add[2];
  double alpha[2];
  __device__ void operator()(std::int64_t c, const double (&sums)[2]) const {
    using C = compute_t<T>;
    for (int k = 0; k < 2; ++k) {
      if (to[k] == nullptr) continue;
      const double before = add[k] ? static_cast<double>(C(to[k][c])) : 0.0;
      to[k][c] = T(static_cast<C>(before + alpha[k] * sums[k]));
    }
  }
};

}  // namespace

void row_norm(const Tensor& x, const Tensor& weight, const Tensor& bias, const RowNorm& norm,
              const Tensor& y, const Tensor& stats) {
  if (x.numel() == 0) return;
  visit_floating(x.dtype(), "norm", [&]<class T> {
    const Rows<T> rows(x, weight, norm, stats);
    const T* b = bias ? static_cast<const T*>(bias.data()) : nullptr;
    with_row_threads(rows.n, [&]<int threads> {
      launch<norm_rows<threads, T>>(rows.count, threads, 0, compute_stream(x.device().index()),
                                    rows, b, y.data<T>());
    });
  });
}

void row_norm_backward(const Tensor& x, const Tensor& weight, const RowNorm& norm,
                       const Tensor& stats, const Tensor& dy, const Tensor& dx) {
  if (x.numel() == 0) return;
  visit_floating(x.dtype(), "norm", [&]<class T> {
    const Rows<T> rows(x, weight, norm, stats);
    with_row_threads(rows.n, [&]<int threads> {
      launch<norm_backward_rows<threads, T>>(rows.count, threads, 0,
                                             compute_stream(x.device().index()), rows, dy.data<T>(),
                                             dx.data<T>());
    });
  });
}

void row_norm_backward_affine(const Tensor& x, const RowNorm& norm, const Tensor& stats,
                              const Tensor& dy, const Tensor& dweight, bool add_weight,
                              double alpha_weight, const Tensor& dbias, bool add_bias,
                              double alpha_bias) {
  visit_floating(x.dtype(), "norm", [&]<class T> {
    const Rows<T> rows(x, {}, norm, stats);
    const auto place = [](const Tensor& t) { return t ? static_cast<T*>(t.data()) : nullptr; };
    const AffineResult<T> result{
        {place(dweight), place(dbias)}, {add_weight, add_bias}, {alpha_weight, alpha_bias}};
    const std::int64_t a_sample = std::max<std::int64_t>(1, norm.channels * norm.inner);
    const Channels s{x.numel() / a_sample, norm.channels, norm.inner, norm.inner == 1};
    channel_sums<2, compute_t<T>>(s, AffineTerms<T>{rows, dy.data<T>()}, result, x.device());
  });
}

}  // namespace gradus::cuda
