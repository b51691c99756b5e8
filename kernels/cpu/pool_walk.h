// The walk over windows that all pooling shares. Up to `pool_lanes` outputs are worked on at once:
// neighbouring channels where those lie together in memory, else neighbouring columns.
#pragma once

#include <algorithm>

#include "gradus/kernels/pool_side.h"
#include "gradus/tensor/parallel.h"

namespace gradus::cpu {

inline constexpr int pool_lanes = 256;

/// Both memory orders as one: (outer, height, width, inner), inner being the channels or 1.
struct PoolPlan {
  PoolSide h, w;
  std::int64_t outer, inner;
  /// x: the larger side of the pooling, y: the smaller.
  PoolPlan(const Pool2d& pool, const Tensor& x, const Tensor& y)
      : h(pool.h, x.shape()[2], y.shape()[2]), w(pool.w, x.shape()[3], y.shape()[3]) {
    const bool channels_last = !x.is_contiguous();
    inner = channels_last ? x.shape()[1] : 1;
    outer = x.shape()[0] * (channels_last ? 1 : x.shape()[1]);
  }
  std::int64_t taps() const { return h.kernel * w.kernel; }
  /// Rows of output that make a chunk.
  std::int64_t row_grain() const {
    const std::int64_t work = w.out * inner * std::max<std::int64_t>(1, taps() / 2);
    return std::max<std::int64_t>(1, pointwise_grain / 2 / std::max<std::int64_t>(1, work));
  }
  std::int64_t plane_grain() const { return row_grain() / std::max<std::int64_t>(1, h.out) + 1; }
};

/// Calls, for every output, lanes.start(n, tap of the first existing input), lanes.tap(begin, end,
/// inputs, step, k) for taps in rising order, and finish(lanes, offset in y, n, i, j): lanes are n
/// outputs from (i, j) on. `Lanes` is made anew for each chunk of rows.
template <class Lanes, class T, class Finish>
void walk_windows(const PoolPlan& plan, const T* x, Finish finish) {
  const PoolSide &h = plan.h, &w = plan.w;
  const std::int64_t inner = plan.inner;
  parallel_for(plan.outer * h.out, plan.row_grain(), [&](std::int64_t begin, std::int64_t end) {
    Lanes lanes;
    for (std::int64_t row = begin; row < end; ++row) {
      const std::int64_t i = row % h.out;
      const T* plane = x + row / h.out * (h.in * w.in * inner);
      const auto rows = h.window(i);
      if (inner > 1 || w.adaptive) {
        for (std::int64_t j = 0; j < w.out; ++j) {
          const auto columns = w.window(j);
          for (std::int64_t c = 0; c < inner; c += pool_lanes) {
            const int n = static_cast<int>(std::min<std::int64_t>(pool_lanes, inner - c));
            lanes.start(n, rows.first * w.kernel + columns.first);
            for (std::int64_t a = 0; a < rows.count; ++a) {
              for (std::int64_t b = 0; b < columns.count; ++b) {
                const std::int64_t at =
                    (rows.begin + a * h.dilation) * w.in + columns.begin + b * w.dilation;
                lanes.tap(0, n, plane + at * inner + c, 1,
                          (rows.first + a) * w.kernel + columns.first + b);
              }
            }
            finish(lanes, (row * w.out + j) * inner + c, n, i, j);
          }
        }
        continue;
      }
      for (std::int64_t j = 0; j < w.out; j += pool_lanes) {
        const int n = static_cast<int>(std::min<std::int64_t>(pool_lanes, w.out - j));
        lanes.start(n, rows.first * w.kernel);
        for (int l = 0; l < n && (j + l) * w.stride < w.padding; ++l) {
          lanes.start_at(l, rows.first * w.kernel + w.window(j + l).first);
        }
        for (std::int64_t a = 0; a < rows.count; ++a) {
          const T* from = plane + (rows.begin + a * h.dilation) * w.in;
          for (std::int64_t b = 0; b < w.kernel; ++b) {
            const auto o = w.outputs_with(b);
            const std::int64_t first = std::max(o.begin, j), last = std::min(o.end, j + n);
            if (first >= last) continue;
            lanes.tap(static_cast<int>(first - j), static_cast<int>(last - j),
                      from + first * w.stride - w.padding + b * w.dilation, w.stride,
                      (rows.first + a) * w.kernel + b);
          }
        }
        finish(lanes, row * w.out + j, n, i, j);
      }
    }
  });
}

}  // namespace gradus::cpu
