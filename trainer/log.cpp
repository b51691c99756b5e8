// What a run writes down: one row of metrics per logging interval, one of times, and a word to the
// progress display after each step. Reading the device happens here, at steps fixed by the
// configuration.
#include <algorithm>

#include "gradus/kernels/create.h"
#include "gradus/trainer/log/row_file.h"
#include "gradus/trainer/trainer.h"

namespace gradus::trainer {

void Trainer::open_sinks() {
  if (store_ != nullptr) {
    const auto& c = config_.log;
    const auto add_file = [&]<class File>(const char* name, Record::Kind kind) {
      sinks_.add(std::make_unique<File>(*files_, directory_ / name, kind, c.every_n_steps));
    };
    if (c.csv) add_file.operator()<CsvFile>("metrics.csv", Record::metrics);
    if (c.jsonl) add_file.operator()<JsonlFile>("metrics.jsonl", Record::metrics);
    if (c.timing) add_file.operator()<JsonlFile>("timing.jsonl", Record::timing);
  }
  sinks_.resume(resumed_from_);
}

void Trainer::write_row(Values values, bool at_end) {
  if (values.empty()) return;
  sinks_.write({Record::metrics, state_.attempted, state_.epoch, at_end, std::move(values)});
}

void Trainer::log_if_due() {
  const std::int64_t every = config_.log.every_n_steps;
  if (every <= 0 || state_.attempted % every != 0) return;
  const Timed timed(times_.other, "log");
  Values values = metrics_.means();
  logged_ = true;  // cleared when the step is settled: the row may have to be written again
  task_->summarize("train", values);
  const optim::StepState clock = read_clock();  // first: lr() then needs no look of its own
  const auto groups = optimizer_->groups();
  for (const std::string& group : groups) {
    values.emplace_back(groups.size() == 1 ? "lr" : "lr/" + group, optimizer_->lr(group));
  }
  values.emplace_back("grad_norm", clock.norm);
  if (scales_) values.emplace_back("loss_scale", clock.loss_scale);
  values.emplace_back("skipped", static_cast<double>(clock.attempted - clock.applied));
  HookContext hook = context();
  hook.values = &values;
  run_hooks(HookPhase::log, hook);
  write_row(std::move(values), false);
  write_timing();
}

optim::StepState Trainer::read_clock() {
  const optim::StepState clock = optimizer_->state();
  state_.applied = clock.applied;
  halted_ = clock.halted_at >= 0;
  tell_of_skipped(clock);
  return clock;
}

void Trainer::write_timing() {
  const double now = now_seconds(), seconds = std::max(now - times_.since, 1e-9);
  const double steps = std::max<double>(1, static_cast<double>(times_.steps));
  const auto milliseconds = [&](double sum) { return sum / steps * 1e3; };
  sinks_.write({Record::timing,
                state_.attempted,
                state_.epoch,
                false,
                {{"samples_per_second", static_cast<double>(times_.samples) / seconds},
                 {"step_ms", milliseconds(seconds)},
                 {"data_ms", milliseconds(times_.data)},
                 {"forward_ms", milliseconds(times_.forward)},
                 {"backward_ms", milliseconds(times_.backward)},
                 {"optimizer_ms", milliseconds(times_.optimizer)},
                 {"other_ms", milliseconds(times_.other)},
                 {"memory_bytes", static_cast<double>(memory_stats(Device::cpu()).peak)},
                 {"elapsed_seconds", state_.elapsed_seconds}}});
  times_ = Times{.since = now};
}

void Trainer::tick() {
  shown_.step = state_.attempted;
  shown_.epoch = state_.epoch;
  shown_.epoch_step = state_.epoch_step;
  shown_.memory_bytes = memory_stats(Device::cpu()).now;
  sinks_.tick(shown_);
}

void Trainer::log(std::string_view name, const Tensor& value, double weight) {
  metrics_.add(name, value, weight);
}

void Trainer::log(std::string_view name, double value, double weight) {
  metrics_.add(name, full({}, value, {Dtype::f64}), weight);
}

}  // namespace gradus::trainer
