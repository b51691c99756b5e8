// trainer.non_finite: what happens after a step whose gradient was not finite. The device decides
// by itself (skip, raise and all limits cost no wait); only the retries look at every step.
#include "gradus/tensor/error.h"
#include "gradus/tensor/random.h"
#include "gradus/trainer/data/loader.h"
#include "gradus/trainer/trainer.h"

namespace gradus::trainer {

bool Trainer::retries() const { return config_.trainer.non_finite.starts_with("retry"); }

/// True if the last step was skipped. Waits for the device.
bool Trainer::was_bad() { return read_clock().finite == 0; }

/// After a bad step: with retry_same the samples of its window come again, as if they had not been
/// read. The step counts as attempted, so that its random numbers are new ones, also where the run
/// is interrupted here and goes on. With retry_new the next samples come, and nothing is to do.
void Trainer::rewind() {
  if (config_.trainer.non_finite != "retry_same" || halted_) return;
  if (!drew_random_)
    log_message(
        {"trainer.non_finite = \"retry_same\": nothing in a step is random, so that the same "
         "samples give the same gradient; retry_new would take others"});
  state_.cursor = whole_.cursor;
  state_.samples = whole_.samples;
  state_.epoch_step = whole_.epoch_step;
  stepped_ = state_;
  stream_ = stepped_stream_ = whole_stream_;
  start_reading();
}

/// Counts and names, once for the steps skipped since the last look.
void Trainer::tell_of_skipped(const optim::StepState& clock) {
  const std::int64_t skipped = clock.attempted - clock.applied;
  if (skipped <= told_skipped_) return;
  std::string names;
  for (const std::string& name : optimizer_->non_finite_parameters())
    names += (names.empty() ? "" : ", ") + name;
  log_message({"step ", clock.attempted, ": ", skipped - told_skipped_,
               " skipped since the last look, ", skipped,
               " in all: gradients were not finite, the last time in ", names});
  told_skipped_ = skipped;
  if (!halted_) return;
  const OptimConfig& o = config_.optim;
  if (scales_ && o.loss_scale.fixed == 0)
    log_message({"the loss scale fell to ", clock.loss_scale,
                 ", below optim.loss_scale.min = ", o.loss_scale.min, ": the run has diverged"});
  else
    log_message({"trainer.non_finite = \"", config_.trainer.non_finite, "\": step ",
                 clock.halted_at + 1, " was the last; the run has diverged"});
}

}  // namespace gradus::trainer
