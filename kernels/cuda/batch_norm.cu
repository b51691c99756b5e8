// Batch norm: statistics of each channel in two passes (the mean, then the squares of differences
// from it), then one pass that applies them.
#include "gradus/kernels/batch_norm.h"
#include "gradus/kernels/cuda/channel_reduce.cuh"
#include "gradus/kernels/cuda/pointwise.cuh"

namespace gradus::cuda {
namespace {

/// x (N, C, H, W), row-major or channels last.
Channels channels_of(const Tensor& x) {
  const Shape& s = x.shape();
  return {s[0], s[1], s[2] * s[3], !x.is_contiguous()};
}

template <class C>
struct StoreMean {
  double count;
  C* mean;
  __device__ void operator()(std::int64_t c, const double (&sums)[1]) const {
    mean[c] = static_cast<C>(sums[0] / count);
  }
};

/// The difference from the rounded mean, and its square: the first corrects the second.
template <class T>
struct Deviation {
  const T* x;
  const compute_t<T>* mean;
  __device__ void operator()(std::int64_t at, std::int64_t, std::int64_t c,
                             compute_t<T> (&v)[2]) const {
    v[0] = compute_t<T>(x[at]) - mean[c];
    v[1] = v[0] * v[0];
  }
};

/// A running statistic: any floating type, any stride.
struct Running {
  void* p = nullptr;
  Dtype dtype = Dtype::f32;
  std::int64_t stride = 1;
  explicit Running(const Tensor& t) {
    if (!t) return;
    p = t.data();
    dtype = t.dtype();
    stride = t.strides()[0];
  }
  __device__ void mix(std::int64_t c, double momentum, double batch) const {
    if (p == nullptr) return;
    if (dtype == Dtype::f64) {
      double& r = static_cast<double*>(p)[c * stride];
      r = (1 - momentum) * r + momentum * batch;
    } else {
      const double old = static_cast<double>(load_as<float>(p, dtype, c * stride));
      store_as<float>(p, dtype, c * stride,
                      static_cast<float>((1 - momentum) * old + momentum * batch));
    }
  }
};

template <class C>
struct StoreStatistics {
  double count, eps, momentum;
  C* stats;
  std::int64_t channels;
  Running mean, var;
  __device__ void operator()(std::int64_t c, const double (&sums)[2]) const {
    const double shift = sums[0] / count;
    const double exact = static_cast<double>(stats[c]) + shift;
    const double squares = sums[1] - shift * sums[0];
    stats[c] = static_cast<C>(exact);
    stats[channels + c] = static_cast<C>(1 / sqrt(squares / count + eps));
    const double unbiased = squares / (count - 1);
    // A channel that is not finite leaves its running statistics alone; so does a single element.
    if (!(count > 1) || !(exact - exact == 0) || !(unbiased - unbiased == 0)) return;
    mean.mix(c, momentum, exact);
    var.mix(c, momentum, unbiased);
  }
};

template <class C>
__global__ void __launch_bounds__(128)
    from_running(Running mean, Running var, std::int64_t n, double eps, C* stats) {
  const std::int64_t c = std::int64_t{blockIdx.x} * 128 + threadIdx.x;
  if (c >= n) return;
  const auto read = [&](const Running& r) {
    return r.dtype == Dtype::f64 ? static_cast<const double*>(r.p)[c * r.stride]
                                 : static_cast<double>(load_as<float>(r.p, r.dtype, c * r.stride));
  };
  stats[c] = static_cast<C>(read(mean));
  stats[n + c] = static_cast<C>(1 / sqrt(read(var) + eps));
}

template <class T>
struct Problem {
  using C = compute_t<T>;
  Channels s;
  const T *x, *dy;
  const T *weight, *bias;  // or null
  const C *mean, *rstd;
  const C* sums;  // of dy, then of dy xhat
  Problem(const Tensor& input, const Tensor& stats)
      : s(channels_of(input)),
        x(static_cast<const T*>(input.data())),
        dy(nullptr),
        weight(nullptr),
        bias(nullptr),
        mean(static_cast<const C*>(stats.data())),
        rstd(mean + s.channels),
        sums(nullptr) {}
  __device__ std::int64_t channel(std::int64_t at) const {
    return s.channels_last ? at % s.channels : at / s.positions % s.channels;
  }
  __device__ C weight_of(std::int64_t c) const { return weight != nullptr ? C(weight[c]) : C(1); }
  __device__ C xhat(std::int64_t at, std::int64_t c) const {
    return (C(x[at]) - mean[c]) * rstd[c];
  }
};

template <class T>
__global__ void __launch_bounds__(256) apply(Problem<T> p, std::int64_t n, T* y) {
  using C = compute_t<T>;
  const std::int64_t at = std::int64_t{blockIdx.x} * 256 + threadIdx.x;
  if (at >= n) return;
  const std::int64_t c = p.channel(at);
  const C shift = p.bias != nullptr ? C(p.bias[c]) : C(0);
  y[at] = T((C(p.x[at]) - p.mean[c]) * (p.rstd[c] * p.weight_of(c)) + shift);
}

template <class T>
__global__ void __launch_bounds__(256)
    apply_backward(Problem<T> p, std::int64_t n, bool training, T* dx) {
  using C = compute_t<T>;
  const std::int64_t at = std::int64_t{blockIdx.x} * 256 + threadIdx.x;
  if (at >= n) return;
  const std::int64_t c = p.channel(at);
  C d = C(p.dy[at]);
  if (training) {
    const C count = static_cast<C>(p.s.images * p.s.positions);
    d = d - p.sums[c] / count - p.xhat(at, c) * (p.sums[p.s.channels + c] / count);
  }
  dx[at] = T(p.rstd[c] * p.weight_of(c) * d);
}

template <class T>
struct GradientTerms {
  Problem<T> p;
  __device__ void operator()(std::int64_t at, std::int64_t, std::int64_t c,
                             compute_t<T> (&v)[2]) const {
    v[0] = compute_t<T>(p.dy[at]);
    v[1] = v[0] * p.xhat(at, c);
  }
};
template <class C>
struct StoreSums {
  C* sums;
  std::int64_t channels;
  __device__ void operator()(std::int64_t c, const double (&v)[2]) const {
    sums[c] = static_cast<C>(v[0]);
    sums[channels + c] = static_cast<C>(v[1]);
  }
};

}  // namespace

void batch_norm_statistics(const Tensor& x, double eps, double momentum, const Tensor& running_mean,
                           const Tensor& running_var, const Tensor& stats) {
  const Channels s = channels_of(x);
  const double count = static_cast<double>(s.count());
  visit_floating(x.dtype(), "batch_norm", [&]<class T> {
    using C = compute_t<T>;
    const T* from = static_cast<const T*>(x.data());
    C* to = static_cast<C*>(stats.data());
    channel_sums<1, C>(s, ElementItself<T>{from}, StoreMean<C>{count, to}, x.device());
    channel_sums<2, C>(s, Deviation<T>{from, to},
                       StoreStatistics<C>{count, eps, momentum, to, s.channels,
                                          Running(running_mean), Running(running_var)},
                       x.device());
  });
}

void batch_norm_from_running(const Tensor& running_mean, const Tensor& running_var, double eps,
                             const Tensor& stats) {
  const std::int64_t n = running_mean.numel();
  visit_floating(stats.dtype(), "batch_norm", [&]<class C> {
    launch<from_running<C>>(pieces(n, 128), 128, 0, compute_stream(stats.device().index()),
                            Running(running_mean), Running(running_var), n, eps, stats.data<C>());
  });
}

void batch_norm(const Tensor& x, const Tensor& weight, const Tensor& bias, const Tensor& stats,
                const Tensor& y) {
  visit_floating(x.dtype(), "batch_norm", [&]<class T> {
    Problem<T> p(x, stats);
    if (weight) p.weight = static_cast<const T*>(weight.data());
    if (bias) p.bias = static_cast<const T*>(bias.data());
    launch<apply<T>>(pieces(x.numel(), 256), 256, 0, compute_stream(x.device().index()), p,
                     x.numel(), static_cast<T*>(y.data()));
  });
}

void batch_norm_backward_sums(const Tensor& x, const Tensor& stats, const Tensor& dy,
                              const Tensor& sums) {
  visit_floating(x.dtype(), "batch_norm", [&]<class T> {
    using C = compute_t<T>;
    Problem<T> p(x, stats);
    p.dy = static_cast<const T*>(dy.data());
    channel_sums<2, C>(p.s, GradientTerms<T>{p}, StoreSums<C>{sums.data<C>(), p.s.channels},
                       x.device());
  });
}

void batch_norm_backward(const Tensor& x, const Tensor& weight, const Tensor& stats,
                         const Tensor& sums, bool training, const Tensor& dy, const Tensor& dx) {
  visit_floating(x.dtype(), "batch_norm", [&]<class T> {
    Problem<T> p(x, stats);
    p.dy = static_cast<const T*>(dy.data());
    if (weight) p.weight = static_cast<const T*>(weight.data());
    p.sums = static_cast<const compute_t<T>*>(sums.data());
    launch<apply_backward<T>>(pieces(x.numel(), 256), 256, 0, compute_stream(x.device().index()), p,
                              x.numel(), training, static_cast<T*>(dx.data()));
  });
}

}  // namespace gradus::cuda
