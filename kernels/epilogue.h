// Contract: what happens between the last gradient and the next forward, in three launches and two
// passes over memory, without a word to the host.
//
//   stats    one read of the gradients: a sum of squares for each chunk, which also shows whether
//            every element is finite
//   decide   one block: norm, clip factor, verdict, loss scale, counters, the row of the schedule
//   apply    one read and write of everything else: unscale, clip, rule, master weight,
//            low-precision copy, averages
//
// Rules that need more than that of their own update (LAMB its norm, Muon its matrix) have a pass
// between the last two, `prepare`, which does nothing for all others.
//
// All work on a table with a row for each parameter (Segment) and chunks of 16,384 elements. Chunks
// are fixed by the sizes alone, and sums are taken in their order: bits do not depend on threads.
#pragma once

#include <cstdint>

#include "gradus/kernels/ops/op.h"
#include "gradus/tensor/dispatch.h"
#include "gradus/tensor/dtype.h"
#include "gradus/tensor/pooled.h"

namespace gradus::epilogue {

inline constexpr std::int64_t chunk_elements = 16384;  // 64 KiB of f32
inline constexpr int max_slots = 4, max_averages = 2;

/// One parameter (or tracked buffer). Pointers may lie anywhere; only speed depends on it.
struct Segment {
  enum Flag : std::uint32_t {
    decay = 1,         // weight decay acts on it
    adapt = 2,         // LARS and LAMB adapt its rate; without: ratio 1
    frozen = 4,        // nothing at all happens to it
    average_only = 8,  // it has no gradient this time, or never: only its averages move
    copy_only = 16     // its averages are copies (counters); any dtype
  };
  void* p = nullptr;            // master weight (f32 or f64), or null: it is split
  void* g = nullptr;            // gradient, contiguous
  void* state[max_slots] = {};  // the rule's slots, in p's dtype
  void* low = nullptr;          // low-precision copy read by the next forward, or null
  // Lower halves of a split master (kernels/split_master.h), whose upper halves are `low`, bf16.
  std::uint16_t* remainder = nullptr;
  void* average[max_averages] = {};  // moving average, teacher; or null
  std::int64_t n = 0;                // elements
  std::int32_t group = 0;            // column of the schedule
  std::uint32_t flags = 0;
  Dtype dtype = Dtype::f32, g_dtype = Dtype::f32, low_dtype = Dtype::bf16;
  GRADUS_HD bool updates() const { return (flags & (frozen | average_only | copy_only)) == 0; }
};

/// What decide writes of one segment. Not in its Segment, which only the host writes.
struct SegmentClock {
  std::int64_t steps = 0;  // applied steps of this segment: bias correction counts these
  double ratio = 1;        // LARS, LAMB: factor of its rate
};

/// Elements [begin, begin + n) of a segment; chunks are in the order of the segments.
struct Chunk {
  std::int64_t begin;
  std::int32_t segment;
  std::int32_t n;
};

/// One optimizer's clock and verdict; written only by `decide`, except `samples` and `micro`, which
/// add_samples adds up over the micro-batches of a window.
struct StepState {
  std::int64_t attempted = 0, applied = 0, micro = 0;
  double samples = 0;  // weight seen in this window; gradients are divided by it. 0 counts as 1
  double loss_scale = 1;
  double norm = 0;       // of all gradients of the last window, unscaled, before clipping
  double factor = 1;     // clip factor
  double unscale = 1;    // what apply multiplies gradients by: factor / (samples * loss_scale)
  std::int64_t row = 0;  // of the ring, for this step
  std::int32_t good_steps = 0, bad_in_row = 0, finite = 1;
  std::int32_t go = 0;          // apply does something
  std::int64_t norms = 0;       // ever recorded for Policy::window
  std::int64_t halted_at = -1;  // or the attempted step at which a policy stopped all later updates
  // The first with a non-finite element, in the last step that had any.
  std::int32_t bad_segments[5] = {-1, -1, -1, -1, -1};
};

/// What one group does at one applied step. Rates are absolute; 1 - average is the weight of p.
struct ScheduleRow {
  double lr = 0, momentum = 0, decay = 0, average = 0, teacher = 0;
};

/// What is constant over many steps.
struct Policy {
  double max_norm = 0;   // clip by the norm; 0: no clipping
  double max_value = 0;  // clip each element; 0: no clipping
  bool infinity_norm = false;
  bool skip_non_finite = true;
  bool halt_on_non_finite = false;
  std::int32_t max_bad_in_row = 0;   // without a dynamic loss scale; more halts. 0: no limit
  std::int32_t growth_interval = 0;  // 0: the loss scale is fixed
  double growth = 2, backoff = 0.5, min_scale = 0;
  // Clip by clip_factor times a quantile of the last `window` applied norms, once there are
  // `clip_after` of them; 0: not.
  std::int32_t window = 0, clip_after = 0;
  double quantile = 0, clip_factor = 1;
};

/// Everything the three launches read; all pointers are on the device of the parameters.
struct Table {
  const Segment* segments = nullptr;
  SegmentClock* clocks = nullptr;  // [segments]
  const Chunk* chunks = nullptr;
  double* partials = nullptr;         // [chunks] of stats; twice as many if needs_norms or prepares
  const ScheduleRow* ring = nullptr;  // [ring_rows][groups]; applied step s uses row s % ring_rows
  double* norms = nullptr;        // [2][window]: the last applied norms by age (a ring), and sorted
  const OpCall* rules = nullptr;  // [groups], of rules::All
  const Policy* policy = nullptr;
  StepState* state = nullptr;
  std::int64_t chunk_count = 0, elements = 0;
  std::int32_t segment_count = 0, ring_rows = 1, groups = 1;
  bool needs_norms = false;  // some rule reads |p| and |g|: partials has a second half, of weights
  bool prepares = false;     // some rule has a pass before `apply`; the same second half
};

}  // namespace gradus::epilogue

namespace gradus::cpu {
/// samples += weight, micro += 1.
void epilogue_add_samples(epilogue::StepState* state, double weight);
void epilogue_stats(const epilogue::Table& table);
void epilogue_decide(const epilogue::Table& table);
/// Of rules with a pass before: moves their slots, and then LAMB's ratio of each segment.
void epilogue_prepare(const epilogue::Table& table);
void epilogue_apply(const epilogue::Table& table);
/// Exchanges the values of every segment with its average[which] and rewrites its low copy.
void epilogue_exchange(const epilogue::Table& table, int which);
}  // namespace gradus::cpu

namespace gradus::cuda {
void epilogue_add_samples(epilogue::StepState* state, double weight);
void epilogue_stats(const epilogue::Table& table);
void epilogue_decide(const epilogue::Table& table);
/// Of rules with a pass before: moves their slots, and then LAMB's ratio of each segment.
void epilogue_prepare(const epilogue::Table& table);
void epilogue_apply(const epilogue::Table& table);
void epilogue_exchange(const epilogue::Table& table, int which);
}  // namespace gradus::cuda
