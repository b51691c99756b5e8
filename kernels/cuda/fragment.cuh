// Tensor cores through one door: 16 x 16 tiles of a product that a warp holds together and
// multiplies with one instruction, bf16 in and f32 out. The scalar twin does the same with
// shuffles, for the simulated device and for GPUs before compute capability 8.0; its sums over k
// are in order.
//
//   FragmentC c = fragment_zero();
//   multiply(fragment_a(a, a_row), fragment_b(b, b_row), c);      all lanes of a warp together
//   store_fragment(c, to, to_row);
#pragma once

#include "gradus/kernels/cuda/block_reduce.cuh"
#include "gradus/tensor/half.h"

#if defined(__CUDACC__)
#include <mma.h>
#endif

namespace gradus::cuda {

inline constexpr int fragment_size = 16;

#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 800

using FragmentA = nvcuda::wmma::fragment<nvcuda::wmma::matrix_a, 16, 16, 16, __nv_bfloat16,
                                         nvcuda::wmma::row_major>;
using FragmentB = nvcuda::wmma::fragment<nvcuda::wmma::matrix_b, 16, 16, 16, __nv_bfloat16,
                                         nvcuda::wmma::row_major>;
using FragmentC = nvcuda::wmma::fragment<nvcuda::wmma::accumulator, 16, 16, 16, float>;

__device__ inline FragmentC fragment_zero() {
  FragmentC c;
  nvcuda::wmma::fill_fragment(c, 0.0f);
  return c;
}
__device__ inline FragmentA fragment_a(const bf16* a, int row) {
  FragmentA f;
  nvcuda::wmma::load_matrix_sync(f, reinterpret_cast<const __nv_bfloat16*>(a), row);
  return f;
}
__device__ inline FragmentB fragment_b(const bf16* b, int row) {
  FragmentB f;
  nvcuda::wmma::load_matrix_sync(f, reinterpret_cast<const __nv_bfloat16*>(b), row);
  return f;
}
__device__ inline void multiply(const FragmentA& a, const FragmentB& b, FragmentC& c) {
  nvcuda::wmma::mma_sync(c, a, b, c);
}
__device__ inline void store_fragment(const FragmentC& c, float* to, int row) {
  nvcuda::wmma::store_matrix_sync(to, c, row, nvcuda::wmma::mem_row_major);
}

#else

/// Lane l holds the eight elements from 8 l on of a tile in row-major order.
struct FragmentC {
  float v[8];
};
using FragmentA = FragmentC;
using FragmentB = FragmentC;

namespace detail {
__device__ inline int fragment_lane() { return static_cast<int>(threadIdx.x) % lanes; }
__device__ inline FragmentC load_fragment(const bf16* from, int row) {
  from += fragment_lane() / 2 * row + fragment_lane() % 2 * 8;
  FragmentC f;
  for (int i = 0; i < 8; ++i) f.v[i] = static_cast<float>(from[i]);
  return f;
}
}  // namespace detail

__device__ inline FragmentC fragment_zero() { return {}; }
__device__ inline FragmentA fragment_a(const bf16* a, int row) {
  return detail::load_fragment(a, row);
}
__device__ inline FragmentB fragment_b(const bf16* b, int row) {
  return detail::load_fragment(b, row);
}
/// c(r, j) += a(r, k) b(k, j): a(r, k) is with lane 2 r + k / 8, b(k, j) with lane 2 k + j / 8.
__device__ inline void multiply(const FragmentA& a, const FragmentB& b, FragmentC& c) {
  const int r = detail::fragment_lane() / 2, right = detail::fragment_lane() % 2;
  for (int k = 0; k < fragment_size; ++k) {
    const float x = __shfl_sync(all_lanes, a.v[k % 8], 2 * r + k / 8);
    for (int i = 0; i < 8; ++i) c.v[i] += x * __shfl_sync(all_lanes, b.v[i], 2 * k + right);
  }
}
__device__ inline void store_fragment(const FragmentC& c, float* to, int row) {
  to += detail::fragment_lane() / 2 * row + detail::fragment_lane() % 2 * 8;
  for (int i = 0; i < 8; ++i) to[i] = c.v[i];
}

#endif

}  // namespace gradus::cuda
