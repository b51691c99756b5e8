// What the passes of the epilogue share: a block of a parameter that stays in the first-level
// cache, its weights, its gradient converted, scaled and clipped, and the rule's factors for it.
#pragma once

#include <cstring>
#include <type_traits>

#include "gradus/kernels/epilogue.h"
#include "gradus/kernels/split_master.h"
#include "gradus/kernels/update.h"

namespace gradus::cpu::epilogue_block {

inline constexpr std::int64_t block = 128;
inline constexpr std::int64_t ahead = 2 * block;  // prefetched: hardware stops at every page

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

inline void join_block(const epilogue::Segment& s, std::int64_t at, float* __restrict p,
                       std::int64_t n) {
  const bf16* low = static_cast<const bf16*>(s.low) + at;
  const std::uint16_t* remainder = s.remainder + at;
  for (std::int64_t i = 0; i < n; ++i) p[i] = join_float(low[i], remainder[i]);
}

/// The n weights at `at`: where they are, or in `joined` if they are kept in halves. Only f32 is.
template <class T>
T* weights(const epilogue::Segment& s, std::int64_t at, T* joined, std::int64_t n) {
  if constexpr (std::is_same_v<T, float>) {
    if (s.remainder != nullptr) {
      join_block(s, at, joined, n);
      return joined;
    }
  }
  T* p = static_cast<T*>(s.p) + at;
  prefetch(p);
  return p;
}

/// What a rule may depend on, of this step and segment.
inline rules::Now now_of(const epilogue::Table& t, const epilogue::Segment& s,
                         const epilogue::ScheduleRow& row) {
  const double decay = (s.flags & epilogue::Segment::decay) != 0 ? row.decay : 0;
  const epilogue::SegmentClock& clock = t.clocks[&s - t.segments];
  return {row.lr, row.momentum, decay, clock.ratio, clock.steps};
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

}  // namespace gradus::cpu::epilogue_block
