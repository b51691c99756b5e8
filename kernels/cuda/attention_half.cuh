// Attention in bf16 and f16 on tensor cores: the way from tile to tile is that of attention.cu, but
// a warp has 16 rows, and its scores and sums are fragments, which never leave the registers. A
// block has 64 rows, and brings 64 rows of the other side at a time into shared memory. Weights are
// rounded to the half type before they meet the values, sums are in float.
// Dao, "FlashAttention-2", 2023; for the same bits each time, dq has a kernel of its own here.
#pragma once

#include <cmath>

#include "gradus/kernels/cuda/attention.cuh"
#include "gradus/kernels/cuda/copy_async.cuh"
#include "gradus/kernels/cuda/fragment.cuh"

namespace gradus::cuda {

inline constexpr int half_threads = 128, half_tile = 64;
inline constexpr float log2_e = 1.44269504088896341f;

/// 2^x by the device's own instruction: exact to 2 ulp, which rounding to a half type hides.
__device__ inline float fast_exp2(float x) {
#if defined(__CUDA_ARCH__)
  float y;
  asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
  return y;
#else
  return std::exp2(x);
#endif
}

/// e^(score - largest); 0 for a pair that does not see.
__device__ inline float half_weight(float score, float largest) {
  return score == -math::kInf ? 0.0f : fast_exp2((score - largest) * log2_e);
}

/// Where two tiles of 64 rows of W columns lie in shared memory. Rows are padded: eight rows of one
/// column of 16 bytes are then in different banks.
template <class T, int W>
struct HalfTiles {
  static constexpr int row = W + 8;
  static constexpr std::size_t bytes = std::size_t{2} * half_tile * row * sizeof(T);
  T *first, *second;
  __device__ HalfTiles() : first(dynamic_shared<T>()), second(first + half_tile * row) {}
  /// Where the fragment of rows 16 r .. and columns 16 c .. begins.
  __device__ static const T* at(const T* tile, int r, int c) {
    return tile + r * fragment_size * row + c * fragment_size;
  }
};

/// What a pair of a query and a key is worth, in one head. Rows are counted in int: they are fewer
/// than 2^31, and registers are scarce.
template <class T>
struct HalfScores {
  const bool* allowed;
  const float* bias;
  std::int64_t row, column;
  int queries, keys;
  bool causal, masks;
  float scale;
  __device__ HalfScores(const AttentionProblem<T>& p, std::int64_t item)
      : allowed(p.allowed.data != nullptr ? p.allowed.item(item) : nullptr),
        bias(p.bias.data != nullptr ? p.bias.item(item) : nullptr),
        row(allowed != nullptr ? p.allowed.row : p.bias.row),
        column(allowed != nullptr ? p.allowed.column : p.bias.column),
        queries(static_cast<int>(p.queries)),
        keys(static_cast<int>(p.keys)),
        causal(p.causal),
        masks(allowed != nullptr || bias != nullptr),
        scale(p.scale) {}
  /// Behind the last key that queries [i, i + 64) see.
  __device__ int end(int i) const { return causal && i + half_tile < keys ? i + half_tile : keys; }
  /// Do queries [i, i + 16) see all of keys [j, j + n), as far as there are such queries?
  __device__ bool see_all(int i, int j, int n) const {
    return !masks && j + n <= keys && (!causal || j + n - 1 <= i);
  }
  /// Of a pair's product; -infinity if it does not see.
  __device__ float operator()(int i, int j, float product) const {
    if (i >= queries || j >= keys || (causal && j > i)) return -math::kInf;
    if (allowed != nullptr && !allowed[i * row + j * column]) return -math::kInf;
    return product * scale + (bias != nullptr ? bias[i * row + j * column] : 0.0f);
  }
};

/// Rows [first, first + 64) of `from`, on their way to a tile; zeros where there are none. `whole`:
/// rows begin on 16 bytes and are multiples of that. To be followed by wait_for_copies() and a
/// barrier.
template <int W, class T>
__device__ void bring_rows(const T* from, std::int64_t row, int first, std::int64_t rows,
                           std::int64_t width, bool whole, T* tile) {
  from += first * row;
  rows -= first;
  constexpr int each = access_bytes / 2, across = W / each;
  for (int at = static_cast<int>(threadIdx.x); at < half_tile * across; at += half_threads) {
    const int r = at / across, c = at % across * each;
    const T* const source = from + r * row + c;
    T* const place = tile + r * HalfTiles<T, W>::row + c;
    if (whole) {
      const bool exists = r < rows && c < width;
      copy_async(place, exists ? source : from - first * row, exists);
      continue;
    }
    for (int e = 0; e < each; ++e) place[e] = r < rows && c + e < width ? source[e] : T(0.0f);
  }
}

/// 16 rows of a tile as operands.
template <class T, int W>
struct HalfRows {
  Fragment<T> at[W / fragment_size];
  __device__ HalfRows(const T* tile, int warp) {
    GRADUS_UNROLL
    for (int c = 0; c < W / fragment_size; ++c)
      at[c] = fragment_a(HalfTiles<T, W>::at(tile, warp, c), HalfTiles<T, W>::row);
  }
  /// These rows times rows 16 n .. of a tile.
  __device__ FragmentC times_rows(const T* tile, int n) const {
    FragmentC c = fragment_zero();
    GRADUS_UNROLL
    for (int d = 0; d < W / fragment_size; ++d) {
      multiply(at[d], fragment_b_transposed(HalfTiles<T, W>::at(tile, n, d), HalfTiles<T, W>::row),
               c);
    }
    return c;
  }
};

/// 16 rows of sums.
template <class T, int W>
struct HalfSums {
  FragmentC at[W / fragment_size];
  __device__ HalfSums() {
    GRADUS_UNROLL
    for (FragmentC& c : at) c = fragment_zero();
  }
  /// += a (16, 16) times rows 16 n .. of a tile.
  __device__ void add(const Fragment<T>& a, const T* tile, int n) {
    GRADUS_UNROLL
    for (int c = 0; c < W / fragment_size; ++c)
      multiply(a, fragment_b(HalfTiles<T, W>::at(tile, n, c), HalfTiles<T, W>::row), at[c]);
  }
  /// Row fragment_row(e) times factor[e / 2 % 2].
  __device__ void scale(const float (&factor)[2]) {
    GRADUS_UNROLL
    for (FragmentC& c : at) {
      GRADUS_UNROLL
      for (int e = 0; e < 8; ++e) c.v[e] *= factor[e / 2 % 2];
    }
  }
  /// Into rows own .. of `to` (rows, width), those that exist.
  __device__ void store_rows(T* to, std::int64_t row, int own, int rows, std::int64_t width,
                             bool whole) const {
    const int columns = static_cast<int>(width) - fragment_column(0);
    to += fragment_column(0);
    GRADUS_UNROLL
    for (int h = 0; h < 2; ++h) {
      const int i = own + fragment_row(2 * h);
      if (i >= rows) return;
      T* const line = to + i * row;
      GRADUS_UNROLL
      for (int c = 0; c < 2 * W / fragment_size; ++c) {  // eight columns at a time
        const float* const pair = at[c / 2].v + c % 2 * 4 + h * 2;
        const Vector<T, 2> values{{T(pair[0]), T(pair[1])}};
        if (c * 8 >= columns) break;
        if (whole) {
          store(line + c * 8, values);
          continue;
        }
        line[c * 8] = values.v[0];
        if (c * 8 + 1 < columns) line[c * 8 + 1] = values.v[1];
      }
    }
  }
};

/// The join over the four lanes that share the rows of a fragment.
template <class Op>
__device__ float join_row(float v) {
  v = Op::join(v, __shfl_xor_sync(all_lanes, v, 1));
  return Op::join(v, __shfl_xor_sync(all_lanes, v, 2));
}

}  // namespace gradus::cuda
