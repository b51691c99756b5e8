// The first launch of the epilogue: reads every gradient once.
#include "gradus/kernels/decide.h"
#include "gradus/tensor/parallel.h"

namespace gradus::cpu {
namespace {

using epilogue::Chunk;
using epilogue::Segment;

// Four vectors of eight f64: the order of summation is that of 32 lanes, whatever the hardware.
using Lanes = double __attribute__((vector_size(64)));
constexpr int width = 8, streams = 4;
template <class T>
struct LoadVector {
  using type __attribute__((vector_size(width * sizeof(T)))) = T;
};

template <class T>
inline Lanes load(const T* p) {
  if constexpr (std::is_same_v<T, bf16> || std::is_same_v<T, f16>) {
    Lanes v;
    for (int i = 0; i < width; ++i) v[i] = static_cast<float>(p[i]);
    return v;
  } else {
    typename LoadVector<T>::type v;
    __builtin_memcpy(&v, p, sizeof v);
    return __builtin_convertvector(v, Lanes);
  }
}

struct SumOfSquares {
  static Lanes join(Lanes sum, Lanes x) { return sum + x * x; }
  static double join_lanes(double a, double b) { return a + b; }
};

/// Finite elements give their largest magnitude; one that is not makes the result NaN or infinite.
struct LargestMagnitude {
  static Lanes join(Lanes largest, Lanes x) {
    x = x < 0 ? -x : x;
    return largest >= x ? largest : x + 0 * largest;  // NaN on either side comes through
  }
  static double join_lanes(double a, double b) { return a >= b ? a : b + 0 * a; }
};

template <class Join, class T>
double reduce(const T* x, std::int64_t n) {
  Lanes sums[streams] = {};
  std::int64_t i = 0;
  for (; i + width * streams <= n; i += width * streams) {
    for (int k = 0; k < streams; ++k) sums[k] = Join::join(sums[k], load(x + i + k * width));
  }
  for (int k = 0; i < n; ++k, i += width) {
    T rest[width] = {};  // zeros change neither sum
    const std::int64_t left = n - i < width ? n - i : width;
    for (std::int64_t j = 0; j < left; ++j) rest[j] = x[i + j];
    sums[k] = Join::join(sums[k], load(rest));
  }
  for (int step = streams / 2; step > 0; step /= 2) {
    for (int k = 0; k < step; ++k) {
      for (int j = 0; j < width; ++j) sums[k][j] = Join::join_lanes(sums[k][j], sums[k + step][j]);
    }
  }
  for (int step = width / 2; step > 0; step /= 2) {
    for (int j = 0; j < step; ++j) sums[0][j] = Join::join_lanes(sums[0][j], sums[0][j + step]);
  }
  return sums[0][0];
}

template <class Join>
double reduce_elements(Dtype dtype, const void* x, std::int64_t begin, std::int64_t n) {
  return visit_floating(dtype, "epilogue",
                        [&]<class T> { return reduce<Join>(static_cast<const T*>(x) + begin, n); });
}

}  // namespace

void epilogue_stats(const epilogue::Table& t) {
  const bool infinity_norm = t.policy->infinity_norm;
  const auto one = [&](std::int64_t c) {
    const Chunk& chunk = t.chunks[c];
    const Segment& s = t.segments[chunk.segment];
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

void epilogue_decide(const epilogue::Table& t) { epilogue::decide_step(t); }

}  // namespace gradus::cpu
