#include "gradus/kernels/cuda/report.cuh"
#include "gradus/kernels/cuda/rows.cuh"
#include "gradus/kernels/nll_loss.h"

namespace gradus::cuda {
namespace {

constexpr int threads = 512;

template <class T>
struct Rows {
  using C = compute_t<T>;
  std::int64_t rows, classes;
  const std::int64_t* t;
  const T* weight;  // (C), or null
  std::int64_t ignore_index;

  Rows(const Tensor& target, const Tensor& weight, const NllLoss& o, std::int64_t n)
      : rows(target.numel()),
        classes(n),
        t(target.data<std::int64_t>()),
        weight(weight ? static_cast<const T*>(weight.data()) : nullptr),
        ignore_index(o.ignore_index) {}
  __device__ bool counts(std::int64_t r) const {
    return t[r] != ignore_index && t[r] >= 0 && t[r] < classes;
  }
  __device__ C weight_of(std::int64_t r) const {
    return !counts(r) ? C(0) : weight != nullptr ? C(weight[t[r]]) : C(1);
  }
};

/// The loss of each row.
template <class T>
__global__ void __launch_bounds__(threads) nll_each(Rows<T> p, const T* x, Reporter out, T* y) {
  const std::int64_t r = std::int64_t{blockIdx.x} * threads + threadIdx.x;
  if (r >= p.rows) return;
  if (p.t[r] != p.ignore_index) out.in_range(p.t[r], p.classes);
  using C = compute_t<T>;
  y[r] = T(p.counts(r) ? -p.weight_of(r) * C(x[r * p.classes + p.t[r]]) : C(0));
}

/// One block: the sum of the rows' losses, and that of the weights.
template <class T>
__global__ void __launch_bounds__(threads)
    nll_rows(Rows<T> p, const T* x, bool mean, Reporter out, T* y, compute_t<T>* divisor) {
  using C = compute_t<T>;
  each_in_row<threads>(p.rows, [&](std::int64_t r) {
    if (p.t[r] != p.ignore_index) out.in_range(p.t[r], p.classes);
  });
  const auto loss = [&](std::int64_t r) {
    return p.counts(r) ? -p.weight_of(r) * C(x[r * p.classes + p.t[r]]) : C(0);
  };
  const double total = row_sum<threads, double>(
      p.rows, [&](std::int64_t r) { return static_cast<double>(p.weight_of(r)); });
  const double sum = row_sum<threads, double>(
      p.rows, [&](std::int64_t r) { return static_cast<double>(loss(r)); });
  if (threadIdx.x != 0) return;
  *divisor = static_cast<C>(total);
  *y = T(static_cast<C>(mean ? sum / total : sum));
}

template <class T>
__global__ void __launch_bounds__(256)
    nll_backward(Rows<T> p, const T* dy, bool each, const compute_t<T>* divisor, T* dx) {
  using C = compute_t<T>;
  const std::int64_t i = std::int64_t{blockIdx.x} * 256 + threadIdx.x;
  if (i >= p.rows * p.classes) return;
  const std::int64_t r = i / p.classes, c = i % p.classes;
  C d = 0;
  if (p.counts(r) && p.t[r] == c) {
    const C g = C(each ? dy[r] : *dy) / (divisor != nullptr ? *divisor : C(1));
    d = -p.weight_of(r) * g;
  }
  dx[i] = T(d);
}

}  // namespace

void nll_loss(const Tensor& x, const Tensor& target, const Tensor& weight, const NllLoss& options,
              const Tensor& y, const Tensor& divisor) {
  const int device = x.device().index();
  visit_floating(x.dtype(), "nll_loss", [&]<class T> {
    const Rows<T> p(target, weight, options, x.shape().back());
    if (options.reduction == Reduction::none) {
      return launch<nll_each<T>>(pieces(p.rows, threads), threads, 0, compute_stream(device), p,
                                 x.data<T>(), reporter("nll_loss", device), y.data<T>());
    }
    launch<nll_rows<T>>(1, threads, 0, compute_stream(device), p, x.data<T>(),
                        options.reduction == Reduction::mean, reporter("nll_loss", device),
                        y.data<T>(), static_cast<compute_t<T>*>(divisor.data()));
  });
}

void nll_loss_backward(const Tensor& target, const Tensor& weight, const NllLoss& options,
                       const Tensor& divisor, const Tensor& dy, const Tensor& dx) {
  visit_floating(dx.dtype(), "nll_loss", [&]<class T> {
    const Rows<T> p(target, weight, options, dx.shape().back());
    const bool mean = options.reduction == Reduction::mean;
    using C = compute_t<T>;
    launch<nll_backward<T>>(pieces(dx.numel(), 256), 256, 0, compute_stream(dx.device().index()), p,
                            dy.data<T>(), options.reduction == Reduction::none,
                            mean ? static_cast<const C*>(divisor.data()) : nullptr, dx.data<T>());
  });
}

}  // namespace gradus::cuda
