// Pooling: a thread for each output, and in the backward for each input, which adds up the windows
// it is in, in the order of their outputs: no atomics. Both memory orders are one: (outer, height,
// width, inner), inner being the channels or 1.
#include "gradus/kernels/cuda/launch.cuh"
#include "gradus/kernels/fold.h"
#include "gradus/kernels/pool_side.h"
#include "gradus/tensor/tensor.h"

namespace gradus::cuda {
namespace {

constexpr int threads = 256;

/// What the backward asks besides.
struct Side : PoolSide {
  using PoolSide::PoolSide;
  /// The outputs whose window may hold input x.
  __device__ std::int64_t first_output(std::int64_t x) const {
    if (adaptive) return x * out / in;
    const std::int64_t reach = x + padding - dilation * (kernel - 1);
    return reach <= 0 ? 0 : (reach + stride - 1) / stride;
  }
  __device__ std::int64_t last_output(std::int64_t x) const {
    const std::int64_t last = adaptive ? ((x + 1) * out - 1) / in : (x + padding) / stride;
    return last < out ? last : out - 1;
  }
  /// The tap of window i that reads x, or -1.
  __device__ std::int64_t tap(std::int64_t i, std::int64_t x) const {
    if (adaptive) {
      const Window w = window(i);
      return x >= w.begin && x < w.begin + w.count ? x - w.begin : -1;
    }
    const std::int64_t d = x - (i * stride - padding);
    return d >= 0 && d % dilation == 0 && d / dilation < kernel ? d / dilation : -1;
  }
};

struct Plan {
  Side h, w;
  std::int64_t outer, inner;
  Plan(const Pool2d& pool, const Tensor& large, const Tensor& small)
      : h(pool.h, large.shape()[2], small.shape()[2]),
        w(pool.w, large.shape()[3], small.shape()[3]) {
    const bool channels_last = !large.is_contiguous();
    inner = channels_last ? large.shape()[1] : 1;
    outer = large.shape()[0] * (channels_last ? 1 : large.shape()[1]);
  }
  /// Element k of a tensor of height x width: (o, i, j, c).
  struct Place {
    std::int64_t o, i, j, c;
  };
  __device__ Place place(std::int64_t k, std::int64_t height, std::int64_t width) const {
    const std::int64_t c = k % inner, pixel = k / inner;
    return {pixel / width / height, pixel / width % height, pixel % width, c};
  }
  __device__ std::int64_t in_at(std::int64_t o, std::int64_t i, std::int64_t j,
                                std::int64_t c) const {
    return ((o * h.in + i) * w.in + j) * inner + c;
  }
  __device__ std::int64_t out_at(std::int64_t o, std::int64_t i, std::int64_t j,
                                 std::int64_t c) const {
    return ((o * h.out + i) * w.out + j) * inner + c;
  }
};

template <class T, class Index>
__global__ void __launch_bounds__(threads)
    max_windows(Plan p, const T* x, std::int64_t count, T* y, Index* index) {
  using C = compute_t<T>;
  const std::int64_t k = std::int64_t{blockIdx.x} * threads + threadIdx.x;
  if (k >= count) return;
  const auto at = p.place(k, p.h.out, p.w.out);
  const auto rows = p.h.window(at.i), columns = p.w.window(at.j);
  C best = fold::least<C>();
  std::int64_t which = rows.first * p.w.kernel + columns.first;
  for (std::int64_t a = 0; a < rows.count; ++a) {
    for (std::int64_t b = 0; b < columns.count; ++b) {
      const C v = C(
          x[p.in_at(at.o, rows.begin + a * p.h.dilation, columns.begin + b * p.w.dilation, at.c)]);
      if (v > best || v != v) {
        best = v;
        which = (rows.first + a) * p.w.kernel + columns.first + b;
      }
    }
  }
  y[k] = T(best);
  if (index != nullptr) index[k] = static_cast<Index>(which);
}

template <class T, class Index>
__global__ void __launch_bounds__(threads)
    max_gradient(Plan p, const T* dy, const Index* index, std::int64_t count, T* dx) {
  using C = compute_t<T>;
  const std::int64_t k = std::int64_t{blockIdx.x} * threads + threadIdx.x;
  if (k >= count) return;
  const auto at = p.place(k, p.h.in, p.w.in);
  C sum = 0;
  for (std::int64_t i = p.h.first_output(at.i); i <= p.h.last_output(at.i); ++i) {
    const std::int64_t row_tap = p.h.tap(i, at.i);
    if (row_tap < 0) continue;
    for (std::int64_t j = p.w.first_output(at.j); j <= p.w.last_output(at.j); ++j) {
      const std::int64_t tap = p.w.tap(j, at.j), o = p.out_at(at.o, i, j, at.c);
      if (tap >= 0 && static_cast<std::int64_t>(index[o]) == row_tap * p.w.kernel + tap)
        sum += C(dy[o]);
    }
  }
  dx[k] = T(sum);
}

struct Count {
  bool padding;
  std::int64_t divisor;
  __device__ static std::int64_t side(const Side& s, bool padding, std::int64_t i) {
    if (padding) return s.padded_size(i);
    const std::int64_t n = s.window(i).count;
    return n > 0 ? n : 0;
  }
  __device__ std::int64_t of(const Plan& p, std::int64_t i, std::int64_t j) const {
    return divisor != 0 ? divisor : side(p.h, padding, i) * side(p.w, padding, j);
  }
};

template <class T>
__global__ void __launch_bounds__(threads)
    average_windows(Plan p, Count by, const T* x, std::int64_t count, T* y) {
  using Sum = pool_sum_t<T>;
  const std::int64_t k = std::int64_t{blockIdx.x} * threads + threadIdx.x;
  if (k >= count) return;
  const auto at = p.place(k, p.h.out, p.w.out);
  const auto rows = p.h.window(at.i), columns = p.w.window(at.j);
  Sum sum = 0;
  for (std::int64_t a = 0; a < rows.count; ++a) {
    for (std::int64_t b = 0; b < columns.count; ++b) {
      sum += Sum(
          x[p.in_at(at.o, rows.begin + a * p.h.dilation, columns.begin + b * p.w.dilation, at.c)]);
    }
  }
  y[k] = T(window_mean<T>(sum, by.of(p, at.i, at.j)));
}

template <class T>
__global__ void __launch_bounds__(threads)
    average_gradient(Plan p, Count by, const T* dy, std::int64_t count, T* dx) {
  using C = compute_t<T>;
  const std::int64_t k = std::int64_t{blockIdx.x} * threads + threadIdx.x;
  if (k >= count) return;
  const auto at = p.place(k, p.h.in, p.w.in);
  C sum = 0;
  for (std::int64_t i = p.h.first_output(at.i); i <= p.h.last_output(at.i); ++i) {
    if (p.h.tap(i, at.i) < 0) continue;
    for (std::int64_t j = p.w.first_output(at.j); j <= p.w.last_output(at.j); ++j) {
      if (p.w.tap(j, at.j) < 0) continue;
      sum += C(dy[p.out_at(at.o, i, j, at.c)]) / static_cast<C>(by.of(p, i, j));
    }
  }
  dx[k] = T(sum);
}

/// Calls f with the type of the index tensor, u8 or i32.
template <class F>
void visit_index(const Tensor& index, F&& f) {
  if (index && index.dtype() == Dtype::u8) return f.template operator()<std::uint8_t>();
  f.template operator()<std::int32_t>();
}

}  // namespace

void max_pool2d(const Tensor& x, const Pool2d& pool, const Tensor& y, const Tensor& index) {
  visit_numbers(x.dtype(), "max_pool2d", [&]<class T> {
    visit_index(index, [&]<class Index> {
      launch<max_windows<T, Index>>(pieces(y.numel(), threads), threads, 0,
                                    compute_stream(x.device().index()), Plan(pool, x, y),
                                    x.data<T>(), y.numel(), y.data<T>(),
                                    index ? index.data<Index>() : nullptr);
    });
  });
}

void max_pool2d_backward(const Tensor& dy, const Tensor& index, const Pool2d& pool,
                         const Tensor& dx) {
  visit_floating(dx.dtype(), "max_pool2d", [&]<class T> {
    visit_index(index, [&]<class Index> {
      launch<max_gradient<T, Index>>(pieces(dx.numel(), threads), threads, 0,
                                     compute_stream(dx.device().index()), Plan(pool, dx, dy),
                                     dy.data<T>(), index.data<Index>(), dx.numel(), dx.data<T>());
    });
  });
}

void avg_pool2d(const Tensor& x, const Pool2d& pool, const AverageBy& by, const Tensor& y) {
  const auto run = [&]<class T> {
    launch<average_windows<T>>(
        pieces(y.numel(), threads), threads, 0, compute_stream(x.device().index()),
        Plan(pool, x, y), Count{by.count_padding, by.divisor}, x.data<T>(), y.numel(), y.data<T>());
  };
  if (x.dtype() == Dtype::i64) return run.template operator()<std::int64_t>();
  visit_floating(x.dtype(), "avg_pool2d", run);
}

void avg_pool2d_backward(const Tensor& dy, const Pool2d& pool, const AverageBy& by,
                         const Tensor& dx) {
  visit_floating(dx.dtype(), "avg_pool2d", [&]<class T> {
    launch<average_gradient<T>>(pieces(dx.numel(), threads), threads, 0,
                                compute_stream(dx.device().index()), Plan(pool, dx, dy),
                                Count{by.count_padding, by.divisor}, dy.data<T>(), dx.numel(),
                                dx.data<T>());
  });
}

}  // namespace gradus::cuda
