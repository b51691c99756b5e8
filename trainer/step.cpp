// One optimizer step: a window of micro-batches, their gradients summed, and the update.
#include "gradus/autograd/anomaly.h"
#include "gradus/autograd/autocast.h"
#include "gradus/autograd/engine.h"
#include "gradus/autograd/functions.h"
#include "gradus/tensor/random.h"
#include "gradus/trainer/logging.h"
#include "gradus/trainer/loop.h"

namespace gradus::trainer {
namespace {

/// The leaves of optimizers that stand still in this step get no gradient.
class MovingSink final : public GradientSink {
 public:
  explicit MovingSink(const std::vector<NamedOptimizer>& optimizers) : optimizers_(optimizers) {}
  bool wanted(const Leaf& leaf) const override {
    if (leaf.optimizer == nullptr) return true;  // nobody's; of a task that steps by itself
    for (const NamedOptimizer& o : optimizers_)
      if (o.optimizer->moves(leaf)) return o.moves;
    return true;
  }

 private:
  const std::vector<NamedOptimizer>& optimizers_;
};

}  // namespace

/// Turned off, with a line that says why, by whatever needs the host within a micro-step.
void Loop::begin_graphs() {
  if (!config_.trainer.cuda_graph) return;
  const auto off = [](const std::string& why) {
    log_message({"trainer.cuda_graph: no graphs are captured: ", why});
  };
  if (device_.is_cpu()) return off("the model is on the CPU");
  if (several()) return off("there are several optimizers");
  if (retries()) return off("trainer.non_finite looks at every step");
  if (config_.trainer.anomaly) return off("trainer.anomaly looks at every operation");
  if (task_->needs_host()) return off("the task needs the host in its step");
  for (const auto& hook : hooks_) {
    const HookPhase phase = hook->phase();
    if (hook->needs_host() || phase == HookPhase::before_forward ||
        phase == HookPhase::after_forward || phase == HookPhase::after_loss)
      return off("the hook " + hook->name() + " runs on the host in every step");
  }
  graphs_ = std::make_unique<StepGraphs>(device_, task_->module().parameters());
}

void Loop::count(std::string_view name, const Tensor& value, double weight) {
  metrics_.add("train", name, value, weight);
  if (judged_) judged_->add("train", name, value, weight);
}

/// Returns what the batch counts for, nothing if the task gave it no loss.
std::optional<double> Loop::forward_and_backward(Batch& batch) {
  HookContext hook = context();
  hook.batch = &batch;
  run_hooks(HookPhase::before_forward, hook);
  std::optional<AnomalyWatch> watch;
  if (config_.trainer.anomaly) watch.emplace(task_->module().parameters());
  std::optional<StepResult> result;
  {
    const Timed timed(times_.forward, "forward");
    const Autocast lower(lowered_);
    result = task_->step(batch, state_);
  }
  if (!result) return {};
  choose_moving(*result);
  hook.result = &*result;
  run_hooks(HookPhase::after_forward, hook);
  const double weight = weight_of(*result, batch.size);
  for (const auto* list : {&result->losses, &result->records}) {
    for (const Metric& n : *list) count(n.name, n.value, weight);
  }
  if (const Tensor total = total_loss(*result)) count("loss", total, weight);
  run_hooks(HookPhase::after_loss, hook);
  if (watch) keep_anomaly(*watch, batch);
  if (weight == 0) return weight;  // what it says may be 0 / 0
  backward_of(*result, weight);
  if (watch) keep_anomaly(*watch, batch);
  return weight;
}

void Loop::backward_of(const StepResult& result, double weight) {
  const Timed timed(times_.backward, "backward");
  PooledVector<Tensor> outputs, gradients;
  for (const Metric& n : result.losses) {
    if (!n.value.requires_grad()) continue;  // a frozen part's loss is logged only
    outputs.push_back(is_half(n.value.dtype()) ? n.value.to(Dtype::f32) : n.value);
    gradients.push_back(root_gradient(n, weight));
  }
  check(!outputs.empty(), ErrorKind::argument, "train: no loss of the task depends on a parameter");
  if (config_.trainer.balance_losses && outputs.size() > 1) {
    balanced_backward(outputs, gradients, weight);
  } else {
    MovingSink leaves(optimizers_);
    gradus::backward(outputs, gradients, leaves);
  }
  count_weight(weight);
}

/// False if the task gave it no loss.
bool Loop::micro_step(Batch& read, std::int64_t first_row, std::int64_t rows) {
  working_on_ = state_.attempted + 1;
  weights_step_.reset();
  Batch& batch = on_device_.put(read, device_, weights_dtype_);
  HookContext hook = context();
  hook.batch = &batch;
  run_hooks(HookPhase::batch, hook);
  batch.first_row = first_row;
  // The same key for every micro-batch of the window; rows place this one within the global batch,
  // so that random numbers do not depend on how the batch was split.
  const auto step = static_cast<std::uint32_t>(state_.attempted);
  const RandomScope random(static_cast<std::uint64_t>(config_.run.seed), step, 0, first_row, rows,
                           batch.size);
  std::optional<double> weight;
  if (graphs_) {
    MicroStepKind kind{{},
                       first_row,
                       task_->variant(batch, state_),
                       metrics_.place(),
                       judged_ ? judged_->place() : nullptr};
    for (const auto& [name, t] : batch.fields)
      kind.fields.push_back({t.data(), t.shape(), t.dtype()});
    weight = graphs_->run(kind, step, [&] { return forward_and_backward(batch); });
  } else {
    weight = forward_and_backward(batch);
  }
  drew_random_ = drew_random_ || random_state().op > 0;
  window_weight_ += weight.value_or(0);
  return weight.has_value();
}

/// Hooks that write gradients get them as they are meant, and those after them, too.
void Loop::before_update() {
  HookContext hook = context();
  bool unscaled = false;
  for (const auto& h : hooks_) {
    if (h->phase() != HookPhase::before_optimizer_step) continue;
    if (h->writes_gradients() && !std::exchange(unscaled, true)) {
      for (const NamedOptimizer& o : optimizers_)
        if (o.moves) o.optimizer->unscale_gradients();
    }
    h->run(hook);
  }
}

void Loop::optimizer_step() {
  before_update();
  {
    const Timed timed(times_.optimizer, "optimizer");
    updating_ = true;
    for (NamedOptimizer& o : optimizers_)
      if (o.moves) o.optimizer->step();
    updating_ = false;
  }
  ++state_.attempted;
  ++state_.epoch_step;
  ++times_.steps;
  window_weight_ = 0;
  in_window_ = false;
  stepped_ = state_;
  stepped_stream_ = stream_;
  unfinished_ = true;
  run_hooks(HookPhase::after_optimizer_step, context());
  run_hooks(HookPhase::step_end, context());
}

void Loop::step(Batch& batch) {
  prepare();
  state_.phase = Phase::train;
  entries_.clear();
  const LogScope log(trainer_);
  thaw_if_due();
  do {
    anomaly_.clear();
    begin_window();
    if (!micro_step(batch, 0, batch.size) || window_weight_ == 0) return;
    ++state_.micro;
    optimizer_step();
    if (config_.trainer.anomaly) tell_of_anomaly();
  } while (config_.trainer.non_finite == "retry_same" && was_bad() && !halted_);
  state_.samples += batch.size;
  log_if_due();
  tick();
  settle();
}

}  // namespace gradus::trainer
