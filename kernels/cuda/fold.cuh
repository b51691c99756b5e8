// The tree of kernels/fold.h on a GPU, which it fits: a warp is the 32 lanes of a piece, and a
// block's rows of threads are the chains of 128 rows. f32 results have the CPU's bits.
#pragma once

#include "gradus/kernels/create.h"
#include "gradus/kernels/cuda/block_reduce.cuh"
#include "gradus/kernels/fold.h"
#include "gradus/tensor/tensor.h"

namespace gradus::cuda {

/// T as C; half types are read as floats, booleans as numbers.
template <class C, class T>
__device__ C read(T v) {
  return static_cast<C>(static_cast<compute_t<T>>(v));
}

/// parts[o][piece] of x[o][n]: one warp a piece, `outer` times `pieces` of them.
template <class Op, class T, class C>
__global__ void __launch_bounds__(256)
    fold_rows(const T* x, std::int64_t outer, std::int64_t n, std::int64_t piece_count, C* parts) {
  const int lane = static_cast<int>(threadIdx.x) % lanes;
  const std::int64_t k = std::int64_t{blockIdx.x} * 8 + threadIdx.x / lanes;
  if (k >= outer * piece_count) return;
  const std::int64_t begin = k % piece_count * fold::piece;
  const T* from = x + k / piece_count * n + begin;
  const std::int64_t m = n - begin < fold::piece ? n - begin : fold::piece;
  if (m < lanes) {  // one chain
    if (lane != 0) return;
    C a = m > 0 ? read<C>(from[0]) : Op::template start<C>();
    for (std::int64_t i = 1; i < m; ++i) a = Op::join(a, read<C>(from[i]));
    parts[k] = a;
    return;
  }
  C a = read<C>(from[lane]);
  std::int64_t i = lane + lanes;
  constexpr int together = 8;
  for (; i + (together - 1) * lanes < m; i += together * lanes) {
    C v[together];  // loads first, so that all of them are under way
    GRADUS_UNROLL
    for (int u = 0; u < together; ++u) v[u] = read<C>(from[i + u * lanes]);
    GRADUS_UNROLL
    for (int u = 0; u < together; ++u) a = Op::join(a, v[u]);
  }
  for (; i < m; i += lanes) a = Op::join(a, read<C>(from[i]));
  for (int half = lanes / 2; half > 0; half /= 2) {
    const C other = __shfl_down_sync(all_lanes, a, static_cast<unsigned>(half));
    a = Op::join(a, other);
  }
  if (lane == 0) parts[k] = a;
}

/// parts[o][piece][j] of x[o][n][inner]: thread (c, b) is the chain of rows 128 b ... of column c.
template <class Op, class T, class C>
__global__ void __launch_bounds__(1024)
    fold_columns(const T* x, std::int64_t n, std::int64_t inner, std::int64_t piece_count,
                 std::int64_t total, C* parts) {
  GRADUS_SHARED(C, chains, [32][33]);
  const unsigned column = threadIdx.x, b = threadIdx.y;
  const std::int64_t j = std::int64_t{blockIdx.x} * lanes + column;
  for (std::int64_t k = blockIdx.y; k < total; k += gridDim.y) {
    const std::int64_t begin = k % piece_count * fold::piece;
    const std::int64_t m = n - begin < fold::piece ? n - begin : fold::piece;
    const std::int64_t first = b * fold::block_rows;
    if (j < inner && first < m) {
      const T* from = x + (k / piece_count * n + begin + first) * inner + j;
      const std::int64_t rows = m - first < fold::block_rows ? m - first : fold::block_rows;
      C a = read<C>(from[0]);
      std::int64_t r = 1;
      constexpr int together = 4;
      for (; r + together <= rows; r += together) {
        C v[together];
        GRADUS_UNROLL
        for (int u = 0; u < together; ++u) v[u] = read<C>(from[(r + u) * inner]);
        GRADUS_UNROLL
        for (int u = 0; u < together; ++u) a = Op::join(a, v[u]);
      }
      for (; r < rows; ++r) a = Op::join(a, read<C>(from[r * inner]));
      chains[b][column] = a;
    }
    __syncthreads();
    if (b == 0 && j < inner) {
      C a = chains[0][column];
      for (unsigned c = 1; c * fold::block_rows < m; ++c) a = Op::join(a, chains[c][column]);
      parts[k * inner + j] = a;
    }
    __syncthreads();
  }
}

/// y[o][j]: the binary tree over parts[o][piece][j], in place, a block for each.
template <class Op, class C>
__global__ void __launch_bounds__(256)
    join_pieces(C* parts, std::int64_t piece_count, std::int64_t inner, C* y) {
  const std::int64_t o = std::int64_t{blockIdx.x} / inner, j = std::int64_t{blockIdx.x} % inner;
  C* p = parts + o * piece_count * inner + j;
  for (std::int64_t step = 1; step < piece_count; step *= 2) {
    for (std::int64_t k = 2 * step * threadIdx.x; k + step < piece_count; k += 2 * step * 256)
      p[k * inner] = Op::join(p[k * inner], p[(k + step) * inner]);
    __syncthreads();
  }
  if (threadIdx.x == 0) y[blockIdx.x] = p[0];
}

template <class C>
__global__ void fill_start(C* y, std::int64_t n, C value) {
  const std::int64_t i = std::int64_t{blockIdx.x} * 256 + threadIdx.x;
  if (i < n) y[i] = value;
}

/// y[outer][inner] of x[outer][n][inner].
template <class Op, class T, class C>
void fold_tensor(const T* x, std::int64_t outer, std::int64_t n, std::int64_t inner, C* y,
                 Device device) {
  const Stream stream = compute_stream(device.index());
  if (outer * inner == 0) return;
  if (n == 0) {
    return launch<fill_start<C>>(pieces(outer * inner, 256), 256, 0, stream, y, outer * inner,
                                 Op::template start<C>());
  }
  const std::int64_t piece_count = pieces(n, fold::piece), total = outer * piece_count;
  Tensor scratch;
  C* parts = y;
  if (piece_count > 1) {
    scratch = empty({total * inner}, {dtype_of<C>, device});
    parts = scratch.data<C>();
  }
  if (inner == 1) {
    launch<fold_rows<Op, T, C>>(pieces(total, 8), 256, 0, stream, x, outer, n, piece_count, parts);
  } else {
    const std::int64_t chains = pieces(std::min(n, fold::piece), fold::block_rows);
    const std::int64_t grid_y = std::min(total, most_blocks_y);
    launch<fold_columns<Op, T, C>>(Size3(pieces(inner, lanes), grid_y), Size3(lanes, chains), 0,
                                   stream, x, n, inner, piece_count, total, parts);
  }
  if (piece_count > 1)
    launch<join_pieces<Op, C>>(outer * inner, 256, 0, stream, parts, piece_count, inner, y);
}

}  // namespace gradus::cuda
