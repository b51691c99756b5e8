// The first launch of the epilogue: reads every gradient once.
#include <array>
#include <cstring>

#include "gradus/kernels/cpu/epilogue_block.h"
#include "gradus/kernels/decide.h"
#include "gradus/tensor/parallel.h"

namespace gradus::cpu {
namespace {

using epilogue::Chunk;
using epilogue::Segment;

// Four vectors of eight f64: the order of summation is that of 32 lanes, whatever the hardware.
using Lanes = double __attribute__((vector_size(64)));
constexpr int width = 8, streams = 4, ahead = 512;
/// Element by element, which g++ turns into one conversion; of __builtin_convertvector it makes two
/// and joins them.
template <class T>
inline Lanes load(const T* p) {
  Lanes v;
  for (int i = 0; i < width; ++i) v[i] = compute_t<T>(p[i]);
  return v;
}

// take() is what one element counts, join() brings two counts together, both for f64 and vectors.
struct SumOfSquares {
  static auto take(auto x) { return x * x; }
  static auto join(auto a, auto b) { return a + b; }
};
struct LargestMagnitude {
  static auto take(auto x) { return x < 0 ? -x : x; }
  static auto join(auto a, auto b) { return a >= b ? a : b + 0 * a; }  // a NaN on either side stays
};

/// The counts of n elements on top of those in `sums`; only the last call may be for an n that is
/// no multiple of `together`.
constexpr std::int64_t together = width * streams;
template <class Count, class T>
void accumulate(Lanes (&sums)[streams], const T* x, std::int64_t n) {
  const auto add = [&sums](const T* from) {
    for (int k = 0; k < streams; ++k)
      sums[k] = Count::join(sums[k], Count::take(load(from + k * width)));
  };
  std::int64_t i = 0;
  for (; i + together <= n; i += together) {
    __builtin_prefetch(x + i + ahead);  // the hardware stops at every page
    if (sizeof(T) > 2) __builtin_prefetch(x + i + ahead + together / 2);
    add(x + i);
  }
  if (i < n) {
    T rest[together] = {};  // zeros count nothing
    std::memcpy(static_cast<void*>(rest), x + i, static_cast<std::size_t>(n - i) * sizeof(T));
    add(rest);
  }
}

template <class Count>
double total(const Lanes (&sums)[streams]) {
  const Lanes all = Count::join(Count::join(sums[0], sums[2]), Count::join(sums[1], sums[3]));
  double lanes[width];
  for (int j = 0; j < width; ++j) lanes[j] = all[j];
  for (int step = width / 2; step > 0; step /= 2) {
    for (int j = 0; j < step; ++j) lanes[j] = Count::join(lanes[j], lanes[j + step]);
  }
  return lanes[0];
}

template <class Count>
double reduce_elements(Dtype dtype, const void* x, std::int64_t begin, std::int64_t n) {
  return visit_floating(dtype, "epilogue", [&]<class T> {
    Lanes sums[streams] = {};
    accumulate<Count>(sums, static_cast<const T*>(x) + begin, n);
    return total<Count>(sums);
  });
}

/// The sum of squares of a weight, split or not: the same bits.
double reduce_weight(const Segment& s, std::int64_t begin, std::int64_t n) {
  if (s.remainder == nullptr) return reduce_elements<SumOfSquares>(s.dtype, s.p, begin, n);
  constexpr std::int64_t block = 16 * together;
  alignas(64) float joined[block];
  Lanes sums[streams] = {};
  for (std::int64_t at = begin; at < begin + n; at += block) {
    const std::int64_t count = begin + n - at < block ? begin + n - at : block;
    epilogue_block::join_block(s, at, joined, count);
    accumulate<SumOfSquares>(sums, joined, count);
  }
  return total<SumOfSquares>(sums);
}

}  // namespace

void epilogue_stats(const epilogue::Table& t) {
  const bool infinity_norm = t.policy->infinity_norm;
  const auto one = [&](std::int64_t c) {
    const Chunk& chunk = t.chunks[c];
    const Segment& s = t.segments[chunk.segment];
    if (t.needs_norms && s.updates()) {
      t.partials[t.chunk_count + c] = reduce_weight(s, chunk.begin, chunk.n);
    }
    if (!s.updates()) {
      t.partials[c] = 0;
    } else if (infinity_norm) {
      t.partials[c] = reduce_elements<LargestMagnitude>(s.g_dtype, s.g, chunk.begin, chunk.n);
    } else {
      t.partials[c] = reduce_elements<SumOfSquares>(s.g_dtype, s.g, chunk.begin, chunk.n);
    }
  };
  constexpr std::int64_t worth_a_thread = 4 * epilogue::chunk_elements;
  if (t.elements <= worth_a_thread) {
    for (std::int64_t c = 0; c < t.chunk_count; ++c) one(c);
  } else {
    parallel_chunks(t.chunk_count, one);
  }
}

void epilogue_decide(const epilogue::Table& t) {
  std::array<double, epilogue::gather_lanes> sums{};
  int width = 1;  // lanes without a chunk hold zeros, which change no sum
  while (width < epilogue::gather_lanes && width < t.chunk_count) width *= 2;
  for (int lane = 0; lane < width; ++lane) sums[std::size_t(lane)] = epilogue::gather(t, lane);
  for (int half = width / 2; half > 0; half /= 2) {
    for (int lane = 0; lane < half; ++lane) {
      double& sum = sums[std::size_t(lane)];
      sum = epilogue::join(sum, sums[std::size_t(lane + half)], t.policy->infinity_norm);
    }
  }
  epilogue::judge(t, sums[0]);
  if (!t.state->go) return;
  for (std::int32_t i = 0; i < t.segment_count; ++i) epilogue::advance(t, i);
}

void epilogue_add_samples(epilogue::StepState* state, double weight) {
  state->samples += weight;
  ++state->micro;
}

}  // namespace gradus::cpu
