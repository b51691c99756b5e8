// What kernels with a block for each row are made of: sums and maxima over a row, in an order that
// the row's length alone decides.
#pragma once

#include "gradus/kernels/cuda/block_reduce.cuh"
#include "gradus/kernels/fold.h"
#include "gradus/kernels/math.h"
#include "gradus/tensor/tensor.h"

namespace gradus::cuda {

/// Calls f with the number of threads for rows of n: one warp for short rows, and more where each
/// thread still has several elements, which keeps several loads under way.
template <class F>
void with_row_threads(std::int64_t n, F&& f) {
  if (n <= 256) return f.template operator()<32>();
  if (n <= 2048) return f.template operator()<128>();
  return f.template operator()<512>();
}

/// f(i) for every i < n, by all threads together.
template <int threads, class F>
__device__ void each_in_row(std::int64_t n, F&& f) {
  constexpr int together = 4;
  std::int64_t i = threadIdx.x;
  for (; i + (together - 1) * threads < n; i += together * threads) {
    GRADUS_UNROLL
    for (int u = 0; u < together; ++u) f(i + u * threads);
  }
  for (; i < n; i += threads) f(i);
}

/// The sum of f(i) over i < n, to every thread. f is called once for each i.
template <int threads, class C, class F>
__device__ C row_sum(std::int64_t n, F&& f) {
  C sum = 0;
  each_in_row<threads>(n, [&](std::int64_t i) { sum += f(i); });
  return block_reduce<threads, fold::Sum>(sum);
}

/// The largest of x[0 .. n), NaN if there is one, to every thread.
template <int threads, class T>
__device__ compute_t<T> row_max(const T* x, std::int64_t n) {
  using C = compute_t<T>;
  C m = fold::Max::start<C>();
  each_in_row<threads>(n, [&](std::int64_t i) { m = fold::Max::join(m, C(x[i])); });
  return block_reduce<threads, fold::Max>(m);
}

}  // namespace gradus::cuda
