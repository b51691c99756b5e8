// The pass of LAMB and Muon before the last one: a warp for each chunk moves their slots and adds
// up what the rest of the step needs, in the order of `stats`; then one block settles LAMB's ratio
// of each segment.
#include "gradus/kernels/cuda/epilogue.cuh"

namespace gradus::cuda {
namespace {

using namespace epilogue_element;

/// The sum of v over a warp, in the order of reduce_chunk, to lane 0.
__device__ double warp_sum(double v) {
  for (int half = lanes / 2; half > 0; half /= 2)
    v += __shfl_down_sync(all_lanes, v, static_cast<unsigned>(half));
  return v;
}

/// All lanes of a warp call it.
template <class Rule, class T>
__device__ void prepare_chunk(const Table& t, const Segment& s, const Chunk& chunk,
                              std::int64_t k) {
  static_assert(Rule::slots.size() == 2);
  const auto step = step_of<Rule, T>(t, s, t.ring[t.state->row + s.group]);
  const T factor = T(t.state->unscale), most = T(t.policy->max_value);
  T* a = static_cast<T*>(s.state[0]) + chunk.begin;
  T* b = static_cast<T*>(s.state[1]) + chunk.begin;
  const int lane = static_cast<int>(threadIdx.x) % lanes;
  double updates = 0, weights = 0;
  for (std::int64_t i = lane; i < chunk.n; i += lanes) {
    const T g = load_floating<1, T>(s.g, s.g_dtype, chunk.begin + i)[0];
    const T p = load_weights<1, T>(s, chunk.begin + i)[0];
    const double w = static_cast<double>(p);
    const double u = static_cast<double>(step.prepare(p, scaled(g, factor, most), a[i], b[i]));
    updates += u * u;
    weights += w * w;
  }
  updates = warp_sum(updates);
  weights = warp_sum(weights);
  if (lane != 0) return;
  t.partials[k] = updates;
  t.partials[t.chunk_count + k] = weights;
}

template <class Rule, class T>
__device__ void prepare_if(const Table& t, const Segment& s, const Chunk& chunk, std::int64_t k) {
  if constexpr (rules::prepares<Rule>) prepare_chunk<Rule, T>(t, s, chunk, k);
}

template <class T, class... Rules>
__device__ void prepare_by(ops::List<Rules...>, const Table& t, const Segment& s,
                           const Chunk& chunk, std::int64_t k) {
  const int index = t.rules[s.group].index;
  int i = 0;
  ((i++ == index ? prepare_if<Rules, T>(t, s, chunk, k) : void()), ...);
}

__global__ void __launch_bounds__(stats_threads) prepare_chunks(Table t) {
  const std::int64_t k = std::int64_t{blockIdx.x} * (stats_threads / lanes) + threadIdx.x / lanes;
  if (k >= t.chunk_count || !t.state->go) return;
  const Chunk chunk = t.chunks[k];
  const Segment& s = t.segments[chunk.segment];
  if (!s.updates()) return;
  if (s.dtype == Dtype::f64)
    prepare_by<double>(rules::All{}, t, s, chunk, k);
  else
    prepare_by<float>(rules::All{}, t, s, chunk, k);
}

__global__ void __launch_bounds__(epilogue::gather_lanes) settle_segments(Table t) {
  if (!t.state->go) return;
  for (std::int32_t i = static_cast<int>(threadIdx.x); i < t.segment_count;
       i += epilogue::gather_lanes)
    epilogue::settle(t, i);
}

}  // namespace

void epilogue_prepare(const Table& t) {
  if (!t.prepares) return;
  launch<prepare_chunks>(pieces(t.chunk_count, stats_threads / lanes), stats_threads, 0,
                         stream_of(t), t);
  launch<settle_segments>(1, epilogue::gather_lanes, 0, stream_of(t), t);
}

}  // namespace gradus::cuda
