// The pass of LAMB and Muon before the last one: their slots move, and what of a chunk's update the
// rest of the step needs is added up. Chunks and the 32 running sums of each are those of `stats`.
#include <array>

#include "gradus/kernels/cpu/epilogue_block.h"
#include "gradus/kernels/decide.h"
#include "gradus/tensor/parallel.h"

namespace gradus::cpu {
namespace {

using namespace epilogue_block;
using epilogue::Chunk;
using epilogue::Segment;
using epilogue::Table;

constexpr int sum_lanes = 32;

/// Sums of squares side by side: element i of a chunk belongs to sum i % 32.
struct Squares {
  double lanes[sum_lanes] = {};
  template <class T>
  void add(const T* x, std::int64_t n) {
    for (std::int64_t i = 0; i < n; i += sum_lanes) {
      const int most = n - i < sum_lanes ? static_cast<int>(n - i) : sum_lanes;
      for (int k = 0; k < most; ++k) lanes[k] += double(x[i + k]) * double(x[i + k]);
    }
  }
  double total() {
    for (int step = sum_lanes / 2; step > 0; step /= 2) {
      for (int k = 0; k < step; ++k) lanes[k] += lanes[k + step];
    }
    return lanes[0];
  }
};

template <class Step, class T>
void prepare_block(const Step& step, const T* __restrict p, const T* __restrict g, T* __restrict u,
                   std::int64_t n, T* __restrict a, T* __restrict b) {
  for (std::int64_t i = 0; i < n; ++i) u[i] = step.prepare(p[i], g[i], a[i], b[i]);
}

template <class Rule, class T>
void prepare_chunk(const Table& t, std::int64_t c) {
  static_assert(Rule::slots.size() == 2 && block % sum_lanes == 0);
  const Chunk& chunk = t.chunks[c];
  const Segment& s = t.segments[chunk.segment];
  const auto now = now_of(t, s, t.ring[t.state->row + s.group]);
  const auto step = factors<Rule, T>(t.rules[s.group], now);
  const T factor = T(t.state->unscale), most = T(t.policy->max_value);
  const Read<T> read = reader<T>(s.g_dtype);
  alignas(64) T g[block], u[block], joined[block];
  Squares updates, norms;
  for (std::int64_t i = 0; i < chunk.n; i += block) {
    const std::int64_t n = chunk.n - i < block ? chunk.n - i : block, at = chunk.begin + i;
    const T* p = weights(s, at, joined, n);
    read(s.g, at, g, n, factor, most);
    prepare_block(step, p, g, u, n, static_cast<T*>(s.state[0]) + at,
                  static_cast<T*>(s.state[1]) + at);
    if constexpr (Rule::kind == rules::Kind::two_pass) {
      updates.add(u, n);
      norms.add(p, n);
    }
  }
  t.partials[c] = updates.total();
  t.partials[t.chunk_count + c] = norms.total();
}

using Prepare = void (*)(const Table&, std::int64_t);
template <class Rule, class T>
constexpr Prepare prepare_of() {
  if constexpr (rules::prepares<Rule>)
    return prepare_chunk<Rule, T>;
  else
    return nullptr;
}
template <class... Rules>
constexpr auto make_prepares(ops::List<Rules...>) {
  return std::array<std::array<Prepare, 2>, sizeof...(Rules)>{
      {{prepare_of<Rules, float>(), prepare_of<Rules, double>()}...}};
}
constexpr auto all_prepares = make_prepares(rules::All{});

}  // namespace

void epilogue_prepare(const epilogue::Table& t) {
  if (!t.prepares || !t.state->go) return;
  parallel_chunks(t.chunk_count, [&](std::int64_t c) {
    const Segment& s = t.segments[t.chunks[c].segment];
    if (!s.updates()) return;
    const auto rule = static_cast<std::size_t>(t.rules[s.group].index);
    if (const Prepare prepare = all_prepares[rule][s.dtype == Dtype::f64]) prepare(t, c);
  });
  for (std::int32_t i = 0; i < t.segment_count; ++i) epilogue::settle(t, i);
}

}  // namespace gradus::cpu
