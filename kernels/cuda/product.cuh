// A matrix product whose matrices are functions: c(i, j) = sum over l of a(i, l) b(l, j). Matmul
// reads tensors through it, convolution computes where a pixel lies ("implicit GEMM": the matrix of
// patches is never in memory).
//
// A block computes a tile of c. It walks along l in steps of `depth`, brings a strip of a and one
// of b into shared memory, and each thread multiplies an outer product of `mine` x `mine` elements
// into its registers: every number that is loaded once from memory is used tile times, and every
// number loaded from shared memory `mine` times. Each element is one chain of fused multiply-adds
// over l in order, as on the CPU. The ladder in bench/ shows what each of these steps buys.
#pragma once

#include <algorithm>

#include "gradus/kernels/cuda/launch.cuh"
#include "gradus/kernels/math.h"

namespace gradus::cuda {

template <int tile_, int depth_, int mine_>
struct Tiling {
  static constexpr int tile = tile_, depth = depth_, mine = mine_;
  static constexpr int across = tile / mine;  // threads along one side
  static constexpr int threads = across * across;
};
using LargeTiles = Tiling<128, 8, 8>;
using SmallTiles = Tiling<64, 16, 4>;

template <class T>
__device__ T multiply_add(T a, T b, T c) {
  if constexpr (std::is_floating_point_v<T>)
    return math::fma(a, b, c);
  else
    return static_cast<T>(static_cast<std::make_unsigned_t<T>>(a) *
                              static_cast<std::make_unsigned_t<T>>(b) +
                          static_cast<std::make_unsigned_t<T>>(c));
}

/// Sizes of one product, and how many there are beside each other.
struct ProductSize {
  std::int64_t m, n, k, batch;
};

/// Problem has: A, the arithmetic type;
///   product(z)                  itself, set to product z; the others are asked of what it returns
///   a(i, l), b(l, j)            elements, for indices inside
///   start(i, j)                 where the chain begins
///   finish(i, j, sum)           stores an element
///   a_runs_along_l, b_runs_along_l    along which index neighbours in memory lie: threads that
///                               load side by side then load from side by side
template <class Tiles, class Problem>
__global__ void __launch_bounds__(Tiles::threads) tile_product(ProductSize size, Problem problem) {
  using A = typename Problem::A;
  constexpr int tile = Tiles::tile, depth = Tiles::depth, mine = Tiles::mine;
  constexpr int per_thread = tile * depth / Tiles::threads;
  GRADUS_SHARED(A, strip_a, [depth][tile + 1]);
  GRADUS_SHARED(A, strip_b, [depth][tile + 1]);
  const int thread = static_cast<int>(threadIdx.x);
  const int row = thread / Tiles::across, column = thread % Tiles::across;
  const std::int64_t tiles_across = (size.n + tile - 1) / tile;
  const std::int64_t first_i = blockIdx.x / tiles_across * tile;
  const std::int64_t first_j = blockIdx.x % tiles_across * tile;
  for (std::int64_t z = blockIdx.z; z < size.batch; z += gridDim.z) {
    const Problem p = problem.product(z);
    A sums[mine][mine];
    // Thread (row, column) has elements row, row + across, ...: neighbours store side by side.
    GRADUS_UNROLL
    for (int u = 0; u < mine; ++u) {
      GRADUS_UNROLL
      for (int v = 0; v < mine; ++v) {
        const std::int64_t i = first_i + row + u * Tiles::across;
        const std::int64_t j = first_j + column + v * Tiles::across;
        sums[u][v] = i < size.m && j < size.n ? p.start(i, j) : A(0);
      }
    }
    for (std::int64_t first_l = 0; first_l < size.k; first_l += depth) {
      GRADUS_UNROLL
      for (int u = 0; u < per_thread; ++u) {
        const int at = thread + u * Tiles::threads;
        const int la = p.a_runs_along_l ? at % depth : at / tile;
        const int ia = p.a_runs_along_l ? at / depth : at % tile;
        const int lb = p.b_runs_along_l ? at % depth : at / tile;
        const int jb = p.b_runs_along_l ? at / depth : at % tile;
        const bool a_inside = first_i + ia < size.m && first_l + la < size.k;
        const bool b_inside = first_j + jb < size.n && first_l + lb < size.k;
        strip_a[la][ia] = a_inside ? p.a(first_i + ia, first_l + la) : A(0);
        strip_b[lb][jb] = b_inside ? p.b(first_l + lb, first_j + jb) : A(0);
      }
      __syncthreads();
      const int steps = size.k - first_l < depth ? static_cast<int>(size.k - first_l) : depth;
      for (int l = 0; l < steps; ++l) {  // no step beyond k: 0 times infinity is not 0
        A x[mine], y[mine];
        GRADUS_UNROLL
        for (int u = 0; u < mine; ++u) x[u] = strip_a[l][row + u * Tiles::across];
        GRADUS_UNROLL
        for (int v = 0; v < mine; ++v) y[v] = strip_b[l][column + v * Tiles::across];
        GRADUS_UNROLL
        for (int u = 0; u < mine; ++u) {
          GRADUS_UNROLL
          for (int v = 0; v < mine; ++v) sums[u][v] = multiply_add(x[u], y[v], sums[u][v]);
        }
      }
      __syncthreads();
    }
    GRADUS_UNROLL
    for (int u = 0; u < mine; ++u) {
      GRADUS_UNROLL
      for (int v = 0; v < mine; ++v) {
        const std::int64_t i = first_i + row + u * Tiles::across;
        const std::int64_t j = first_j + column + v * Tiles::across;
        if (i < size.m && j < size.n) p.finish(i, j, sums[u][v]);
      }
    }
  }
}

/// Large tiles where they fill the device, small ones for the rest, and for all but float.
template <class Problem>
void run_product(ProductSize size, const Problem& p, Stream stream) {
  if (size.m == 0 || size.n == 0 || size.batch == 0) return;
  const auto go = [&]<class Tiles> {
    const Size3 grid(pieces(size.n, Tiles::tile) * pieces(size.m, Tiles::tile), 1,
                     std::min(size.batch, most_blocks_y));
    launch<tile_product<Tiles, Problem>>(grid, Tiles::threads, 0, stream, size, p);
  };
  if constexpr (std::is_same_v<typename Problem::A, float>) {
    if (size.m >= 1024 && size.n >= 1024) return go.template operator()<LargeTiles>();
  }
  go.template operator()<SmallTiles>();
}

}  // namespace gradus::cuda
