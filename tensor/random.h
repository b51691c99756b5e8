// Where random numbers come from: every draw has a position, and its values are a function of that
// position alone (tensor/philox.h). Nothing depends on threads, on the order of calls in other
// threads, or on how a batch was split.
//
//   key     = seed
//   counter = (block low 32, block high 16 | stream 16, op, step),   block = element / 4
//
// `element` counts in the global batch. A training step opens a RandomScope; `op` then counts the
// draws within the step. Outside of any scope `op` counts up from manual_seed(): the one hidden
// state.
#pragma once

#include <cstdint>

#include "gradus/tensor/philox.h"
#include "gradus/tensor/shape.h"

namespace gradus {

/// Independent sequences of one seed, by what the numbers are for.
enum class Stream : std::uint16_t { user, init, module, order, augmentation, host, evaluation };

/// What the values of one draw are a function of. `first` is the global index of element 0.
struct Draw {
  std::uint64_t seed = 0;
  std::uint32_t op = 0, step = 0;
  Stream stream = Stream::user;
  std::int64_t first = 0;
};

/// Philox's counter for block `block` of a draw. Bit 47 of the block is free for a second word a
/// value (`second`), which f64 and 64-bit integers need.
struct Counter {
  std::uint32_t word[4];
};
GRADUS_HD constexpr Counter counter_of(const Draw& d, std::uint64_t block, bool second = false) {
  const std::uint32_t high = static_cast<std::uint32_t>(block >> 32) | (second ? 0x8000u : 0u);
  return {{static_cast<std::uint32_t>(block),
           (high & 0xffffu) | static_cast<std::uint32_t>(d.stream) << 16, d.op, d.step}};
}

/// The place of the next draw of this thread.
struct RandomState {
  std::uint64_t seed = 0;
  std::uint32_t step = 0;       // optimizer steps attempted
  std::uint32_t op = 0;         // draws made within the step
  std::int64_t first_row = 0;   // of this chunk in the global batch
  std::int64_t rows = 0;        // of the global batch; 0: not known
  std::int64_t chunk_rows = 0;  // of this chunk; 0: the rest of the batch, or no batch at all
  /// Draws for Stream::module use this stream: a scope around validation says evaluation.
  Stream module_stream = Stream::module;
  friend bool operator==(const RandomState&, const RandomState&) = default;
};

/// While it lives, draws of this thread count from `state`; what was before is then restored.
class RandomScope {
 public:
  explicit RandomScope(const RandomState& state);
  RandomScope(std::uint64_t seed, std::uint32_t step, std::uint32_t op = 0,
              std::int64_t first_row = 0, std::int64_t rows = 0, std::int64_t chunk_rows = 0)
      : RandomScope(RandomState{seed, step, op, first_row, rows, chunk_rows}) {}
  ~RandomScope();
  RandomScope(const RandomScope&) = delete;
  RandomScope& operator=(const RandomScope&) = delete;

 private:
  friend struct RandomAccess;
  RandomState state_;
  RandomScope* outer_;
};

/// Restarts the hidden state at op 0. Shared by all threads, which then draw in the order of their
/// calls.
void manual_seed(std::uint64_t seed);
/// The innermost scope's state on this thread, or the hidden one.
RandomState random_state();
void set_random_state(const RandomState& state);

/// Takes the next position for a tensor of this shape, whose dimension 0 are the chunk's rows (or a
/// multiple of them: heads, time steps). Any other tensor is not part of the batch: it starts at
/// element 0.
Draw next_draw(Stream stream, const Shape& shape);

/// A sequence of its own, apart from the hidden state and any scope.
class Generator {
 public:
  explicit Generator(std::uint64_t seed) : state_{seed} {}
  Draw next(Stream stream = Stream::user);
  RandomState state() const { return state_; }
  void set_state(const RandomState& state) { state_ = state; }

 private:
  RandomState state_;
};

}  // namespace gradus
