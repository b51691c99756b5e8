// The last launch of the epilogue: reads and writes everything but the gradients once.
//
// A piece of a parameter goes through in blocks that stay in the first-level cache: gradients are
// converted, scaled and clipped into a small buffer, then the rule moves the block, then its
// low-precision copy and its averages follow. Four short vector loops, one pass over memory. A
// split master is put together in a second buffer, and taken apart from there.
#include <cstring>

#include "gradus/kernels/cpu/epilogue_block.h"
#include "gradus/tensor/parallel.h"

namespace gradus::cpu {
namespace {

using namespace epilogue_block;
using epilogue::ScheduleRow;
using epilogue::Segment;
using epilogue::Table;

constexpr std::int64_t piece = epilogue::chunk_elements / 4;  // what one task moves

void split_block(const Segment& s, std::int64_t at, const float* __restrict p, std::int64_t n) {
  bf16* low = static_cast<bf16*>(s.low) + at;
  std::uint16_t* remainder = s.remainder + at;
  for (std::int64_t i = 0; i < n; ++i) {
    const SplitFloat halves = split_float(p[i]);
    low[i] = halves.low;
    remainder[i] = halves.remainder;
  }
}

template <class T>
void write_low(const Segment& s, std::int64_t at, const T* p, std::int64_t n) {
  if (s.low_dtype == Dtype::bf16) {
    bf16* low = static_cast<bf16*>(s.low) + at;
    for (std::int64_t i = 0; i < n; ++i) low[i] = bf16(static_cast<float>(p[i]));
  } else {
    f16* low = static_cast<f16*>(s.low) + at;
    for (std::int64_t i = 0; i < n; ++i) low[i] = f16(static_cast<float>(p[i]));
  }
}

/// average = decay average + (1 - decay) p, so written that a weight that rests keeps its average.
template <class T>
void move_average(void* average, std::int64_t at, const T* __restrict p, std::int64_t n,
                  double decay) {
  T* __restrict a = static_cast<T*>(average) + at;
  if (decay == 0) {
    std::memcpy(a, p, static_cast<std::size_t>(n) * sizeof(T));
    return;
  }
  const T towards = T(1 - decay);
  for (std::int64_t i = 0; i < n; ++i) a[i] += towards * (p[i] - a[i]);
}

template <class T>
void move_averages(const Segment& s, std::int64_t at, const T* p, std::int64_t n,
                   const ScheduleRow& row) {
  if (s.average[0] != nullptr) move_average(s.average[0], at, p, n, row.average);
  if (s.average[1] != nullptr) move_average(s.average[1], at, p, n, row.teacher);
}

template <class Step, class T>
void move(const Step& step, T* __restrict p, const T* __restrict g, std::int64_t n) {
  for (std::int64_t i = 0; i < n; ++i) step(p[i], g[i]);
}
template <class Step, class T>
void move(const Step& step, T* __restrict p, const T* __restrict g, std::int64_t n,
          T* __restrict a) {
  for (std::int64_t i = 0; i < n; ++i) step(p[i], g[i], a[i]);
}
template <class Step, class T>
void move(const Step& step, T* __restrict p, const T* __restrict g, std::int64_t n, T* __restrict a,
          T* __restrict b) {
  for (std::int64_t i = 0; i < n; ++i) step(p[i], g[i], a[i], b[i]);
}
template <class Step, class T>
void move(const Step& step, T* __restrict p, const T* __restrict g, std::int64_t n, T* __restrict a,
          T* __restrict b, T* __restrict c) {
  for (std::int64_t i = 0; i < n; ++i) step(p[i], g[i], a[i], b[i], c[i]);
}
template <class Step, class T>
void move(const Step& step, T* __restrict p, const T* __restrict g, std::int64_t n, T* __restrict a,
          T* __restrict b, T* __restrict c, T* __restrict d) {
  for (std::int64_t i = 0; i < n; ++i) step(p[i], g[i], a[i], b[i], c[i], d[i]);
}

template <class Rule, class T>
void update(const Table& t, const Segment& s, const ScheduleRow& row, std::int64_t begin,
            std::int64_t count) {
  const auto step = factors<Rule, T>(t.rules[s.group], now_of(t, s, row));
  const T factor = T(t.state->unscale), most = T(t.policy->max_value);
  const Read<T> read = reader<T>(s.g_dtype);
  alignas(64) T g[block] = {}, joined[block];
  for (std::int64_t at = begin; at < begin + count; at += block) {
    const std::int64_t n = begin + count - at < block ? begin + count - at : block;
    T* p = weights(s, at, joined, n);
    [&]<std::size_t... k>(std::index_sequence<k...>) {
      (prefetch(static_cast<T*>(s.state[k]) + at), ...);
    }
    (std::make_index_sequence<Rule::slots.size()>());
    if (s.average[0] != nullptr) prefetch(static_cast<T*>(s.average[0]) + at);
    if constexpr (!rules::prepares<Rule>) read(s.g, at, g, n, factor, most);
    [&]<std::size_t... k>(std::index_sequence<k...>) {
      move(step, p, g, n, (static_cast<T*>(s.state[k]) + at)...);
    }
    (std::make_index_sequence<Rule::slots.size()>());
    if constexpr (std::is_same_v<T, float>) {
      if (s.remainder != nullptr) split_block(s, at, p, n);
    }
    if (s.remainder == nullptr && s.low != nullptr) write_low(s, at, p, n);
    move_averages(s, at, p, n, row);
  }
}

using Update = void (*)(const Table&, const Segment&, const ScheduleRow&, std::int64_t,
                        std::int64_t);
template <class... Rules>
constexpr auto make_table(ops::List<Rules...>) {
  return std::array<std::array<Update, 2>, sizeof...(Rules)>{
      {{update<Rules, float>, update<Rules, double>}...}};
}
constexpr auto updates = make_table(rules::All{});

void copy_bytes(const Segment& s, std::int64_t begin, std::int64_t n) {
  const std::size_t size = size_of(s.dtype), at = static_cast<std::size_t>(begin) * size;
  for (void* average : s.average) {
    if (average != nullptr)
      std::memcpy(static_cast<char*>(average) + at, static_cast<char*>(s.p) + at,
                  static_cast<std::size_t>(n) * size);
  }
}

template <class T>
void average_only(const Segment& s, std::int64_t begin, std::int64_t n, const ScheduleRow& row) {
  move_averages(s, begin, static_cast<const T*>(s.p) + begin, n, row);
}

/// Calls f(at, p, count) for the blocks of a split master, put together in p.
template <class F>
void each_joined(const Segment& s, std::int64_t begin, std::int64_t n, F&& f) {
  alignas(64) float p[block];
  for (std::int64_t at = begin; at < begin + n; at += block) {
    const std::int64_t count = begin + n - at < block ? begin + n - at : block;
    join_block(s, at, p, count);
    f(at, p, count);
  }
}

void apply_piece(const Table& t, const Segment& s, std::int64_t begin, std::int64_t n) {
  const ScheduleRow& row = t.ring[t.state->row + s.group];
  if ((s.flags & Segment::frozen) != 0) return;
  if ((s.flags & Segment::copy_only) != 0) return copy_bytes(s, begin, n);
  const bool wide = s.dtype == Dtype::f64;
  if ((s.flags & Segment::average_only) != 0) {
    if (s.remainder != nullptr) {
      return each_joined(s, begin, n, [&](std::int64_t at, const float* p, std::int64_t count) {
        move_averages(s, at, p, count, row);
      });
    }
    return wide ? average_only<double>(s, begin, n, row) : average_only<float>(s, begin, n, row);
  }
  updates[static_cast<std::size_t>(t.rules[s.group].index)][wide](t, s, row, begin, n);
}

/// Calls f(segment, begin, n) for every piece of every chunk.
template <class F>
void for_each_piece(const Table& t, F&& f) {
  if (t.elements <= 2 * piece) {
    for (std::int64_t c = 0; c < t.chunk_count; ++c) {
      const epilogue::Chunk& chunk = t.chunks[c];
      f(t.segments[chunk.segment], chunk.begin, std::int64_t{chunk.n});
    }
    return;
  }
  constexpr std::int64_t pieces = epilogue::chunk_elements / piece;
  parallel_chunks(t.chunk_count * pieces, [&](std::int64_t i) {
    const epilogue::Chunk& chunk = t.chunks[i / pieces];
    const std::int64_t from = i % pieces * piece;
    if (from >= chunk.n) return;
    const std::int64_t n = chunk.n - from < piece ? chunk.n - from : piece;
    f(t.segments[chunk.segment], chunk.begin + from, n);
  });
}

template <class T>
void exchange(const Segment& s, void* average, std::int64_t begin, std::int64_t n) {
  T* p = static_cast<T*>(s.p) + begin;
  T* a = static_cast<T*>(average) + begin;
  for (std::int64_t i = 0; i < n; ++i) {
    const T v = p[i];
    p[i] = a[i];
    a[i] = v;
  }
  if constexpr (std::is_floating_point_v<T>) {
    if (s.low != nullptr) write_low(s, begin, p, n);
  }
}

void exchange_split(const Segment& s, float* average, std::int64_t begin, std::int64_t n) {
  each_joined(s, begin, n, [&](std::int64_t at, const float* p, std::int64_t count) {
    split_block(s, at, average + at, count);
    std::memcpy(average + at, p, static_cast<std::size_t>(count) * sizeof(float));
  });
}

}  // namespace

void epilogue_apply(const epilogue::Table& t) {
  if (!t.state->go) return;
  for_each_piece(t, [&](const Segment& s, std::int64_t begin, std::int64_t n) {
    apply_piece(t, s, begin, n);
  });
}

void epilogue_exchange(const epilogue::Table& t, int which) {
  for_each_piece(t, [&](const Segment& s, std::int64_t begin, std::int64_t n) {
    void* average = s.average[which];
    if (average == nullptr) return;
    if (s.remainder != nullptr) return exchange_split(s, static_cast<float*>(average), begin, n);
    visit(s.dtype, [&]<class T> { exchange<T>(s, average, begin, n); });
  });
}

}  // namespace gradus::cpu
