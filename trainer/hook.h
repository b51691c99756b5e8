// The user's code at fixed places of a run.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "gradus/trainer/data/batch.h"
#include "gradus/trainer/metrics.h"
#include "gradus/trainer/state.h"
#include "gradus/trainer/task.h"

namespace gradus::trainer {

class Trainer;

/// Places in the order in which a step passes them. The first four come once a micro-batch.
enum class HookPhase : std::uint8_t {
  training_start,
  epoch_start,
  batch,
  before_forward,
  after_forward,
  after_loss,
  before_optimizer_step,
  after_optimizer_step,
  step_end,
  log,
  log_images,   // a sink takes pictures of this step
  before_eval,  // without an after_eval where a signal ends the evaluation
  before_eval_step,
  after_eval_step,
  after_eval,
  save,
  load,
  epoch_end,
  training_end,
  exit  // once, when fit() is left by whatever way; `signal` says by which
};

/// What a hook sees. Pointers are null where the place has no such thing.
struct HookContext {
  Trainer& trainer;
  const State& state;
  Batch* batch = nullptr;        // at `batch` it may be replaced
  StepResult* result = nullptr;  // after_forward, after_loss
  Values* values = nullptr;  // log and after_eval: what is about to be written; more may be added
  std::string_view dataset = {};  // before_eval ... after_eval
  int signal = 0;                 // exit: the signal that ended the run, 0 for none
};

/// Hooks at one place run by rising priority, then by name: the order of registration never
/// matters.
class Hook {
 public:
  virtual ~Hook() = default;
  virtual std::string name() const = 0;
  virtual HookPhase phase() const = 0;
  virtual int priority() const { return 0; }
  virtual void run(HookContext& context) = 0;
  /// True if it changes gradients at before_optimizer_step. It then sees them, and so do those that
  /// come after it, as the step takes them: divided by the window's weight and the loss scale.
  /// Others see the sums that backward left.
  virtual bool writes_gradients() const { return false; }
  /// True if it needs the host to wait for the device each step: captured graphs are then turned
  /// off.
  virtual bool needs_host() const { return false; }
  /// Its own state, saved with every checkpoint.
  virtual std::string save() const { return {}; }
  virtual void load(const std::string&) {}
};

/// A hook from a function.
std::shared_ptr<Hook> make_hook(std::string name, HookPhase phase,
                                std::function<void(HookContext&)> f, int priority = 0);

/// Thrown by any user code during training; each ends exactly that scope. BreakStep drops the whole
/// accumulation window: its gradients are cleared, its samples count as seen.
struct BreakStep {};
struct BreakEpoch {};
struct BreakAllEpochs {};

}  // namespace gradus::trainer
