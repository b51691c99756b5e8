// Attention in half precision: what its parts are stands in attention_half.cuh. Kernels have the
// width of heads, filled up with zeros, as a template argument.
#include "gradus/kernels/cuda/attention_half.cuh"

namespace gradus::cuda {
namespace {

/// y and stats, for 64 queries. The next keys and values are on their way while the present ones
/// are multiplied.
template <class T, int W>
__global__ void __launch_bounds__(half_threads)
    attend_half(AttentionProblem<T> p, bool whole, Heads<T> y) {
  const HalfTiles<T, W> tiles;
  const int warp = static_cast<int>(threadIdx.x) / lanes;
  // Blocks that see most begin first.
  const int first = static_cast<int>(gridDim.x - 1 - blockIdx.x) * half_tile;
  const int own = first + warp * fragment_size;
  for (std::int64_t item = blockIdx.y; item < p.items; item += gridDim.y) {
    const HalfScores<T> score_of(p, item);
    const int end = score_of.end(first);
    const T *const k = p.k.item(item), *const v = p.v.item(item);
    __syncthreads();  // nobody reads the tiles any more
    bring_rows<W>(p.q.item(item), p.q.row, first, p.queries, p.width, whole, tiles.second);
    bring_rows<W>(k, p.k.row, 0, p.keys, p.width, whole, tiles.first);
    wait_for_copies();
    __syncthreads();
    const HalfRows<T, W> q(tiles.second, warp);
    HalfSums<T, W> sums;
    float largest[2] = {-math::kInf, -math::kInf}, sum[2] = {0, 0};
    GRADUS_ROLLED
    for (int tile = 0; tile < end; tile += half_tile) {
      wait_for_copies();
      __syncthreads();  // the keys are there, and the values before are used
      bring_rows<W>(v, p.v.row, tile, p.keys, p.value_width, whole, tiles.second);
      const bool see_all = score_of.see_all(own, tile, half_tile);
      FragmentC scores[half_tile / fragment_size];
      float before[2] = {largest[0], largest[1]};
      GRADUS_UNROLL
      for (int n = 0; n < half_tile / fragment_size; ++n) {
        scores[n] = q.times_rows(tiles.first, n);
        GRADUS_UNROLL
        for (int e = 0; e < 8; ++e) {
          float& score = scores[n].v[e];
          score = see_all ? score * p.scale
                          : score_of(own + fragment_row(e),
                                     tile + n * fragment_size + fragment_column(e), score);
          largest[e / 2 % 2] = fold::Max::join(largest[e / 2 % 2], score);
        }
      }
      GRADUS_UNROLL
      for (int h = 0; h < 2; ++h) {
        largest[h] = join_row<fold::Max>(largest[h]);
        before[h] = half_weight(before[h], largest[h]);
        sum[h] *= before[h];
      }
      GRADUS_UNROLL
      for (FragmentC& part : scores) {
        GRADUS_UNROLL
        for (int e = 0; e < 8; ++e) {
          part.v[e] = half_weight(part.v[e], largest[e / 2 % 2]);
          sum[e / 2 % 2] += part.v[e];
        }
      }
      sums.scale(before);
      wait_for_copies();
      __syncthreads();  // the values are there, and the keys are used
      if (tile + half_tile < end)
        bring_rows<W>(k, p.k.row, tile + half_tile, p.keys, p.width, whole, tiles.first);
      GRADUS_UNROLL
      for (int n = 0; n < half_tile / fragment_size; ++n)
        sums.add(fragment_of<T>(scores[n]), tiles.second, n);
    }
    GRADUS_UNROLL
    for (int h = 0; h < 2; ++h) {
      sum[h] = join_row<fold::Sum>(sum[h]);
      if (largest[h] == -math::kInf) sum[h] = 1;
      const int i = own + fragment_row(2 * h);
      if (i < score_of.queries && fragment_column(0) == 0) {
        p.largest[item * p.queries + i] = largest[h];
        p.sum[item * p.queries + i] = sum[h];
      }
      sum[h] = 1 / sum[h];
    }
    sums.scale(sum);
    sums.store_rows(y.item(item), y.row, own, score_of.queries, p.value_width, whole);
  }
}

/// dq, dmask and dots[i] = sum over c of dy(i, c) y(i, c), which is that over j of P dP: for 64
/// queries.
template <class T, int W>
__global__ void __launch_bounds__(half_threads)
    attend_half_backward_queries(AttentionProblem<T> p, bool whole, Heads<const T> y, float* dots,
                                 Heads<T> dq_heads, Heads<float> dmask_heads) {
  const HalfTiles<T, W> tiles;
  const int warp = static_cast<int>(threadIdx.x) / lanes;
  const int first = static_cast<int>(gridDim.x - 1 - blockIdx.x) * half_tile;
  const int own = first + warp * fragment_size;
  for (std::int64_t item = blockIdx.y; item < p.items; item += gridDim.y) {
    const HalfScores<T> score_of(p, item);
    float* const dmask = dmask_heads.data != nullptr ? dmask_heads.item(item) : nullptr;
    const int end = dmask != nullptr ? score_of.keys : score_of.end(first);
    __syncthreads();
    bring_rows<W>(p.q.item(item), p.q.row, first, p.queries, p.width, whole, tiles.first);
    bring_rows<W>(p.dy.item(item), p.dy.row, first, p.queries, p.value_width, whole, tiles.second);
    wait_for_copies();
    __syncthreads();
    const HalfRows<T, W> q(tiles.first, warp), dy(tiles.second, warp);
    float dot[2] = {0, 0}, largest[2], factor[2];
    GRADUS_UNROLL
    for (int h = 0; h < 2; ++h) {
      const int i = own + fragment_row(2 * h);
      const bool exists = i < score_of.queries;
      const T* const line = y.item(item) + (exists ? i : 0) * y.row;
      GRADUS_UNROLL
      for (int c = 0; c < W / fragment_size * 4; ++c) {  // an operand's lie as a result's do
        const int e = c % 4 / 2 * 4 + c % 2;
        const int column = c / 4 * fragment_size + fragment_column(e);
        if (exists && column < p.value_width)
          dot[h] += dy.at[c / 4].value(e + 2 * h) * static_cast<float>(line[column]);
      }
      dot[h] = join_row<fold::Sum>(dot[h]);
      const std::int64_t at = item * p.queries + (exists ? i : 0);
      largest[h] = p.largest[at];
      factor[h] = 1 / p.sum[at];
      if (exists && fragment_column(0) == 0) dots[at] = dot[h];
    }
    HalfSums<T, W> dq;
    GRADUS_ROLLED
    for (int tile = 0; tile < end; tile += half_tile) {
      __syncthreads();
      bring_rows<W>(p.k.item(item), p.k.row, tile, p.keys, p.width, whole, tiles.first);
      bring_rows<W>(p.v.item(item), p.v.row, tile, p.keys, p.value_width, whole, tiles.second);
      wait_for_copies();
      __syncthreads();
      const bool see_all = score_of.see_all(own, tile, half_tile);
      GRADUS_ROLLED
      for (int n = 0; n < half_tile / fragment_size; ++n) {
        FragmentC dscores = q.times_rows(tiles.first, n);
        const FragmentC dweights = dy.times_rows(tiles.second, n);
        GRADUS_UNROLL
        for (int e = 0; e < 8; ++e) {
          const int h = e / 2 % 2, i = own + fragment_row(e);
          const int j = tile + n * fragment_size + fragment_column(e);
          float& dscore = dscores.v[e];
          const float score = see_all ? dscore * p.scale : score_of(i, j, dscore);
          dscore = half_weight(score, largest[h]) * factor[h];
          if (dscore != 0) dscore *= dweights.v[e] - dot[h];
          if (dmask != nullptr && i < score_of.queries && j < score_of.keys)
            dmask[i * dmask_heads.row + j] = dscore;
        }
        dq.add(fragment_of<T>(dscores), tiles.first, n);
      }
    }
    const float scale[2] = {p.scale, p.scale};
    dq.scale(scale);
    dq.store_rows(dq_heads.item(item), dq_heads.row, own, score_of.queries, p.width, whole);
  }
}

/// dk and dv for 64 keys, the queries in order. Scores are transposed here: rows are keys.
template <class T, int W>
__global__ void __launch_bounds__(half_threads)
    attend_half_backward_keys(AttentionProblem<T> p, bool whole, const float* dots,
                              Heads<T> dk_heads, Heads<T> dv_heads) {
  GRADUS_SHARED(float, largest, [half_tile]);
  GRADUS_SHARED(float, factor, [half_tile]);
  GRADUS_SHARED(float, dot, [half_tile]);
  const HalfTiles<T, W> tiles;
  const int warp = static_cast<int>(threadIdx.x) / lanes;
  const int first = static_cast<int>(blockIdx.x) * half_tile;
  const int own = first + warp * fragment_size;
  for (std::int64_t item = blockIdx.y; item < p.items; item += gridDim.y) {
    const HalfScores<T> score_of(p, item);
    __syncthreads();
    bring_rows<W>(p.k.item(item), p.k.row, first, p.keys, p.width, whole, tiles.first);
    bring_rows<W>(p.v.item(item), p.v.row, first, p.keys, p.value_width, whole, tiles.second);
    wait_for_copies();
    __syncthreads();
    const HalfRows<T, W> k(tiles.first, warp), v(tiles.second, warp);
    HalfSums<T, W> dk, dv;
    GRADUS_ROLLED
    for (int tile = p.causal ? first : 0; tile < score_of.queries; tile += half_tile) {
      __syncthreads();
      bring_rows<W>(p.q.item(item), p.q.row, tile, p.queries, p.width, whole, tiles.first);
      bring_rows<W>(p.dy.item(item), p.dy.row, tile, p.queries, p.value_width, whole, tiles.second);
      if (threadIdx.x < half_tile) {
        const int i = tile + static_cast<int>(threadIdx.x);
        const std::int64_t at = item * p.queries + (i < score_of.queries ? i : 0);
        largest[threadIdx.x] = p.largest[at];
        factor[threadIdx.x] = 1 / p.sum[at];
        dot[threadIdx.x] = dots[at];
      }
      wait_for_copies();
      __syncthreads();
      GRADUS_ROLLED
      for (int n = 0; n < half_tile / fragment_size; ++n) {
        FragmentC weights = k.times_rows(tiles.first, n);
        FragmentC dscores = v.times_rows(tiles.second, n);
        GRADUS_UNROLL
        for (int e = 0; e < 8; ++e) {
          const int column = n * fragment_size + fragment_column(e);
          const float score = score_of(tile + column, own + fragment_row(e), weights.v[e]);
          weights.v[e] = half_weight(score, largest[column]) * factor[column];
          dscores.v[e] = weights.v[e] == 0 ? 0.0f : weights.v[e] * (dscores.v[e] - dot[column]);
        }
        dv.add(fragment_of<T>(weights), tiles.second, n);
        dk.add(fragment_of<T>(dscores), tiles.first, n);
      }
    }
    const float scale[2] = {p.scale, p.scale};
    dk.scale(scale);
    dk.store_rows(dk_heads.item(item), dk_heads.row, own, score_of.keys, p.width, whole);
    dv.store_rows(dv_heads.item(item), dv_heads.row, own, score_of.keys, p.value_width, whole);
  }
}

/// Can rows be moved 16 bytes at a time?
bool is_whole(std::initializer_list<const Tensor*> tensors) {
  constexpr std::int64_t each = access_bytes / 2;
  for (const Tensor* t : tensors) {
    if (!t->defined()) continue;
    bool whole = is_aligned<access_bytes>(static_cast<const char*>(t->data()));
    whole = whole && t->size(3) % each == 0;
    for (int d = 0; d < 3; ++d) whole = whole && t->strides()[d] % each == 0;
    if (!whole) return false;
  }
  return true;
}

/// Calls f with the type and the width of a kernel.
template <class F>
void visit_half_attention(const Tensor& q, const Tensor& v, F&& f) {
  const auto by_width = [&]<class T> {
    const std::int64_t width = std::max(q.size(3), v.size(3));
    if (width <= 32) return f.template operator()<T, 32>();
    if (width <= 64) return f.template operator()<T, 64>();
    f.template operator()<T, most_half_width>();
  };
  if (q.dtype() == Dtype::bf16) return by_width.template operator()<bf16>();
  by_width.template operator()<f16>();
}

Size3 grid_of(std::int64_t rows, std::int64_t items) {
  return Size3(pieces(rows, half_tile), std::min(items, most_blocks_y));
}

}  // namespace

void half_attention(const Tensor& q, const Tensor& k, const Tensor& v, const Tensor& mask,
                    const Attention& options, const Tensor& y, const Tensor& stats) {
  const bool whole = is_whole({&q, &k, &v, &y});
  visit_half_attention(q, v, [&]<class T, int W> {
    const AttentionProblem<T> p(q, k, v, mask, options, stats, {});
    launch<attend_half<T, W>>(grid_of(p.queries, p.items), half_threads, HalfTiles<T, W>::bytes,
                              compute_stream(q.device().index()), p, whole, Heads<T>(y));
  });
}

void half_attention_backward(const Tensor& q, const Tensor& k, const Tensor& v, const Tensor& mask,
                             const Attention& options, const Tensor& stats, const Tensor& y,
                             const Tensor& dy, const Tensor& dq, const Tensor& dk, const Tensor& dv,
                             const Tensor& dmask) {
  const Stream stream = compute_stream(q.device().index());
  const bool whole = is_whole({&q, &k, &v, &dy, &dq, &dk, &dv});
  const Tensor dots = empty({q.size(0) * q.size(1) * q.size(2)}, stats.options());
  float* d = static_cast<float*>(dots.data());
  visit_half_attention(q, v, [&]<class T, int W> {
    const AttentionProblem<T> p(q, k, v, mask, options, stats, dy);
    launch<attend_half_backward_queries<T, W>>(
        grid_of(p.queries, p.items), half_threads, HalfTiles<T, W>::bytes, stream, p, whole,
        Heads<const T>(y), d, Heads<T>(dq), Heads<float>(dmask));
    launch<attend_half_backward_keys<T, W>>(
        grid_of(p.keys, p.items), half_threads, HalfTiles<T, W>::bytes, stream, p, whole,
        static_cast<const float*>(d), Heads<T>(dk), Heads<T>(dv));
  });
}

}  // namespace gradus::cuda
