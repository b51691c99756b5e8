// The one clock of a run, saved whole.
#pragma once

#include <cstdint>
#include <string_view>

namespace gradus::trainer {

enum class Phase : std::uint8_t { start, train, validate, end };

/// `attempted` is known to the host and drives stopping, logging, validating, saving and the key of
/// the random numbers. `applied` lives on the device and drives schedule, bias correction and
/// averages: the host copy here is what was read at the last point fixed by `attempted`, to be
/// shown and never obeyed.
struct State {
  std::int64_t attempted = 0;   // optimizer steps begun, skipped ones included
  std::int64_t applied = 0;     // optimizer steps that changed the weights
  std::int64_t micro = 0;       // micro-batches since the start
  std::int64_t samples = 0;     // training samples seen
  std::int64_t epoch = 0;       // epochs finished
  std::int64_t epoch_step = 0;  // steps within this epoch
  std::int64_t cursor = 0;      // samples of this epoch already used: where the order goes on
  std::int64_t valid_step = 0;  // validations done
  double elapsed_seconds = 0;   // training time, earlier jobs of the run included
  Phase phase = Phase::start;
};

}  // namespace gradus::trainer
