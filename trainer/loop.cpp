// The loop: epochs of windows, and what happens after each step.
#include "gradus/trainer/loop.h"

#include <algorithm>
#include <filesystem>
#include <functional>

#include "gradus/kernels/create.h"
#include "gradus/trainer/checkpoint/store.h"
#include "gradus/trainer/data/loader.h"
#include "gradus/trainer/logging.h"

namespace gradus::trainer {

Loop::Loop(Trainer& trainer, Config config, std::shared_ptr<Task> task,
           std::map<std::string, DatasetPointer> data)
    : trainer_(trainer),
      config_(std::move(config)),
      device_(device_of(config_)),
      task_(std::move(task)),
      data_(std::move(data)),
      metrics_(device_) {
  begin_precision();
  task_->module().to(device_);
  const auto& t = config_.trainer;
  const std::string metric = t.training_metric == "none" ? "" : t.training_metric;
  selection_ = Selection(metric, t.direction == "max", t.min_delta, t.stopping_patience);
  for (const auto& hook : task_->build_hooks()) add(hook);
  for (auto& [name, set] : task_->build_data()) data_[name] = std::move(set);
  for (const auto& [name, set] : data_) {
    const auto found = config_.data.find(name);
    const DataConfig c = found == config_.data.end() ? DataConfig{} : found->second;
    const bool train = name == "train";
    loaders_[name] = std::make_unique<Loader>(
        set, LoaderOptions{.batch_size = c.batch_size,
                           .shuffle = train,
                           .drop_last = c.drop_last,
                           .seed = static_cast<std::uint64_t>(config_.run.seed),
                           .workers = static_cast<int>(c.workers),
                           .prefetch = static_cast<int>(c.prefetch),
                           .retries = static_cast<int>(c.retries),
                           .timeout_s = t.dataloader_timeout_s});
  }
}

Loop::~Loop() = default;

void Loop::add(std::shared_ptr<Hook> hook) {
  hooks_.push_back(std::move(hook));
  std::stable_sort(hooks_.begin(), hooks_.end(), [](const auto& a, const auto& b) {
    return a->priority() != b->priority() ? a->priority() < b->priority() : a->name() < b->name();
  });
}

void Loop::add(std::unique_ptr<Sink> sink) { sinks_.add(std::move(sink)); }

void Loop::use_directory(const std::string& directory, std::function<void()> confirm,
                         Files& files) {
  check(state_.attempted == 0, ErrorKind::argument,
        "trainer: use_directory() must come before training");
  directory_ = directory;
  confirm_ = std::move(confirm);
  files_ = &files;
  if (trial_ == nullptr || config_.checkpoint.in_trials)
    store_ =
        std::make_unique<CheckpointStore>(files, std::filesystem::path(directory) / "checkpoints");
}

std::int64_t Loop::samples(const std::string& name) const {
  const auto found = data_.find(name);
  return found == data_.end() ? 0 : found->second->size();
}

void Loop::run_hooks(HookPhase phase, HookContext context) {
  for (const auto& hook : hooks_) {
    if (hook->phase() == phase) hook->run(context);
  }
}

/// Samples of one epoch of training: all, fewer with drop_last, or what batches_per_epoch allows;
/// unknown_length of a stream that does not say.
static std::int64_t samples_of_epoch(const Loader& loader, double cap) {
  const std::int64_t size = loader.options().batch_size, batches = loader.batches(cap);
  if (batches == unknown_length) return unknown_length;
  const std::int64_t all = loader.data().size();
  const std::int64_t samples =
      batches > unknown_length / size ? unknown_length : batches * size;  // of a stream, any number
  return all > 0 ? std::min(all, samples) : samples;
}

void Loop::prepare() {
  if (prepared_) return;
  prepared_ = true;
  if (loaders_.count("train") > 0) {
    const TrainerConfig& t = config_.trainer;
    if (t.batches_per_epoch > 0 && t.batches_per_epoch < 1 && data_.at("train")->size() == 0)
      config_.fail("trainer.batches_per_epoch", "a share of a stream whose length is not known");
    epoch_samples_ = samples_of_epoch(*loaders_.at("train"), t.batches_per_epoch);
    if (t.skip_validation) judged_.emplace(device_);
    freeze();
    build_optimizers();
    begin_graphs();
  }
}

/// A break where no step or epoch is under way ends what threw it, and nothing else.
static void outside_steps(const std::function<void()>& f) try { f(); } catch (const BreakStep&) {
} catch (const BreakEpoch&) {
}

/// The same where all epochs are over.
void Loop::at_end_of_all(const std::function<void()>& f) try {
  outside_steps(f);
} catch (const BreakAllEpochs&) {
}

/// The same of an evaluation. False, and why in `status`, where a signal left no time for it.
bool Loop::evaluated(std::string& status, const std::function<void()>& f) try {
  at_end_of_all(f);
  return true;
} catch (const LeftEvaluation&) {
  status = stop_reason();
  return false;
}

Result Loop::fit() {
  const double began = now_seconds();
  const LogScope log(trainer_);
  HookContext hook = context();
  Result result;
  try {
    fitting_ = true;
    result = train(began);
    fitting_ = false;
  } catch (...) {
    fitting_ = false;
    try {
      at_end_of_all([&] { run_hooks(HookPhase::exit, hook); });
    } catch (const std::exception& another) {
      log_message({"a hook at exit: ", another.what()});
    }
    throw;
  }
  hook.signal = std::max(0, stop_signal_.exchange(0));  // the next fit() is another run
  at_end_of_all([&] { run_hooks(HookPhase::exit, hook); });
  return result;
}

Result Loop::train(double began) {
  prepare();
  open_sinks();
  left_ = false;
  std::string status;
  if (loaders_.count("train") == 0) {  // nothing to train: evaluate everything
    if (evaluated(status, [&] { validate(); })) status = "done";
    return finish(status, began);
  }
  started_ = last_save_time_ = began - state_.elapsed_seconds;
  last_save_time_ = began;
  times_ = Times{.since = began, .processor = processor_seconds()};
  const auto& t = config_.trainer;
  shown_.epoch_steps = steps_per_epoch();
  shown_.epochs = t.max_epochs;
  shown_.steps = t.max_steps > 0 ? t.max_steps : t.max_epochs * shown_.epoch_steps;
  begin_profile();
  first_epoch_ = state_.epoch;
  try {
    outside_steps([&] { run_hooks(HookPhase::training_start, context()); });
    if (t.preflight) preflight();
    if (t.evaluate_at_start && state_.attempted == 0) outside_steps([&] { validate(); });
    if (unfinished_) {  // of the checkpoint's step
      bool ended = epoch_is_over();
      try {
        after_step(ended);
      } catch (const BreakEpoch&) {
        settle();
        ended = true;
      }
      if (ended) end_epoch();
    }
    status = stop_reason();
  } catch (const BreakAllEpochs&) {
    status = "done";
  } catch (const LeftEvaluation&) {
    status = stop_reason();
  }
  while (status.empty()) {
    train_epoch(status);
    if (status.empty()) status = stop_reason();
  }
  state_.elapsed_seconds = now_seconds() - started_;
  read_clocks();
  if (halted_) status = "diverged";
  bool best = false;
  evaluated(status, [&] { best = validate_last(status); });
  if (best) at_end_of_all([&] { save_if_due(SaveReason::best); });
  if (!left_)
    at_end_of_all([&] { save_if_due(SaveReason::last); });
  else if (!halted_)
    rescue();  // the step as it is: its validation is still to be made
  wait_for_save();
  state_.phase = Phase::end;
  at_end_of_all([&] { run_hooks(HookPhase::training_end, context()); });
  return finish(status, began);
}

/// One epoch, or what is left of it. Sets `status` where the run is over. Whatever code of the user
/// throws a break, the epoch's end is reached once.
void Loop::train_epoch(std::string& status) try {
  state_.phase = Phase::train;
  try {
    if (state_.cursor == 0) {
      try {
        run_hooks(HookPhase::epoch_start, context());
      } catch (const BreakStep&) {  // no step has begun
      }
    }
    start_reading();
    while (!epoch_is_over()) {
      const std::int64_t before = state_.attempted;
      if (!window()) break;
      const bool ended = epoch_is_over();
      if (state_.attempted != before) after_step(ended);
      if (ended) break;
      status = stop_reason();
      if (!status.empty()) return;
    }
  } catch (const BreakEpoch&) {
    drop_window();
    if (unfinished_) settle();  // what was left of the step before is left out
  }
  end_epoch();
} catch (const BreakAllEpochs&) {
  drop_window();
  status = "done";
} catch (const LeftEvaluation&) {
  status = stop_reason();
}

/// What follows an optimizer step: row, validation, choice of the best, checkpoint. At an epoch's
/// end end_epoch() does all but the row.
void Loop::after_step(bool epoch_ended) try {
  if (saving_.ended()) wait_for_save();
  state_.elapsed_seconds = now_seconds() - started_;
  log_if_due();
  log_histograms();
  log_images_if_due();
  tick();
  if (epoch_ended) return;
  const bool best = validation_due(false) && validate();
  save_if_due(best ? SaveReason::best : SaveReason::step);
  end_profile();
} catch (const BreakStep&) {
  settle();  // what was left of this step is left out
}

/// Reading goes on where the state stands.
void Loop::start_reading() {
  loaders_.at("train")->start(state_.epoch, state_.cursor, stream_.cursor);
}

bool Loop::epoch_is_over() const { return state_.cursor >= epoch_samples_ || stream_.ended; }

/// Whether the step just made, or the epoch just ended, is one to validate at. Never twice at one.
bool Loop::validation_due(bool epoch_ended) const {
  const auto& t = config_.trainer;
  if (state_.attempted < t.validate_after || validated_step_ == state_.attempted) return false;
  const auto at = [](std::int64_t every, std::int64_t n) { return every > 0 && n % every == 0; };
  const double since = state_.elapsed_seconds - validated_at_;
  return at(t.validate_every_n_steps, state_.attempted) ||
         (epoch_ended && at(t.validate_every_n_epochs, state_.epoch)) ||
         (t.validate_every_n_seconds > 0 && since >= t.validate_every_n_seconds);
}

/// Nothing of a step is left to be done but its checkpoint.
void Loop::settle() {
  unfinished_ = false;
  if (logged_) metrics_.clear();
  logged_ = false;
}

void Loop::end_epoch() try {
  ++state_.epoch;
  state_.epoch_step = 0;
  state_.cursor = 0;
  if (stream_.ended) stream_ = {};  // else the next epoch goes on where this one stopped
  run_hooks(HookPhase::epoch_end, context());
  const bool best = validation_due(true) && validate();
  save_if_due(best ? SaveReason::best : SaveReason::epoch);
  end_profile();
} catch (const BreakStep&) {
  settle();
} catch (const BreakEpoch&) {  // it is over
  settle();
}

/// With count = "applied" the steps that were skipped are made up for at the end. The device is
/// read only where a step could be the last: at steps that depend on nothing but earlier readings.
bool Loop::steps_done() {
  const auto& t = config_.trainer;
  if (state_.attempted < std::max(last_step_, t.max_steps)) return false;
  if (t.count == "attempted") return true;
  read_clocks();
  last_step_ = state_.attempted + t.max_steps - state_.applied;
  return state_.attempted >= last_step_;
}

/// Why the run should end now, or "". First condition to hold wins; n means exactly n.
std::string Loop::stop_reason() {
  const auto& t = config_.trainer;
  if (pruned_) return "pruned";
  if (const int signal = stop_signal_.load(); signal != 0)
    return signal < 0 ? "partial" : signal == 2 ? "interrupted" : trial_ ? "pruned" : "requeue";
  if (halted_) return "diverged";
  if (t.max_steps > 0 && steps_done()) return "done";
  if (t.max_epochs > 0 && state_.epoch >= t.max_epochs) return "done";
  if (t.max_samples > 0 && state_.samples >= t.max_samples) return "done";
  if (t.max_seconds > 0 && state_.elapsed_seconds >= t.max_seconds) return "done";
  if (selection_.exhausted()) return "early_stopped";
  if (t.epochs_per_job > 0 && state_.epoch - first_epoch_ >= t.epochs_per_job) return "partial";
  return "";
}

Result Loop::finish(std::string status, double began) {
  const auto over = [&] { return status == "done" || status == "early_stopped"; };
  if (over() || status == "diverged") begin_end_row();
  if (over()) evaluate_end(status);  // a job that goes on later does so when it is the end
  write_row(std::exchange(end_row_, {}), true);
  if (over() || status == "diverged") sinks_.end(status);
  sinks_.flush();
  Result result;
  result.status = std::move(status);
  result.state = state_;
  result.best = selection_.best_values();
  result.best_step = selection_.best_step();
  result.signal = std::max(0, stop_signal_.load());
  result.last = last_validation_;
  result.seconds = now_seconds() - began;
  return result;
}

}  // namespace gradus::trainer
