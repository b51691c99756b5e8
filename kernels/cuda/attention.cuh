// What the attention kernels share, and tiles of those in f32 and f64. There a warp has a row (a
// query, or for dk and dv a key), its lanes the 32 rows of a tile of the other side, which the
// block's warps bring into shared memory together: scores are dot products a lane, and weighted
// sums go through shuffles. The scores of a row are never in memory: Dao et al., "FlashAttention",
// NeurIPS 2022.
#pragma once

#include "gradus/kernels/attention_heads.h"
#include "gradus/kernels/cuda/block_reduce.cuh"
#include "gradus/kernels/fold.h"
#include "gradus/kernels/math.h"

namespace gradus::cuda {

inline constexpr int attention_warps = 8, attention_threads = attention_warps * lanes;
inline constexpr std::size_t most_tile_bytes = std::size_t{48} << 10;

template <class T>
using Heads = AttentionHeads<T>;

/// T is what the tensors are in memory; scores, statistics and masks are C, float for half types.
template <class T>
struct AttentionProblem {
  using C = compute_t<T>;
  std::int64_t items, queries, keys, width, value_width;
  Heads<const T> q, k, v, dy;
  Heads<const bool> allowed;  // a boolean mask, or
  Heads<const C> bias;        // one that is added
  C scale;
  bool causal;
  C *largest, *sum;  // (items, queries)

  AttentionProblem(const Tensor& q_, const Tensor& k_, const Tensor& v_, const Tensor& mask,
                   const Attention& options, const Tensor& stats, const Tensor& dy_)
      : items(q_.shape()[0] * q_.shape()[1]),
        queries(q_.shape()[2]),
        keys(k_.shape()[2]),
        width(q_.shape()[3]),
        value_width(v_.shape()[3]),
        q(q_),
        k(k_),
        v(v_),
        dy(dy_),
        allowed(mask && mask.dtype() == Dtype::boolean ? mask : Tensor()),
        bias(mask && mask.dtype() != Dtype::boolean ? mask : Tensor()),
        scale(static_cast<C>(options.scale)),
        causal(options.causal),
        largest(static_cast<C*>(stats.data())),
        sum(largest + items * queries) {}

  /// Does query i see key j? Out of range neither does.
  __device__ bool sees(std::int64_t i, std::int64_t j) const {
    return i < queries && j < keys && (!causal || j <= i);
  }
  /// The mask's part in the score of a pair that sees each other.
  __device__ C masked(std::int64_t item, std::int64_t i, std::int64_t j, C score) const {
    if (allowed.data != nullptr)
      return allowed.item(item)[i * allowed.row + j * allowed.column] ? score : C(-math::kInf);
    if (bias.data != nullptr) return score + bias.item(item)[i * bias.row + j * bias.column];
    return score;
  }
  /// e^(score - largest) / sum, as the forward had it.
  __device__ C weight(std::int64_t item, std::int64_t i, C score) const {
    const C m = largest[item * queries + i];
    return m == C(-math::kInf) ? C(0) : math::exp(score - m) / sum[item * queries + i];
  }
  /// Bytes of shared memory for tiles of 32 rows of both widths; 0 if they are too large, and rows
  /// are then read where they are.
  std::size_t tile_bytes() const {
    const auto n = static_cast<std::size_t>(lanes * (width + 1 + value_width + 1)) * sizeof(T);
    return n <= most_tile_bytes ? n : 0;
  }
};

/// 32 rows, in shared memory (padded by one element: lanes that read one column are in different
/// banks) or in place.
template <class T>
struct Tile {
  const T* data;
  std::int64_t row;
  __device__ const T* operator[](std::int64_t i) const { return data + i * row; }
};

/// Rows [first, first + 32) of `from`, those that exist, brought to `place` by the whole block; the
/// caller puts barriers around it. With a null place: where they are.
template <class T>
__device__ Tile<T> bring(const T* from, std::int64_t row, std::int64_t first, std::int64_t rows,
                         std::int64_t width, T* place) {
  if (place == nullptr) return {from + first * row, row};
  const std::int64_t n = rows - first < lanes ? rows - first : lanes;
  for (std::int64_t r = threadIdx.x / lanes; r < n; r += attention_warps) {
    for (std::int64_t c = threadIdx.x % lanes; c < width; c += lanes)
      place[r * (width + 1) + c] = from[(first + r) * row + c];
  }
  return {place, width + 1};
}

/// The product of two rows, one chain of fused multiply-adds.
template <class T>
__device__ T dot(const T* a, const T* b, std::int64_t n) {
  T sum = 0;
  for (std::int64_t i = 0; i < n; ++i) sum = math::fma(a[i], b[i], sum);
  return sum;
}

/// to[c] = before * to[c] + factor * sum over the 32 lanes of weight * tile[lane][c], the lanes'
/// columns side by side. Lanes from `rows` on have weight 0 and no row.
template <class T>
__device__ void add_weighted(T* to, std::int64_t width, T before, T factor, T weight,
                             const Tile<T>& tile, std::int64_t rows) {
  for (std::int64_t begin = 0; begin < width; begin += lanes) {
    const std::int64_t c = begin + threadIdx.x % lanes;
    T sum = 0;
    for (int l = 0; l < lanes; ++l) {
      const T w = __shfl_sync(all_lanes, weight, l);
      if (l < rows && c < width) sum = math::fma(w, tile[l][c], sum);
    }
    if (c < width) to[c] = before * to[c] + factor * sum;
  }
}

/// Both for half types, where heads have at most 128 columns (attention_half.cu).
inline constexpr int most_half_width = 128;
void half_attention(const Tensor& q, const Tensor& k, const Tensor& v, const Tensor& mask,
                    const Attention& options, const Tensor& y, const Tensor& stats);
void half_attention_backward(const Tensor& q, const Tensor& k, const Tensor& v, const Tensor& mask,
                             const Attention& options, const Tensor& stats, const Tensor& y,
                             const Tensor& dy, const Tensor& dq, const Tensor& dk, const Tensor& dv,
                             const Tensor& dmask);

}  // namespace gradus::cuda
