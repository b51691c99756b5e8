// Sums (and other joins) over a warp and a block, always in the same order: lane l joins lane
// l + 16, then l + 8 and so on; then the warps' results the same way. No atomics, so the bits of a
// result depend on the number of threads alone, which every kernel fixes.
#pragma once

#include "gradus/kernels/cuda/launch.cuh"

namespace gradus::cuda {

inline constexpr unsigned all_lanes = 0xffffffffu;
inline constexpr int lanes = 32;

// `Op` is a join of two values as in kernels/fold.h: join(a, b), and start<T>() to begin with.

/// Lane 0 gets the join of the first `width` lanes (a power of two), by halves. All lanes call it.
template <class Op, class T>
__device__ T warp_reduce(T v, int width = lanes) {
  for (int half = width / 2; half > 0; half /= 2) {
    const T other = __shfl_down_sync(all_lanes, v, static_cast<unsigned>(half));
    v = Op::join(v, other);
  }
  return v;
}

/// Every lane gets the join of all lanes, which must not depend on the sides of a join: sums and
/// maxima do not.
template <class Op, class T>
__device__ T warp_reduce_to_all(T v) {
  for (int half = lanes / 2; half > 0; half /= 2) {
    const T other = __shfl_xor_sync(all_lanes, v, half);
    v = Op::join(v, other);
  }
  return v;
}

/// Every thread gets the join over the block of `threads` threads (a multiple of 32, at most 1024).
/// A barrier comes first, so that calls may follow each other.
template <int threads, class Op, class T>
__device__ T block_reduce(T v) {
  static_assert(threads % lanes == 0 && threads <= 1024);
  constexpr int warps = threads / lanes;
  GRADUS_SHARED(T, parts, [warps + 1]);
  const int thread = static_cast<int>(threadIdx.x), lane = thread % lanes, warp = thread / lanes;
  v = warp_reduce<Op>(v);
  __syncthreads();  // nobody still reads the result of an earlier call
  if (lane == 0) parts[warp] = v;
  __syncthreads();
  if (warp == 0) {
    T total = lane < warps ? parts[lane] : Op::template start<T>();
    total = warp_reduce<Op>(total);
    if (lane == 0) parts[warps] = total;
  }
  __syncthreads();
  return parts[warps];
}

}  // namespace gradus::cuda
