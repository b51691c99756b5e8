#include "gradus/tensor/random.h"

#include <mutex>

namespace gradus {
namespace {

struct Hidden {
  std::mutex mutex;
  RandomState state;
};
Hidden& hidden() {
  static Hidden state;
  return state;
}

thread_local RandomScope* innermost = nullptr;

/// The current position; `op` moves on, and into `step` where nobody else counts steps.
RandomState take(RandomState& state, bool owns_steps) {
  const RandomState now = state;
  if (++state.op == 0) {
    check(owns_steps, ErrorKind::argument, "random: more than 2^32 draws in one step");
    ++state.step;
  }
  return now;
}

Draw draw_at(const RandomState& s, Stream stream) {
  return {s.seed, s.op, s.step, stream == Stream::module ? s.module_stream : stream, 0};
}

}  // namespace

struct RandomAccess {
  static RandomState& state(RandomScope& scope) { return scope.state_; }
};

RandomScope::RandomScope(const RandomState& state) : state_(state), outer_(innermost) {
  if (state_.chunk_rows == 0 && state_.rows > 0) state_.chunk_rows = state_.rows - state_.first_row;
  check(state_.first_row >= 0 && state_.chunk_rows >= 0 &&
            (state_.rows == 0 || state_.first_row + state_.chunk_rows <= state_.rows),
        ErrorKind::argument, "RandomScope: rows ", state_.first_row, " to ",
        state_.first_row + state_.chunk_rows, " of a batch of ", state_.rows);
  innermost = this;
}

RandomScope::~RandomScope() { innermost = outer_; }

void manual_seed(std::uint64_t seed) {
  Hidden& h = hidden();
  const std::lock_guard lock(h.mutex);
  h.state = {seed};
}

RandomState random_state() {
  if (innermost != nullptr) return RandomAccess::state(*innermost);
  Hidden& h = hidden();
  const std::lock_guard lock(h.mutex);
  return h.state;
}

void set_random_state(const RandomState& state) {
  if (innermost != nullptr) {
    RandomAccess::state(*innermost) = state;
    return;
  }
  Hidden& h = hidden();
  const std::lock_guard lock(h.mutex);
  h.state = state;
}

Draw next_draw(Stream stream, const Shape& shape) {
  if (innermost == nullptr) {
    Hidden& h = hidden();
    const std::lock_guard lock(h.mutex);
    return draw_at(take(h.state, true), stream);
  }
  const RandomState s = take(RandomAccess::state(*innermost), false);
  Draw draw = draw_at(s, stream);
  const bool batched =
      s.chunk_rows > 0 && !shape.empty() && shape[0] > 0 && shape[0] % s.chunk_rows == 0;
  if (batched) draw.first = s.first_row * (shape.numel() / s.chunk_rows);
  return draw;
}

Draw Generator::next(Stream stream) { return draw_at(take(state_, true), stream); }

}  // namespace gradus
