// What the kernels of the epilogue share: elements of gradients and weights, and a rule's factors.
#pragma once

#include <type_traits>
#include <utility>

#include "gradus/kernels/cuda/block_reduce.cuh"
#include "gradus/kernels/cuda/vector.cuh"
#include "gradus/kernels/decide.h"
#include "gradus/kernels/epilogue.h"
#include "gradus/kernels/split_master.h"
#include "gradus/kernels/update.h"

namespace gradus::cuda::epilogue_element {

using epilogue::Chunk;
using epilogue::ScheduleRow;
using epilogue::Segment;
using epilogue::Table;

/// A warp for each chunk.
inline constexpr int stats_threads = 128;

/// V elements of a tensor of any floating type, as T.
template <int V, class T>
__device__ Vector<T, V> load_floating(const void* p, Dtype dtype, std::int64_t at) {
  Vector<T, V> out;
  const auto convert = [&](auto v) {
    for (int i = 0; i < V; ++i) out[i] = static_cast<T>(v[i]);
  };
  switch (dtype) {
    case Dtype::f64: convert(load<V>(static_cast<const double*>(p) + at)); break;
    case Dtype::bf16: convert(load<V>(static_cast<const bf16*>(p) + at)); break;
    case Dtype::f16: convert(load<V>(static_cast<const f16*>(p) + at)); break;
    default: convert(load<V>(static_cast<const float*>(p) + at)); break;
  }
  return out;
}

template <int V>
__device__ Vector<float, V> join_halves(const Segment& s, std::int64_t at) {
  const auto low = load<V>(static_cast<const bf16*>(s.low) + at);
  const auto remainder = load<V>(s.remainder + at);
  Vector<float, V> p;
  for (int i = 0; i < V; ++i) p[i] = join_float(low[i], remainder[i]);
  return p;
}

/// The weights at `at`, however they are kept. Only f32 can be split.
template <int V, class T>
__device__ Vector<T, V> load_weights(const Segment& s, std::int64_t at) {
  if constexpr (std::is_same_v<T, float>) {
    if (s.remainder != nullptr) return join_halves<V>(s, at);
  }
  return load<V>(static_cast<const T*>(s.p) + at);
}

/// An element of a gradient, unscaled and clipped.
template <class T>
__device__ T scaled(T g, T factor, T most) {
  const T v = g * factor;
  if (!(most > 0)) return v;
  return v > most ? most : v < -most ? -most : v;
}

/// The rule's factors for this step and segment.
template <class Rule, class T>
__device__ auto step_of(const Table& t, const Segment& s, const ScheduleRow& row) {
  const double decay = (s.flags & Segment::decay) != 0 ? row.decay : 0;
  const epilogue::SegmentClock& clock = t.clocks[&s - t.segments];
  const rules::Now now{row.lr, row.momentum, decay, clock.ratio, clock.steps};
  return ops::from_parameters<Rule>(t.rules[s.group].p).template at<T>(now);
}

/// The table does not say which device it is on: it is the one whose memory it lies in.
inline Stream stream_of(const Table& t) { return compute_stream(runtime::device_of(t.state)); }

}  // namespace gradus::cuda::epilogue_element
