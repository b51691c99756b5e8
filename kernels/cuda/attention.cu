// Attention without the matrix of scores (attention.cuh): softmax along a row goes on from tile to
// tile with the largest score so far, and what was summed before is scaled when that grows. Grids
// are (rows, heads), and go round where there are more heads than a grid has in y.
#include "gradus/kernels/cuda/attention.cuh"

namespace gradus::cuda {
namespace {

template <class T>
using Problem = AttentionProblem<T>;

/// Where a block's tiles lie in shared memory; null if they do not.
template <class T>
struct TilePlaces {
  T *first = nullptr, *second = nullptr;
  __device__ TilePlaces(bool staged, std::int64_t first_width) {
    if (!staged) return;
    first = dynamic_shared<T>();
    second = first + lanes * (first_width + 1);
  }
};

/// y and stats: a warp has a query.
template <class T>
__global__ void __launch_bounds__(attention_threads)
    attend(Problem<T> p, bool staged, Heads<T> y_heads) {
  const std::int64_t lane = threadIdx.x % lanes;
  for (std::int64_t item = blockIdx.y; item < p.items; item += gridDim.y) {
    const std::int64_t first = std::int64_t{blockIdx.x} * attention_warps;
    const std::int64_t i = first + threadIdx.x / lanes;
    const bool exists = i < p.queries;
    const TilePlaces<T> places(staged, p.width);
    const T* q = p.q.item(item) + (exists ? i : 0) * p.q.row;
    T* y = y_heads.item(item) + (exists ? i : 0) * y_heads.row;
    if (exists) {
      for (std::int64_t c = lane; c < p.value_width; c += lanes) y[c] = 0;
    }
    const std::int64_t last = first + attention_warps;  // what the last query of the block sees
    const std::int64_t end = p.causal && last < p.keys ? last : p.keys;
    T largest = T(-math::kInf), sum = 0;
    for (std::int64_t tile = 0; tile < end; tile += lanes) {
      __syncthreads();
      const Tile<T> k = bring(p.k.item(item), p.k.row, tile, p.keys, p.width, places.first);
      const Tile<T> v = bring(p.v.item(item), p.v.row, tile, p.keys, p.value_width, places.second);
      __syncthreads();
      const std::int64_t j = tile + lane;
      const bool sees = p.sees(i, j);
      T score = T(-math::kInf);
      if (sees) score = p.masked(item, i, j, p.scale * dot(q, k[lane], p.width));
      const T now = fold::Max::join(largest, warp_reduce_to_all<fold::Max>(score));
      const bool nothing = now == T(-math::kInf);
      const T weight = sees && !nothing ? math::exp(score - now) : T(0);
      const T before = largest == T(-math::kInf) ? T(0) : math::exp(largest - now);
      sum = before * sum + warp_reduce_to_all<fold::Sum>(weight);
      largest = now;
      if (exists) add_weighted(y, p.value_width, before, T(1), weight, v, p.keys - tile);
    }
    if (!exists) continue;
    const bool nothing = largest == T(-math::kInf);
    if (nothing) sum = 1;
    for (std::int64_t c = lane; c < p.value_width; c += lanes) y[c] = y[c] / sum;
    if (lane == 0) {
      p.largest[item * p.queries + i] = largest;
      p.sum[item * p.queries + i] = sum;
    }
  }
}

/// dq, dmask, and for the kernel below dots[i] = sum over c of dy(i, c) y(i, c), which is that over
/// j of P dP: a warp has a query.
template <class T>
__global__ void __launch_bounds__(attention_threads)
    attend_backward_queries(Problem<T> p, bool staged, Heads<const T> y_heads, T* dots,
                            Heads<T> dq_heads, Heads<T> dmask_heads) {
  const std::int64_t lane = threadIdx.x % lanes;
  for (std::int64_t item = blockIdx.y; item < p.items; item += gridDim.y) {
    const std::int64_t i = std::int64_t{blockIdx.x} * attention_warps + threadIdx.x / lanes;
    const bool exists = i < p.queries;
    const TilePlaces<T> places(staged, p.width);
    const T* q = p.q.item(item) + (exists ? i : 0) * p.q.row;
    const T* dy = p.dy.item(item) + (exists ? i : 0) * p.dy.row;
    const T* y = y_heads.item(item) + (exists ? i : 0) * y_heads.row;
    T* dq = dq_heads.item(item) + (exists ? i : 0) * dq_heads.row;
    if (exists) {
      for (std::int64_t c = lane; c < p.width; c += lanes) dq[c] = 0;
    }
    T total = 0;
    for (std::int64_t c = lane; c < p.value_width; c += lanes)
      total = math::fma(dy[c], y[c], total);
    total = warp_reduce_to_all<fold::Sum>(total);
    for (std::int64_t tile = 0; tile < p.keys; tile += lanes) {
      __syncthreads();
      const Tile<T> k = bring(p.k.item(item), p.k.row, tile, p.keys, p.width, places.first);
      const Tile<T> v = bring(p.v.item(item), p.v.row, tile, p.keys, p.value_width, places.second);
      __syncthreads();
      const std::int64_t j = tile + lane;
      T dscore = 0;
      if (p.sees(i, j)) {
        const T score = p.masked(item, i, j, p.scale * dot(q, k[lane], p.width));
        dscore = p.weight(item, i, score) * (dot(dy, v[lane], p.value_width) - total);
      }
      if (!exists) continue;
      if (dmask_heads.data != nullptr && j < p.keys)
        dmask_heads.item(item)[i * dmask_heads.row + j] = dscore;
      add_weighted(dq, p.width, T(1), p.scale, dscore, k, p.keys - tile);
    }
    if (exists && lane == 0) dots[item * p.queries + i] = total;
  }
}

/// dk and dv: a warp has a key, and goes over the queries in order.
template <class T>
__global__ void __launch_bounds__(attention_threads)
    attend_backward_keys(Problem<T> p, bool staged, const T* dots, Heads<T> dk_heads,
                         Heads<T> dv_heads) {
  const std::int64_t lane = threadIdx.x % lanes;
  for (std::int64_t item = blockIdx.y; item < p.items; item += gridDim.y) {
    const std::int64_t j = std::int64_t{blockIdx.x} * attention_warps + threadIdx.x / lanes;
    const bool exists = j < p.keys;
    const TilePlaces<T> places(staged, p.width);
    const T* k = p.k.item(item) + (exists ? j : 0) * p.k.row;
    const T* v = p.v.item(item) + (exists ? j : 0) * p.v.row;
    T* dk = dk_heads.item(item) + (exists ? j : 0) * dk_heads.row;
    T* dv = dv_heads.item(item) + (exists ? j : 0) * dv_heads.row;
    if (exists) {
      for (std::int64_t c = lane; c < p.width; c += lanes) dk[c] = 0;
      for (std::int64_t c = lane; c < p.value_width; c += lanes) dv[c] = 0;
    }
    for (std::int64_t tile = 0; tile < p.queries; tile += lanes) {
      __syncthreads();
      const Tile<T> q = bring(p.q.item(item), p.q.row, tile, p.queries, p.width, places.first);
      const Tile<T> dy =
          bring(p.dy.item(item), p.dy.row, tile, p.queries, p.value_width, places.second);
      __syncthreads();
      const std::int64_t i = tile + lane;
      T weight = 0, dscore = 0;
      if (p.sees(i, j)) {
        weight = p.weight(item, i, p.masked(item, i, j, p.scale * dot(q[lane], k, p.width)));
        dscore = weight * (dot(dy[lane], v, p.value_width) - dots[item * p.queries + i]);
      }
      if (!exists) continue;
      add_weighted(dv, p.value_width, T(1), T(1), weight, dy, p.queries - tile);
      add_weighted(dk, p.width, T(1), p.scale, dscore, q, p.queries - tile);
    }
  }
}

/// Is it a case of half_attention()?
bool is_narrow_half(const Tensor& q, const Tensor& v) {
  constexpr std::int64_t most_rows = std::int64_t{1} << 30;
  return is_half(q.dtype()) && std::max(q.size(3), v.size(3)) <= most_half_width &&
         std::max(q.size(2), v.size(2)) <= most_rows;
}

}  // namespace

void attention(const Tensor& q, const Tensor& k, const Tensor& v, const Tensor& mask,
               const Attention& options, const Tensor& y, const Tensor& stats) {
  if (is_narrow_half(q, v)) return half_attention(q, k, v, mask, options, y, stats);
  if (is_half(q.dtype())) return attention_in_float<attention>(q, k, v, mask, options, y, stats);
  visit_floating(q.dtype(), "attention", [&]<class T> {
    if constexpr (std::is_same_v<T, compute_t<T>>) {
      const Problem<T> p(q, k, v, mask, options, stats, {});
      const std::size_t bytes = p.tile_bytes();
      launch<attend<T>>(Size3(pieces(p.queries, attention_warps), std::min(p.items, most_blocks_y)),
                        attention_threads, bytes, compute_stream(q.device().index()), p, bytes > 0,
                        Heads<T>(y));
    }
  });
}

void attention_backward(const Tensor& q, const Tensor& k, const Tensor& v, const Tensor& mask,
                        const Attention& options, const Tensor& stats, const Tensor& y,
                        const Tensor& dy, const Tensor& dq, const Tensor& dk, const Tensor& dv,
                        const Tensor& dmask) {
  if (is_narrow_half(q, v))
    return half_attention_backward(q, k, v, mask, options, stats, y, dy, dq, dk, dv, dmask);
  if (is_half(q.dtype()))
    return attention_backward_in_float<attention_backward>(q, k, v, mask, options, stats, y, dy, dq,
                                                           dk, dv, dmask);
  const Stream stream = compute_stream(q.device().index());
  visit_floating(q.dtype(), "attention", [&]<class T> {
    if constexpr (std::is_same_v<T, compute_t<T>>) {
      const Problem<T> p(q, k, v, mask, options, stats, dy);
      const std::size_t bytes = p.tile_bytes();
      const Tensor dots = empty({p.items * p.queries}, q.options());
      T* d = static_cast<T*>(dots.data());
      launch<attend_backward_queries<T>>(
          Size3(pieces(p.queries, attention_warps), std::min(p.items, most_blocks_y)),
          attention_threads, bytes, stream, p, bytes > 0, Heads<const T>(y), d, Heads<T>(dq),
          Heads<T>(dmask));
      launch<attend_backward_keys<T>>(
          Size3(pieces(p.keys, attention_warps), std::min(p.items, most_blocks_y)),
          attention_threads, bytes, stream, p, bytes > 0, static_cast<const T*>(d), Heads<T>(dk),
          Heads<T>(dv));
    }
  });
}

}  // namespace gradus::cuda
