// The last launch of the epilogue: reads and writes everything but the gradients once.
//
// A piece of a parameter goes through in blocks that stay in the first-level cache: gradients are
// converted, scaled and clipped into a small buffer, then the rule moves the block, then its
// low-precision copy and its averages follow. Four short vector loops, one pass over memory.
#include <cstring>

#include "gradus/kernels/epilogue.h"
#include "gradus/kernels/update.h"
#include "gradus/tensor/parallel.h"

namespace gradus::cpu {
namespace {

using epilogue::ScheduleRow;
using epilogue::Segment;
using epilogue::Table;

constexpr std::int64_t block = 128;
constexpr std::int64_t ahead = 2 * block;  // prefetched: hardware stops at every page
constexpr std::int64_t piece = epilogue::chunk_elements / 4;  // what one task moves

/// y = clip(x * factor), in T.
template <class G, class T>
void scale(const G* __restrict x, T* __restrict y, std::int64_t n, T factor, T most) {
  if (most > 0) {
    for (std::int64_t i = 0; i < n; ++i) {
      const T v = T(x[i]) * factor;
      y[i] = v > most ? most : v < -most ? -most : v;
    }
  } else {
    for (std::int64_t i = 0; i < n; ++i) y[i] = T(x[i]) * factor;
  }
}

template <class T>
inline void prefetch(const T* p) {
  constexpr std::int64_t line = 64 / sizeof(T);
  for (std::int64_t i = 0; i < block; i += line) __builtin_prefetch(p + ahead + i, 1);
}

/// scale() for the gradient's dtype; `x` and `at` say where the block begins.
template <class T>
using Read = void (*)(const void* x, std::int64_t at, T* y, std::int64_t n, T factor, T most);
template <class T>
Read<T> reader(Dtype dtype) {
  return visit_floating(dtype, "epilogue", []<class G>() -> Read<T> {
    return [](const void* x, std::int64_t at, T* y, std::int64_t n, T factor, T most) {
      const G* g = static_cast<const G*>(x) + at;
      prefetch(g);
      scale(g, y, n, factor, most);
    };
  });
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
void move_averages(const Segment& s, std::int64_t at, std::int64_t n, const ScheduleRow& row) {
  const T* p = static_cast<const T*>(s.p) + at;
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

/// The factors of the last call on this thread are kept: many small segments in a row share them,
/// and powers cost more than a small segment. One place for what decays, one for what does not.
template <class Rule, class T>
auto factors(const OpCall& rule, const rules::Now& now) {
  using At = decltype(Rule{}.template at<T>(now));
  struct Memory {
    rules::Now now{.steps = 0};
    double p[4] = {};
    At at{};
  };
  static thread_local Memory memory[2];
  Memory& last = memory[now.decay != 0];
  if (!(last.now == now) || std::memcmp(last.p, rule.p, sizeof last.p) != 0) {
    last.at = ops::from_parameters<Rule>(rule.p).template at<T>(now);
    last.now = now;
    std::memcpy(last.p, rule.p, sizeof last.p);
  }
  return last.at;
}

template <class Rule, class T>
void update(const Table& t, const Segment& s, const ScheduleRow& row, std::int64_t begin,
            std::int64_t count) {
  const double decay = (s.flags & Segment::decay) != 0 ? row.decay : 0;
  const epilogue::SegmentClock& clock = t.clocks[&s - t.segments];
  const rules::Now now{row.lr, row.momentum, decay, clock.ratio, clock.steps};
  const auto step = factors<Rule, T>(t.rules[s.group], now);
  const T factor = T(t.state->unscale), most = T(t.policy->max_value);
  const Read<T> read = reader<T>(s.g_dtype);
  alignas(64) T g[block];
  for (std::int64_t at = begin; at < begin + count; at += block) {
    const std::int64_t n = begin + count - at < block ? begin + count - at : block;
    T* p = static_cast<T*>(s.p) + at;
    prefetch(p);
    [&]<std::size_t... k>(std::index_sequence<k...>) {
      (prefetch(static_cast<T*>(s.state[k]) + at), ...);
    }
    (std::make_index_sequence<Rule::slots.size()>());
    if (s.average[0] != nullptr) prefetch(static_cast<T*>(s.average[0]) + at);
    read(s.g, at, g, n, factor, most);
    [&]<std::size_t... k>(std::index_sequence<k...>) {
      move(step, p, g, n, (static_cast<T*>(s.state[k]) + at)...);
    }
    (std::make_index_sequence<Rule::slots.size()>());
    if (s.low != nullptr) write_low(s, at, p, n);
    move_averages<T>(s, at, n, row);
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

void apply_piece(const Table& t, const Segment& s, std::int64_t begin, std::int64_t n) {
  const ScheduleRow& row = t.ring[t.state->row + s.group];
  if ((s.flags & Segment::frozen) != 0) return;
  if ((s.flags & Segment::copy_only) != 0) return copy_bytes(s, begin, n);
  const bool wide = s.dtype == Dtype::f64;
  if ((s.flags & Segment::average_only) != 0)
    return wide ? move_averages<double>(s, begin, n, row) : move_averages<float>(s, begin, n, row);
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
    visit(s.dtype, [&]<class T> { exchange<T>(s, average, begin, n); });
  });
}

}  // namespace gradus::cpu
