// Where the windows of a pooling lie along one axis and what their means are, for the CPU and CUDA
// alike.
#pragma once

#include <type_traits>

#include "gradus/kernels/pool.h"

namespace gradus {

/// What sums over windows are added up in: integers wrap.
template <class T>
using pool_sum_t = std::conditional_t<std::is_integral_v<T>, std::uint64_t, compute_t<T>>;

/// The mean of a window; that of integers is cut towards 0.
template <class T>
GRADUS_HD compute_t<T> window_mean(pool_sum_t<T> sum, std::int64_t count) {
  if constexpr (std::is_integral_v<T>) {
    if (count == -1) return static_cast<T>(0 - sum);  // the lowest number has no negative
    return static_cast<T>(sum) / count;
  } else {
    return sum / static_cast<compute_t<T>>(count);
  }
}

/// One axis of the windows of one call.
struct PoolSide : PoolAxis {
  std::int64_t in, out;
  PoolSide(const PoolAxis& axis, std::int64_t in, std::int64_t out)
      : PoolAxis(axis), in(in), out(out) {}

  /// Inputs begin, begin + dilation ...: those of window i that exist. `first` is the tap number of
  /// the first.
  struct Window {
    std::int64_t begin, count, first;
  };
  GRADUS_HD Window window(std::int64_t i) const {
    if (adaptive) {
      const std::int64_t begin = i * in / out, end = ((i + 1) * in + out - 1) / out;
      return {begin, end - begin, 0};
    }
    const std::int64_t start = i * stride - padding;
    const std::int64_t first = start >= 0 ? 0 : (-start + dilation - 1) / dilation;
    const std::int64_t begin = start + first * dilation;
    const std::int64_t fit = begin >= in ? 0 : (in - 1 - begin) / dilation + 1;
    return {begin, kernel - first < fit ? kernel - first : fit, first};
  }
  /// The size of window i with its padding, as averages count it.
  GRADUS_HD std::int64_t padded_size(std::int64_t i) const {
    if (adaptive) return window(i).count;
    const std::int64_t start = i * stride - padding, end = start + kernel;
    return (end < in + padding ? end : in + padding) - start;
  }
  /// The outputs [begin, end) whose tap k exists.
  struct Outputs {
    std::int64_t begin, end;
  };
  GRADUS_HD Outputs outputs_with(std::int64_t k) const {
    const std::int64_t at = k * dilation - padding;  // of output 0
    const std::int64_t begin = at >= 0 ? 0 : (-at + stride - 1) / stride;
    const std::int64_t end = at >= in ? 0 : (in - 1 - at) / stride + 1;
    return {begin, end < out ? end : out};
  }
  /// True if windows lie side by side inside the input, which may go on behind the last one.
  GRADUS_HD bool tiles() const {
    return !adaptive && stride == kernel && padding == 0 && (dilation == 1 || kernel == 1) &&
           out * kernel <= in;
  }
};

}  // namespace gradus
