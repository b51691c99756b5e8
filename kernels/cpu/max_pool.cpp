#include "gradus/kernels/cpu/pool_pairs.h"
#include "gradus/kernels/cpu/pool_walk.h"
#include "gradus/kernels/create.h"
#include "gradus/kernels/fold.h"

namespace gradus::cpu {
namespace {

/// Running maxima and where they were.
template <class T>
struct MaxLanes {
  using C = compute_t<T>;
  using Tap = std::conditional_t<sizeof(C) == 8, std::int64_t, std::int32_t>;  // as wide as C
  C best[pool_lanes];
  Tap which[pool_lanes];

  void start(int n, std::int64_t tap) {
    for (int l = 0; l < n; ++l) {
      best[l] = fold::least<C>();
      which[l] = static_cast<Tap>(tap);
    }
  }
  void start_at(int l, std::int64_t tap) { which[l] = static_cast<Tap>(tap); }
  void tap(int begin, int end, const T* x, std::int64_t step, std::int64_t k) {
    if (step == 1) return tap_step<1>(begin, end, x, 1, static_cast<Tap>(k));
    if (step == 2) return tap_step<2>(begin, end, x, 2, static_cast<Tap>(k));
    tap_step<0>(begin, end, x, step, static_cast<Tap>(k));
  }

 private:
  /// `fixed`: the step as a constant, for which loops vectorise.
  template <int fixed>
  void tap_step(int begin, int end, const T* x, std::int64_t step, Tap k) {
    for (int l = begin; l < end; ++l) {
      const C v = C(x[(l - begin) * (fixed == 0 ? step : fixed)]);
      const bool better = (v > best[l]) | (v != v);
      best[l] = better ? v : best[l];
      which[l] = better ? k : which[l];
    }
  }
};

template <class T, class Index>
void forward(const PoolPlan& plan, const T* x, T* y, Index* index) {
  walk_windows<MaxLanes<T>>(plan, x,
                            [=](const MaxLanes<T>& lanes, std::int64_t at, int n, auto, auto) {
                              for (int l = 0; l < n; ++l) y[at + l] = T(lanes.best[l]);
                              if (index == nullptr) return;
                              for (int l = 0; l < n; ++l) {
                                index[at + l] = static_cast<Index>(lanes.which[l]);
                              }
                            });
}

/// Windows that tile the input: every dx is written once. Rows of dx come from one row of dy.
template <class T, class Index>
void backward_tiles(const PoolPlan& plan, const T* dy, const Index* index, T* dx) {
  const PoolSide &h = plan.h, &w = plan.w;
  const std::int64_t inner = plan.inner, width = w.in * inner, used = w.out * w.kernel * inner;
  const bool pairs = inner == 1 && w.kernel == 2;
  const std::int64_t all = plan.outer * h.out * w.out * inner;
  parallel_for(plan.outer * h.out, plan.row_grain(), [=](std::int64_t begin, std::int64_t end) {
    for (std::int64_t row = begin; row < end; ++row) {
      const std::int64_t i = row % h.out;
      const std::int64_t at = row * w.out * inner;
      T* const to = dx + (row / h.out * h.in + i * h.kernel) * width;
      for (std::int64_t a = 0; a < h.kernel; ++a) {
        T* const line = to + a * width;
        if (pairs) {
          spread_pairs(dy + at, index + at, all - at, a * 2, w.out, line);
        } else {
          for (std::int64_t j = 0; j < w.out * w.kernel; ++j) {
            const std::int64_t from = at + j / w.kernel * inner;
            const Index k = static_cast<Index>(a * w.kernel + j % w.kernel);
            for (std::int64_t c = 0; c < inner; ++c) {
              line[j * inner + c] = index[from + c] == k ? dy[from + c] : T(0.0f);
            }
          }
        }
        std::fill(line + used, line + width, T(0.0f));
      }
      if (i == h.out - 1) {
        std::fill_n(to + h.kernel * width, (h.in - h.out * h.kernel) * width, T(0.0f));
      }
    }
  });
}

template <class T, class Index>
void backward(const PoolPlan& plan, const T* dy, const Index* index, T* dx) {
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
          if (rows.count <= 0 || columns.count <= 0) continue;  // dilation stepped over the input
          const std::int64_t at = ((o * h.out + i) * w.out + j) * inner;
          for (std::int64_t c = 0; c < inner; ++c) {
            const std::int64_t k = static_cast<std::int64_t>(index[at + c]);
            const std::int64_t y = rows.begin + (k / w.kernel - rows.first) * h.dilation;
            const std::int64_t x = columns.begin + (k % w.kernel - columns.first) * w.dilation;
            plane[(y * w.in + x) * inner + c] += dy[at + c];
          }
        }
      }
    }
  });
}

}  // namespace

void max_pool2d(const Tensor& x, const Pool2d& pool, const Tensor& y, const Tensor& index) {
  if (y.numel() == 0) return;
  const PoolPlan plan(pool, x, y);
  visit_numbers(x.dtype(), "max_pool2d", [&]<class T> {
    const T* from = static_cast<const T*>(x.data());
    T* to = static_cast<T*>(y.data());
    std::uint8_t* const bytes =
        index && index.dtype() == Dtype::u8 ? index.data<std::uint8_t>() : nullptr;
    if constexpr (std::is_floating_point_v<T>) {
      if (plan.inner == 1 && plan.h.tiles() && plan.w.tiles() && plan.h.kernel == 2 &&
          plan.w.kernel == 2) {
        return forward_pairs(plan, from, to, bytes);
      }
    }
    if (index && index.dtype() == Dtype::i32) {
      forward(plan, from, to, index.data<std::int32_t>());
    } else {
      forward(plan, from, to, bytes);
    }
  });
}

void max_pool2d_backward(const Tensor& dy, const Tensor& index, const Pool2d& pool,
                         const Tensor& dx) {
  if (dx.numel() == 0) return;
  const PoolPlan plan(pool, dx, dy);
  const bool tiles = plan.h.tiles() && plan.w.tiles();
  if (is_half(dx.dtype()) && !tiles) {  // sums of several dy: in float
    const Tensor sums = empty_like(dx, Dtype::f32);
    const Tensor wide = empty_like(dy, Dtype::f32);
    copy(dy, wide);
    max_pool2d_backward(wide, index, pool, sums);
    return copy(sums, dx);
  }
  visit_floating(dx.dtype(), "max_pool2d", [&]<class T> {
    const auto run = [&]<class Index>(const Index* which) {
      const T* from = static_cast<const T*>(dy.data());
      T* to = static_cast<T*>(dx.data());
      if (tiles) return backward_tiles(plan, from, which, to);
      if constexpr (std::is_same_v<T, compute_t<T>>) backward(plan, from, which, to);
    };
    if (index.dtype() == Dtype::i32)
      run(index.data<std::int32_t>());
    else
      run(index.data<std::uint8_t>());
  });
}

}  // namespace gradus::cpu
