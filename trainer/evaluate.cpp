// Validation, the choice of the best, and what is written about them.
#include <algorithm>
#include <utility>

#include "gradus/autograd/autocast.h"
#include "gradus/autograd/node.h"
#include "gradus/tensor/random.h"
#include "gradus/trainer/data/loader.h"
#include "gradus/trainer/logging.h"
#include "gradus/trainer/loop.h"

namespace gradus::trainer {
namespace {

/// Another value until the end of the scope.
template <class T>
struct Restore {
  Restore(T& place, T value) : place(place), before(std::exchange(place, value)) {}
  ~Restore() { place = before; }
  Restore(const Restore&) = delete;
  Restore& operator=(const Restore&) = delete;
  T& place;
  T before;
};

void add_result(Metrics& metrics, const std::string& set, const StepResult& result, double weight) {
  for (const auto* list : {&result.losses, &result.records}) {
    for (const Metric& n : *list) metrics.add(set, n.name, n.value, weight);
  }
  if (const Tensor total = total_loss(result)) metrics.add(set, "loss", total, weight);
}

/// While it lives, what is logged belongs to the data set that is evaluated.
class EvaluationLog {
 public:
  EvaluationLog(Metrics*& current, std::string& current_name, std::vector<std::string>& entries,
                Metrics& metrics, const std::string& name)
      : current_(current) {
    current = &metrics;
    current_name = name;
    entries.clear();
  }
  ~EvaluationLog() { current_ = nullptr; }
  EvaluationLog(const EvaluationLog&) = delete;
  EvaluationLog& operator=(const EvaluationLog&) = delete;

 private:
  Metrics*& current_;
};

}  // namespace

/// The averaged weights for the time of a scope, where there are any and they are wanted.
struct Loop::AverageScope {
  explicit AverageScope(Loop& l) : loop(l) {
    if (l.config_.trainer.evaluate_average) l.put_averages_in();
  }
  ~AverageScope() { loop.take_averages_out(); }
  AverageScope(const AverageScope&) = delete;
  AverageScope& operator=(const AverageScope&) = delete;
  /// Which weights were used, for the record: 1 the averaged ones, 0 the live ones.
  void record(Values& row) const {
    for (const NamedOptimizer& o : loop.optimizers_) {
      const std::string of = loop.several() ? "/" + o.name : "";
      if (o.averaged) row.emplace_back("averaged" + of, o.averaged->averaged() ? 1 : 0);
    }
  }
  Loop& loop;
};

/// `part`: no more batches than trainer.valid_batches_per_epoch says. A signal leaves no time for
/// more than a batch, where who goes on evaluates again.
Values Loop::evaluate_set(const std::string& name, bool part) {
  const bool leaves = at_end_ || (part && (unfinished_ || state_.attempted == 0));
  const auto found = loaders_.find(name);
  check(found != loaders_.end(), ErrorKind::argument, "evaluate: there is no dataset \"", name,
        "\"");
  Loader& loader = *found->second;
  const Restore phase(state_.phase, Phase::validate);  // whatever is thrown in between
  const nn::ModeScope mode(task_->module(), /*training=*/false);
  const NoGrad no_grad;
  HookContext hook = context();
  hook.dataset = name;
  run_hooks(HookPhase::before_eval, hook);
  Metrics metrics(device_);
  const LogScope log(trainer_);
  const EvaluationLog evaluation(evaluated_, evaluated_name_, evaluated_entries_, metrics, name);
  // A stream may have no end: the cap is the only one it has.
  part = part || loader.batches(0) == unknown_length;
  std::int64_t left = loader.batches(part ? config_.trainer.valid_batches_per_epoch : 0);
  loader.start(0);
  const std::int64_t batches = left == unknown_length ? 0 : left;
  std::int64_t row = 0, done = 0;
  for (Batch* batch = nullptr; left > 0 && (batch = loader.next()) != nullptr; --left) {
    batch = &on_device_.put(*batch, device_, weights_dtype_);
    hook.batch = batch;
    batch->first_row = row;
    const RandomScope scope(evaluation_random(row, batch->size));
    run_hooks(HookPhase::before_eval_step, hook);
    if (leaves && stop_signal_.load() > 0) {
      left_ = !at_end_;
      throw LeftEvaluation{};
    }
    StepResult result = [&] {
      const Autocast lower(lowered_);
      return task_->evaluate(*batch, name);
    }();
    hook.result = &result;
    run_hooks(HookPhase::after_eval_step, hook);
    hook.result = nullptr;
    add_result(metrics, name, result, weight_of(result, batch->size));
    row += batch->size;
    if (fitting_) sinks_.evaluating(name, ++done, batches);
  }
  Values values = metrics.means();
  task_->summarize(name, values);
  evaluated_ = nullptr;
  hook.batch = nullptr;
  hook.values = &values;
  run_hooks(HookPhase::after_eval, hook);
  return values;
}

/// What an evaluation draws belongs to the weights and to the place of its samples.
RandomState Loop::evaluation_random(std::int64_t row, std::int64_t size) const {
  RandomState random{static_cast<std::uint64_t>(config_.run.seed),
                     static_cast<std::uint32_t>(weights_step_.value_or(state_.attempted)),
                     0,
                     row,
                     0,
                     size};
  random.module_stream = Stream::evaluation;
  return random;
}

/// A task with a state of its own over an evaluation sees a whole one. What fails here would fail
/// after an epoch.
void Loop::try_evaluations() {
  prepare();
  const Restore trying(trying_, true);
  const nn::ModeScope mode(task_->module(), /*training=*/false);
  const NoGrad no_grad;
  const LogScope log(trainer_);
  Values all;
  for (const auto& [name, set] : data_) {
    if (name == "train") continue;
    LoaderOptions options = loaders_.at(name)->options();
    options.workers = 0;
    Loader loader(set, options);
    loader.start(0);
    Batch* const batch = loader.next();
    if (batch == nullptr) continue;
    Metrics metrics(device_);
    const EvaluationLog evaluation(evaluated_, evaluated_name_, evaluated_entries_, metrics, name);
    const RandomScope scope(evaluation_random(0, batch->size));
    try {
      const Autocast lower(lowered_);
      add_result(metrics, name,
                 task_->evaluate(on_device_.put(*batch, device_, weights_dtype_), name), 1);
    } catch (const Error& error) {
      raise(error.kind(), {"data.", name, ": ", error.what()});
    }
    Values values = metrics.means();
    task_->summarize(name, values);
    if (!waits_for_end(name)) all.insert(all.end(), values.begin(), values.end());
  }
  const bool more = std::any_of(hooks_.begin(), hooks_.end(), [](const auto& hook) {  // of hooks
    return hook->phase() >= HookPhase::before_eval && hook->phase() <= HookPhase::after_eval;
  });
  if (!judged_ && !more && selection_.active() && !all.empty()) selection_.check_named(all);
}

Values Loop::evaluate(const std::string& name) { return evaluate_set(name, /*part=*/false); }

/// At a validation: everything but "train" and what waits for the end.
bool Loop::waits_for_end(const std::string& name) const {
  const auto found = config_.data.find(name);
  const std::string when = found == config_.data.end() ? "auto" : found->second.when;
  return when == "end" || (when == "auto" && name == "test");
}

Tensor Loop::predict(const Batch& batch) {
  const nn::ModeScope mode(task_->module(), /*training=*/false);
  const NoGrad no_grad;
  const Autocast lower(lowered_);
  return task_->predict(on_device_.put(batch, device_, weights_dtype_));
}

std::string Loop::write(const std::string& prompt) {
  const nn::ModeScope mode(task_->module(), /*training=*/false);
  const NoGrad no_grad;
  const Autocast lower(lowered_);
  return task_->write(prompt);
}

/// What training itself had since this was last asked.
Values Loop::training_means() {
  Values values = judged_->means();
  if (!values.empty()) task_->summarize("train", values);
  return values;
}

bool Loop::validate() {
  if (!optimizers_.empty()) read_clocks();
  Values values, row;
  if (judged_) {
    values = training_means();
  } else {
    const Timed timed(times_.other, "validate");
    const AverageScope scope(*this);
    for (const auto& [name, loader] : loaders_) {
      if (name == "train" || waits_for_end(name)) continue;
      const Values some = evaluate_set(name, /*part=*/true);
      values.insert(values.end(), some.begin(), some.end());
    }
    row = values;
    drop_unwritten(row);
    scope.record(row);
  }
  const bool any = std::any_of(loaders_.begin(), loaders_.end(), [&](const auto& l) {
    return l.first != "train" && !waits_for_end(l.first);
  });
  check(!values.empty() || !any || judged_, ErrorKind::argument,
        "validation: the task gave no metric for any batch");
  if (values.empty()) return false;
  if (!at_end_) ++state_.valid_step;  // the end's is made again by whoever resumes it
  validated_at_ = state_.elapsed_seconds;
  last_validation_ = values;
  if (at_end_)
    end_row_ = std::move(row);
  else
    write_row(std::move(row), false);
  if (trial_ && selection_.active()) {
    for (const auto& [name, value] : values)
      if (name == selection_.metric()) trial_->report(state_.attempted, value);
    pruned_ = trial_->should_prune();
  }
  const bool offered = !selection_.history().empty() &&
                       selection_.history().back().first == state_.attempted;  // and saved
  const bool best =
      selection_.active() && !offered && selection_.offer(values, state_.attempted, at_end_);
  for (const NamedOptimizer& o : optimizers_) {
    for (const auto& [name, value] : values)
      if (o.plateau && !at_end_ && name == selection_.metric()) o.plateau->step(value);
  }
  if (judged_) judged_->clear();
  if (!at_end_) validated_step_ = state_.attempted;  // last: what fails before is done again
  settle();  // a value that has been judged must not be judged again
  return best;
}

/// What the run ends with may be the best: it is judged where no validation fell on its last step.
/// A part of the end, which is done again if the end is resumed. True if it is the best.
bool Loop::validate_last(const std::string& status) {
  const bool over = status == "done" || status == "early_stopped";
  if (!over || !config_.trainer.evaluate_at_end || judged_ || state_.attempted == 0 ||
      validated_step_ == state_.attempted)
    return false;
  const Restore end(at_end_, true);
  return validate();
}

/// Data sets that wait for the end, on the best weights if there are any; and the end's row. If a
/// signal left no time for all of it, `status` says so, and who goes on does it all.
void Loop::evaluate_end(std::string& status) {
  const bool any = std::any_of(loaders_.begin(), loaders_.end(), [&](const auto& l) {
    return l.first != "train" && waits_for_end(l.first);
  });
  if (any && config_.trainer.evaluate_at_end) {
    const Restore end(at_end_, true);
    const Values before = last_validation_;
    const bool whole = evaluated(status, [&] {
      std::optional<AverageScope> scope;
      if (!load_best_weights()) scope.emplace(*this);
      for (const auto& [name, loader] : loaders_) {
        if (name == "train" || !waits_for_end(name)) continue;
        Values some = evaluate_set(name, /*part=*/false);
        last_validation_.insert(last_validation_.end(), some.begin(), some.end());
        drop_unwritten(some);
        end_row_.insert(end_row_.end(), some.begin(), some.end());
      }
    });
    if (!whole) {
      last_validation_ = before;
      end_row_.clear();
    }
  }
}

}  // namespace gradus::trainer
