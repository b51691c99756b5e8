#include "gradus/kernels/cpu/pool_walk.h"
#include "gradus/kernels/create.h"

namespace gradus::cpu {
namespace {

/// Running sums.
template <class T>
struct SumLanes {
  using Sum = pool_sum_t<T>;
  Sum sum[pool_lanes];

  void start(int n, std::int64_t) { std::fill_n(sum, n, Sum(0)); }
  void start_at(int, std::int64_t) {}
  void tap(int begin, int end, const T* x, std::int64_t step, std::int64_t) {
    if (step == 1) {
      for (int l = begin; l < end; ++l) sum[l] += Sum(x[l - begin]);
    } else if (step == 2) {
      for (int l = begin; l < end; ++l) sum[l] += Sum(x[(l - begin) * 2]);
    } else {
      for (int l = begin; l < end; ++l) sum[l] += Sum(x[(l - begin) * step]);
    }
  }
};

/// What the sum of window (i, j) is divided by: a product, of which this is one side's factor.
std::int64_t size_of_window(const PoolSide& side, const AverageBy& by, std::int64_t i) {
  if (by.count_padding) return side.padded_size(i);
  return std::max<std::int64_t>(0, side.window(i).count);
}

std::int64_t count_of(const PoolPlan& plan, const AverageBy& by, std::int64_t i, std::int64_t j) {
  if (by.divisor != 0) return by.divisor;
  return size_of_window(plan.h, by, i) * size_of_window(plan.w, by, j);
}

template <class T>
void backward(const PoolPlan& plan, const AverageBy& by, const T* dy, T* dx) {
  const PoolSide &h = plan.h, &w = plan.w;
  const std::int64_t inner = plan.inner;
  parallel_for(plan.outer, plan.plane_grain(), [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t o = begin; o < end; ++o) {
      T* plane = dx + o * h.in * w.in * inner;
      std::fill_n(plane, h.in * w.in * inner, T(0));
      for (std::int64_t i = 0; i < h.out; ++i) {
        const auto rows = h.window(i);
        for (std::int64_t j = 0; j < w.out; ++j) {
          const auto columns = w.window(j);
          const T* d = dy + ((o * h.out + i) * w.out + j) * inner;
          const T count = static_cast<T>(count_of(plan, by, i, j));
          for (std::int64_t a = 0; a < rows.count; ++a) {
            for (std::int64_t b = 0; b < columns.count; ++b) {
              T* to =
                  plane +
                  ((rows.begin + a * h.dilation) * w.in + columns.begin + b * w.dilation) * inner;
              for (std::int64_t c = 0; c < inner; ++c) to[c] += d[c] / count;
            }
          }
        }
      }
    }
  });
}

template <class T>
void forward(const PoolPlan& plan, const AverageBy& by, const T* x, T* y) {
  walk_windows<SumLanes<T>>(
      plan, x,
      [&](const SumLanes<T>& lanes, std::int64_t at, int n, std::int64_t i, std::int64_t j) {
        if (plan.inner > 1 || plan.w.adaptive) {  // lanes are channels
          const std::int64_t count = count_of(plan, by, i, j);
          for (int l = 0; l < n; ++l) y[at + l] = T(window_mean<T>(lanes.sum[l], count));
        } else {
          // Neighbours differ in width at most.
          const std::int64_t height = by.divisor != 0 ? 1 : size_of_window(plan.h, by, i);
          for (int l = 0; l < n; ++l) {
            const std::int64_t width =
                by.divisor != 0 ? by.divisor : size_of_window(plan.w, by, j + l);
            y[at + l] = T(window_mean<T>(lanes.sum[l], height * width));
          }
        }
      });
}

}  // namespace

void avg_pool2d(const Tensor& x, const Pool2d& pool, const AverageBy& by, const Tensor& y) {
  if (y.numel() == 0) return;
  const PoolPlan plan(pool, x, y);
  if (x.dtype() == Dtype::i64)
    return forward(plan, by, x.data<std::int64_t>(), y.data<std::int64_t>());
  visit_floating(x.dtype(), "avg_pool2d", [&]<class T> {
    forward(plan, by, static_cast<const T*>(x.data()), static_cast<T*>(y.data()));
  });
}

void avg_pool2d_backward(const Tensor& dy, const Pool2d& pool, const AverageBy& by,
                         const Tensor& dx) {
  if (dx.numel() == 0) return;
  if (is_half(dx.dtype())) {  // sums of several dy: in float
    const Tensor sums = empty_like(dx, Dtype::f32), wide = empty_like(dy, Dtype::f32);
    copy(dy, wide);
    avg_pool2d_backward(wide, pool, by, sums);
    return copy(sums, dx);
  }
  const PoolPlan plan(pool, dx, dy);
  visit_floating(dx.dtype(), "avg_pool2d", [&]<class T> {
    if constexpr (std::is_same_v<T, compute_t<T>>) {
      backward(plan, by, static_cast<const T*>(dy.data()), static_cast<T*>(dx.data()));
    }
  });
}

}  // namespace gradus::cpu
