// Tensor cores through one door: 16 x 16 tiles of half precision that a warp holds together and
// multiplies with two instructions, summing in float. Who holds what is known, and so a result can
// be scaled row by row and become an operand without leaving the registers: of a tile of c, lane l
// has the eight elements (fragment_row(e), fragment_column(e)). The layout is that of mma.m16n8k16
// (NVIDIA, PTX ISA, "Matrix Fragments for mma.m16n8k16"), twice side by side. The scalar twin does
// the same with shuffles, for the simulated device and for GPUs before compute capability 8.0; its
// sums over k are in order.
//
//   FragmentC c = fragment_zero();
//   multiply(fragment_a(a, a_row), fragment_b(b, b_row), c);      all lanes of a warp together
//   to[fragment_row(e) * to_row + fragment_column(e)] = c.v[e];   for e = 0 .. 7
#pragma once

#include "gradus/kernels/cuda/block_reduce.cuh"
#include "gradus/tensor/half.h"

namespace gradus::cuda {

inline constexpr int fragment_size = 16;

namespace detail {

template <class T>
__device__ float half_of(std::uint32_t pair, int i) {
  T value;
  value.bits = static_cast<std::uint16_t>(pair >> (16 * i));
  return value;
}

}  // namespace detail

/// An operand: pairs of neighbours along k, the first in the lower half. T is bf16 or f16. An a has
/// its elements where a result has them.
template <class T>
struct Fragment {
  std::uint32_t pairs[4];
  __device__ float value(int e) const { return detail::half_of<T>(pairs[e / 2], e % 2); }
};
/// A result.
struct FragmentC {
  float v[8];
};

__device__ inline int fragment_lane() { return static_cast<int>(threadIdx.x) % lanes; }
__device__ inline int fragment_row(int e) { return fragment_lane() / 4 + e / 2 % 2 * 8; }
__device__ inline int fragment_column(int e) { return fragment_lane() % 4 * 2 + e % 2 + e / 4 * 8; }
__device__ inline FragmentC fragment_zero() { return {}; }

namespace detail {

template <class T>
__device__ std::uint32_t pack(T low, T high) {
  return low.bits | static_cast<std::uint32_t>(high.bits) << 16;
}

#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 800

/// Four 8 x 8 matrices; lane l says where row l % 8 of matrix l / 8 begins, on 16 bytes.
template <bool transposed, class T>
__device__ Fragment<T> load_matrices(const T* row) {
  const auto at = static_cast<unsigned>(__cvta_generic_to_shared(row));
  Fragment<T> f;
  if constexpr (transposed)
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];"
                 : "=r"(f.pairs[0]), "=r"(f.pairs[1]), "=r"(f.pairs[2]), "=r"(f.pairs[3])
                 : "r"(at)
                 : "memory");
  else
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
                 : "=r"(f.pairs[0]), "=r"(f.pairs[1]), "=r"(f.pairs[2]), "=r"(f.pairs[3])
                 : "r"(at)
                 : "memory");
  return f;
}

#endif

}  // namespace detail

#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 800

/// a (16, 16) of (i, k) in shared memory. Rows begin on 16 bytes: `row`, in elements, is a multiple
/// of 8.
template <class T>
__device__ Fragment<T> fragment_a(const T* a, int row) {
  const int l = fragment_lane();
  return detail::load_matrices<false>(a + l % 16 * row + l / 16 * 8);
}
/// b (16, 16) of (k, j) in shared memory, laid out alike.
template <class T>
__device__ Fragment<T> fragment_b(const T* b, int row) {
  const int l = fragment_lane();
  return detail::load_matrices<true>(b + l % 16 * row + l / 16 * 8);
}
/// b^T (16, 16) of (j, k) in shared memory, laid out alike.
template <class T>
__device__ Fragment<T> fragment_b_transposed(const T* b, int row) {
  const int l = fragment_lane();
  return detail::load_matrices<false>(b + (l % 8 + l / 16 * 8) * row + l / 8 % 2 * 8);
}

/// c += a b.
template <class T>
__device__ void multiply(const Fragment<T>& a, const Fragment<T>& b, FragmentC& c) {
  GRADUS_UNROLL
  for (int h = 0; h < 2; ++h) {
    float* v = c.v + 4 * h;
    if constexpr (std::is_same_v<T, bf16>)
      asm("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 "
          "{%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
          : "+f"(v[0]), "+f"(v[1]), "+f"(v[2]), "+f"(v[3])
          : "r"(a.pairs[0]), "r"(a.pairs[1]), "r"(a.pairs[2]), "r"(a.pairs[3]), "r"(b.pairs[2 * h]),
            "r"(b.pairs[2 * h + 1]));
    else
      asm("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 "
          "{%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
          : "+f"(v[0]), "+f"(v[1]), "+f"(v[2]), "+f"(v[3])
          : "r"(a.pairs[0]), "r"(a.pairs[1]), "r"(a.pairs[2]), "r"(a.pairs[3]), "r"(b.pairs[2 * h]),
            "r"(b.pairs[2 * h + 1]));
  }
}

/// A result as an operand a, rounded.
template <class T>
__device__ Fragment<T> fragment_of(const FragmentC& c) {
  Fragment<T> f;
  GRADUS_UNROLL
  for (int p = 0; p < 4; ++p) {
    if constexpr (std::is_same_v<T, bf16>)
      asm("cvt.rn.bf16x2.f32 %0, %1, %2;"
          : "=r"(f.pairs[p])
          : "f"(c.v[2 * p + 1]), "f"(c.v[2 * p]));
    else
      asm("cvt.rn.f16x2.f32 %0, %1, %2;" : "=r"(f.pairs[p]) : "f"(c.v[2 * p + 1]), "f"(c.v[2 * p]));
  }
  return f;
}

#else

template <class T>
__device__ Fragment<T> fragment_a(const T* a, int row) {
  Fragment<T> f;
  for (int p = 0; p < 4; ++p) {
    const T* from = a + fragment_row(2 * p) * row + fragment_column(2 * p);
    f.pairs[p] = detail::pack(from[0], from[1]);
  }
  return f;
}
template <class T>
__device__ Fragment<T> fragment_b(const T* b, int row) {
  Fragment<T> f;
  for (int p = 0; p < 4; ++p) {
    const int k = fragment_lane() % 4 * 2 + p % 2 * 8, j = fragment_lane() / 4 + p / 2 * 8;
    f.pairs[p] = detail::pack(b[k * row + j], b[(k + 1) * row + j]);
  }
  return f;
}
template <class T>
__device__ Fragment<T> fragment_b_transposed(const T* b, int row) {
  Fragment<T> f;
  for (int p = 0; p < 4; ++p) {
    const int k = fragment_lane() % 4 * 2 + p % 2 * 8, j = fragment_lane() / 4 + p / 2 * 8;
    f.pairs[p] = detail::pack(b[j * row + k], b[j * row + k + 1]);
  }
  return f;
}
template <class T>
__device__ void multiply(const Fragment<T>& a, const Fragment<T>& b, FragmentC& c) {
  const int own_row = fragment_lane() / 4 * 4;
  for (int k = 0; k < fragment_size / 2; ++k) {  // pairs along k
    std::uint32_t x[2], y[4];
    for (int h = 0; h < 2; ++h)
      x[h] = __shfl_sync(all_lanes, a.pairs[h + k / 4 * 2], own_row + k % 4);
    for (int j = 0; j < 4; ++j)  // columns 2 t, 2 t + 1, and those 8 further on
      y[j] = __shfl_sync(all_lanes, b.pairs[j / 2 * 2 + k / 4],
                         (fragment_lane() % 4 * 2 + j % 2) * 4 + k % 4);
    for (int e = 0; e < 8; ++e) {
      for (int i = 0; i < 2; ++i)
        c.v[e] += detail::half_of<T>(x[e / 2 % 2], i) * detail::half_of<T>(y[e / 4 * 2 + e % 2], i);
    }
  }
}
template <class T>
__device__ Fragment<T> fragment_of(const FragmentC& c) {
  Fragment<T> f;
  for (int p = 0; p < 4; ++p) f.pairs[p] = detail::pack(T(c.v[2 * p]), T(c.v[2 * p + 1]));
  return f;
}

#endif

}  // namespace gradus::cuda
