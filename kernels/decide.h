// The verdict on one window of gradients: scalar code that the CPU calls and one block of a GPU
// runs.
//   every lane       gather(t, lane), joined to one total
//   one of them      judge(t, total)
//   every lane       advance(t, segment), if the step is to be applied
//   every lane       settle(t, segment), after a pass that prepared updates
#pragma once

#include <cmath>

#include "gradus/kernels/epilogue.h"
#include "gradus/kernels/update.h"

namespace gradus::epilogue {

GRADUS_HD inline bool is_finite(double x) { return x - x == 0; }

/// Chunks are added up by this many sums side by side (chunk c to sum c % gather_lanes), which are
/// joined in a tree: the threads of a block on a GPU, a loop on the CPU, the same bits.
inline constexpr int gather_lanes = 256;

/// Two sums of squares in f64, or two largest magnitudes.
GRADUS_HD inline double join(double a, double b, bool infinity_norm) {
  if (!infinity_norm) return a + b;
  return is_finite(a) && !(b <= a) ? b : a;  // a NaN or an infinity stays
}

/// The share of one lane.
GRADUS_HD inline double gather(const Table& t, int lane) {
  double total = 0;
  for (std::int64_t c = lane; c < t.chunk_count; c += gather_lanes)
    total = join(total, t.partials[c], t.policy->infinity_norm);
  return total;
}

/// The first segments with a non-finite gradient. A partial is finite exactly if every element is,
/// up to 1e154.
GRADUS_HD inline void find_bad(const Table& t) {
  StepState& s = *t.state;
  for (std::int32_t& b : s.bad_segments) b = -1;
  int bad = 0;
  for (std::int64_t c = 0; c < t.chunk_count && bad < 5; ++c) {
    if (is_finite(t.partials[c])) continue;
    const std::int32_t segment = t.chunks[c].segment;
    if (bad == 0 || s.bad_segments[bad - 1] != segment) s.bad_segments[bad++] = segment;
  }
}

/// The norm to clip to, or 0 for none: the fixed one, or if less the dynamic one.
GRADUS_HD inline double clip_threshold(const Table& t) {
  const Policy& policy = *t.policy;
  const std::int64_t count = t.state->norms < policy.window ? t.state->norms : policy.window;
  if (policy.window == 0 || count < policy.clip_after || count == 0) return policy.max_norm;
  const double* sorted = t.norms + policy.window;
  const double at = policy.quantile * static_cast<double>(count - 1);  // between neighbours: linear
  const std::int64_t below = static_cast<std::int64_t>(at);
  const std::int64_t above = below + 1 < count ? below + 1 : below;
  const double share = at - static_cast<double>(below);
  const double quantile = sorted[below] + share * (sorted[above] - sorted[below]);
  const double dynamic = policy.clip_factor * quantile;
  return policy.max_norm > 0 && policy.max_norm < dynamic ? policy.max_norm : dynamic;
}

/// Puts an applied step's norm into the window in place of the oldest.
GRADUS_HD inline void record_norm(const Table& t, double norm) {
  const std::int64_t window = t.policy->window;
  if (window == 0 || !is_finite(norm)) return;
  StepState& s = *t.state;
  double* oldest = t.norms + s.norms % window;
  double* sorted = t.norms + window;
  std::int64_t hole = s.norms < window ? s.norms : 0;  // a place in `sorted` that is free
  if (s.norms >= window) {
    while (sorted[hole] != *oldest) ++hole;
  }
  const std::int64_t last = s.norms < window ? s.norms : window - 1;
  for (; hole > 0 && sorted[hole - 1] > norm; --hole) sorted[hole] = sorted[hole - 1];
  for (; hole < last && sorted[hole + 1] < norm; ++hole) sorted[hole] = sorted[hole + 1];
  sorted[hole] = norm;
  *oldest = norm;
  ++s.norms;
}

/// torch.cuda.amp.GradScaler's update: back off after a bad step, grow after `growth_interval` good
/// ones in a row. The scale is an f32, as there.
GRADUS_HD inline void move_loss_scale(const Policy& policy, StepState& s) {
  if (policy.growth_interval == 0) return;
  if (!s.finite) {
    s.loss_scale = double(float(s.loss_scale * policy.backoff));
    s.good_steps = 0;
  } else if (++s.good_steps == policy.growth_interval) {
    const double grown = double(float(s.loss_scale * policy.growth));
    if (is_finite(grown)) s.loss_scale = grown;
    s.good_steps = 0;
  }
}

GRADUS_HD inline bool must_halt(const Policy& policy, const StepState& s) {
  if (s.finite) return false;
  if (policy.halt_on_non_finite) return true;
  if (policy.growth_interval > 0) return s.loss_scale < policy.min_scale;
  return policy.max_bad_in_row > 0 && s.bad_in_row > policy.max_bad_in_row;
}

/// The verdict; `total` is the join of all partials.
GRADUS_HD inline void judge(const Table& t, double total) {
  StepState& s = *t.state;
  const Policy& policy = *t.policy;
  const double window = (s.samples > 0 ? s.samples : 1) * s.loss_scale;
  s.norm = (policy.infinity_norm ? total : std::sqrt(total)) / window;
  s.finite = is_finite(s.norm);
  if (!s.finite) find_bad(t);
  s.bad_in_row = s.finite ? 0 : s.bad_in_row + 1;
  const bool may = s.finite || (!policy.skip_non_finite && policy.growth_interval == 0);
  s.go = s.halted_at < 0 && may;
  s.factor = 1;
  if (const double threshold = clip_threshold(t); threshold > 0) {
    const double factor = threshold / (s.norm + 1e-6);
    s.factor = factor > 1 ? 1 : factor;  // NaN stays NaN
  }
  s.unscale = s.factor / window;
  if (s.halted_at < 0) {
    move_loss_scale(policy, s);
    if (must_halt(policy, s)) {
      s.halted_at = s.attempted;
      s.go = 0;
    }
  }
  s.row = s.applied % t.ring_rows * t.groups;
  ++s.attempted;
  s.applied += s.go;
  s.samples = 0;
  s.micro = 0;
  if (s.go) record_norm(t, s.norm);
}

/// The first chunk of a segment: chunks are in the order of the segments.
GRADUS_HD inline std::int64_t first_chunk(const Table& t, std::int32_t segment) {
  std::int64_t low = 0, high = t.chunk_count;
  while (low < high) {
    const std::int64_t middle = low + (high - low) / 2;
    if (t.chunks[middle].segment < segment)
      low = middle + 1;
    else
      high = middle;
  }
  return low;
}

/// Sums over the chunks of a segment: what is in the two halves of the partials.
struct SegmentSums {
  double first = 0, second = 0;
};
GRADUS_HD inline SegmentSums sums_of(const Table& t, std::int32_t index) {
  SegmentSums sums;
  for (std::int64_t c = first_chunk(t, index); c < t.chunk_count && t.chunks[c].segment == index;
       ++c) {
    sums.first += t.partials[c];
    sums.second += t.partials[t.chunk_count + c];
  }
  return sums;
}

/// True if `Rule` moves this segment, and adapts its rate.
template <class Rule>
GRADUS_HD bool adapts(const Table& t, const Segment& segment) {
  return (segment.flags & Segment::adapt) != 0 && segment.updates() &&
         t.rules[segment.group].index == rules::All::index_of<Rule>;
}

/// For rules that adapt a rate to norms: the factor of one segment, from |g| and |p| of its chunks.
GRADUS_HD inline double adapted_ratio(const Table& t, std::int32_t index) {
  const Segment& segment = t.segments[index];
  if (!adapts<rules::Lars>(t, segment)) return 1;
  const auto [g, p] = sums_of(t, index);
  const OpCall& rule = t.rules[segment.group];
  const StepState& s = *t.state;
  const double decay =
      (segment.flags & Segment::decay) != 0 ? t.ring[s.row + segment.group].decay : 0;
  return ops::from_parameters<rules::Lars>(rule.p).trust(std::sqrt(p), std::sqrt(g) * s.unscale,
                                                         decay);
}

/// After the verdict, if it was to go: one segment's clock.
GRADUS_HD inline void advance(const Table& t, std::int32_t segment) {
  SegmentClock& clock = t.clocks[segment];
  clock.steps += t.segments[segment].updates();
  if (t.needs_norms) clock.ratio = adapted_ratio(t, segment);
}

/// After `prepare`: the factor of one segment's rate, from |update| and |p| of its chunks.
GRADUS_HD inline void settle(const Table& t, std::int32_t index) {
  const Segment& segment = t.segments[index];
  if (!segment.updates() || t.rules[segment.group].index != rules::All::index_of<rules::Lamb>)
    return;
  double& ratio = t.clocks[index].ratio;
  ratio = 1;
  if (!adapts<rules::Lamb>(t, segment)) return;
  const auto [update, p] = sums_of(t, index);
  ratio = rules::Lamb{}.trust(std::sqrt(p), std::sqrt(update));
}

}  // namespace gradus::epilogue
