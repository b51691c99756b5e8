// Everything between the last gradient and the next forward, for the whole model in three launches
// (kernels/epilogue.h says what each does). The segment table, the clock and the schedule are in
// device memory; nothing comes back to the host, so the three can stand in a captured graph.
//
//   stats    a warp for each chunk: the 32 lanes are the 32 running sums of the CPU's kernel, and
//            are joined in its order, so that f64 partial sums have the same bits
//   decide   one block: its threads are the CPU's lanes of the sum, one of them gives the verdict,
//            and each moves its segments' clocks; the scalar code is the CPU's (kernels/decide.h)
//   apply    epilogue_apply.cu
#include "gradus/kernels/cuda/epilogue.cuh"

namespace gradus::cuda {
namespace {

using namespace epilogue_element;
using epilogue::StepState;

struct SumOfSquares {
  static __device__ double take(double x) { return x * x; }
  static __device__ double join(double a, double b) { return a + b; }
};
struct LargestMagnitude {
  static __device__ double take(double x) { return x < 0 ? -x : x; }
  static __device__ double join(double a, double b) {
    return a >= b ? a : b + 0 * a;  // a NaN on either side stays
  }
};

/// Elements of a weight or gradient, in the type that they are counted in.
template <class T>
struct Elements {
  const T* x;
  __device__ compute_t<T> operator[](std::int64_t i) const { return x[i]; }
};
template <class T>
Elements(const T*) -> Elements<T>;
struct SplitElements {
  const bf16* low;
  const std::uint16_t* remainder;
  __device__ float operator[](std::int64_t i) const { return join_float(low[i], remainder[i]); }
};

/// The join over elements [begin, begin + n), to lane 0. All lanes of a warp call it.
template <class Count, class X>
__device__ double reduce_chunk(const X& x, const Chunk& c) {
  const int lane = static_cast<int>(threadIdx.x) % lanes;
  double sum = 0;
  constexpr int together = 8;
  const std::int64_t end = c.begin + c.n;
  std::int64_t i = c.begin + lane;
  for (; i + (together - 1) * lanes < end; i += together * lanes) {
    decltype(x[0]) v[together];
    GRADUS_UNROLL
    for (int u = 0; u < together; ++u) v[u] = x[i + u * lanes];
    GRADUS_UNROLL
    for (int u = 0; u < together; ++u)
      sum = Count::join(sum, Count::take(static_cast<double>(v[u])));
  }
  for (; i < end; i += lanes) sum = Count::join(sum, Count::take(static_cast<double>(x[i])));
  for (int half = lanes / 2; half > 0; half /= 2) {
    const double other = __shfl_down_sync(all_lanes, sum, static_cast<unsigned>(half));
    sum = Count::join(sum, other);
  }
  return sum;
}

template <class Count>
__device__ double reduce_elements(Dtype dtype, const void* x, const Chunk& c) {
  switch (dtype) {
    case Dtype::f64: return reduce_chunk<Count>(Elements{static_cast<const double*>(x)}, c);
    case Dtype::bf16: return reduce_chunk<Count>(Elements{static_cast<const bf16*>(x)}, c);
    case Dtype::f16: return reduce_chunk<Count>(Elements{static_cast<const f16*>(x)}, c);
    default: return reduce_chunk<Count>(Elements{static_cast<const float*>(x)}, c);
  }
}

__device__ double reduce_weight(const Segment& s, const Chunk& c) {
  if (s.remainder == nullptr) return reduce_elements<SumOfSquares>(s.dtype, s.p, c);
  return reduce_chunk<SumOfSquares>(SplitElements{static_cast<const bf16*>(s.low), s.remainder}, c);
}

__global__ void __launch_bounds__(stats_threads) sum_chunks(Table t) {
  const std::int64_t k = std::int64_t{blockIdx.x} * (stats_threads / lanes) + threadIdx.x / lanes;
  if (k >= t.chunk_count) return;
  const Chunk chunk = t.chunks[k];
  const Segment& s = t.segments[chunk.segment];
  const bool first = threadIdx.x % lanes == 0;
  if (!s.updates()) {
    if (first) t.partials[k] = 0;
    return;
  }
  if (t.needs_norms) {
    const double p = reduce_weight(s, chunk);
    if (first) t.partials[t.chunk_count + k] = p;
  }
  const double g = t.policy->infinity_norm
                       ? reduce_elements<LargestMagnitude>(s.g_dtype, s.g, chunk)
                       : reduce_elements<SumOfSquares>(s.g_dtype, s.g, chunk);
  if (first) t.partials[k] = g;
}

__global__ void __launch_bounds__(epilogue::gather_lanes) decide(Table t) {
  GRADUS_SHARED(double, sums, [epilogue::gather_lanes]);
  const int lane = static_cast<int>(threadIdx.x);
  sums[lane] = epilogue::gather(t, lane);
  __syncthreads();
  for (int half = epilogue::gather_lanes / 2; half > 0; half /= 2) {
    if (lane < half)
      sums[lane] = epilogue::join(sums[lane], sums[lane + half], t.policy->infinity_norm);
    __syncthreads();
  }
  if (lane == 0) epilogue::judge(t, sums[0]);
  __syncthreads();  // also makes the verdict visible to the block
  if (!t.state->go) return;
  for (std::int32_t i = lane; i < t.segment_count; i += epilogue::gather_lanes)
    epilogue::advance(t, i);
}

__global__ void add_samples(StepState* state, double weight) {
  state->samples += weight;
  ++state->micro;
}

}  // namespace

void epilogue_add_samples(StepState* state, double weight) {
  launch<add_samples>(1, 1, 0, compute_stream(runtime::device_of(state)), state, weight);
}

void epilogue_stats(const Table& t) {
  launch<sum_chunks>(pieces(t.chunk_count, stats_threads / lanes), stats_threads, 0, stream_of(t),
                     t);
}

void epilogue_decide(const Table& t) {
  launch<decide>(1, epilogue::gather_lanes, 0, stream_of(t), t);
}

}  // namespace gradus::cuda
