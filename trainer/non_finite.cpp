// trainer.non_finite: what happens after a step whose gradient was not finite. The device decides
// by itself (skip, raise and all limits cost no wait); only the retries look at every step.
#include <utility>

#include "gradus/tensor/error.h"
#include "gradus/tensor/random.h"
#include "gradus/trainer/data/loader.h"
#include "gradus/trainer/loop.h"

namespace gradus::trainer {

bool Loop::retries() const { return config_.trainer.non_finite.starts_with("retry"); }

/// True if the last step was skipped. Waits for the device.
bool Loop::was_bad() {
  if (config_.trainer.non_finite == "retry_same" && !drew_random_ &&
      !std::exchange(told_of_retry_, true))
    log_message(
        {"trainer.non_finite = \"retry_same\": nothing in a step is random, so that the same "
         "samples give the same gradient; retry_new would take others"});
  read_clocks();
  for (const NamedOptimizer& o : optimizers_)
    if (o.moves && o.clock.finite == 0) return true;
  return false;
}

/// After a bad step: with retry_same the samples of its window come again, as if they had not been
/// read. The step counts as attempted, so that its random numbers are new ones, also where the run
/// is interrupted here and goes on. With retry_new the next samples come, and nothing is to do.
void Loop::rewind() {
  if (config_.trainer.non_finite != "retry_same" || halted_) return;
  state_.cursor = whole_.cursor;
  state_.samples = whole_.samples;
  state_.epoch_step = whole_.epoch_step;
  stepped_ = state_;
  stream_ = stepped_stream_ = whole_stream_;
  start_reading();
}

/// Counts and names, once for the steps skipped since the last look.
void Loop::tell_of_skipped() {
  std::int64_t skipped = 0;
  for (const NamedOptimizer& o : optimizers_) skipped += o.clock.attempted - o.clock.applied;
  if (skipped <= told_skipped_) return;
  std::string names;
  for (const NamedOptimizer& o : optimizers_) {
    for (const std::string& name : o.optimizer->non_finite_parameters())
      names += (names.empty() ? "" : ", ") + name;
  }
  log_message({"step ", state_.attempted, ": ", skipped - told_skipped_,
               " skipped since the last look, ", skipped,
               " in all: gradients were not finite, the last time in ", names});
  told_skipped_ = skipped;
  if (!halted_) return;
  for (const NamedOptimizer& named : optimizers_) {
    if (named.clock.halted_at < 0) continue;
    const LossScaleConfig& scale = named.config.optim.loss_scale;
    if (scales_ && scale.fixed == 0)
      log_message({"the loss scale fell to ", named.clock.loss_scale,
                   ", below optim.loss_scale.min = ", scale.min, ": the run has diverged"});
    else
      log_message({"trainer.non_finite = \"", config_.trainer.non_finite, "\": step ",
                   named.clock.halted_at + 1, " was the last; the run has diverged"});
  }
}

}  // namespace gradus::trainer
