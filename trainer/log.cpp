// What a run writes down: one row of metrics per logging interval, one of times, and a word to the
// progress display after each step. Reading the device happens here, at steps fixed by the
// configuration.
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <utility>

#include "gradus/kernels/create.h"
#include "gradus/trainer/config/differences.h"
#include "gradus/trainer/log/entry_files.h"
#include "gradus/trainer/log/json_line.h"
#include "gradus/trainer/log/row_file.h"
#include "gradus/trainer/log/tensorboard.h"
#include "gradus/trainer/log/wandb.h"
#include "gradus/trainer/loop.h"
#include "gradus/trainer/text.h"

namespace gradus::trainer {
namespace {

/// Every key of a configuration by its dotted name, but for what names this run and its places.
HyperParameters hyper_parameters(const std::string& configuration) {
  HyperParameters out;
  for (const Difference& leaf : differences(Value{}, parse_toml(configuration, ""))) {
    const std::string& key = leaf.key;
    if (key.starts_with("run.") && key != "run.seed" && key != "run.precision") continue;
    if (key.starts_with("log.") || key.starts_with("checkpoint.")) continue;
    const Value value = parse_toml("v = " + leaf.after, "").find("v")->value;
    if (const auto* number = value.as<double>())
      out.emplace_back(key, *number);
    else if (const auto* integer = value.as<std::int64_t>())
      out.emplace_back(key, static_cast<double>(*integer));
    else if (const auto* yes = value.as<bool>())
      out.emplace_back(key, *yes);
    else if (const auto* text = value.as<std::string>())
      out.emplace_back(key, *text);
  }
  return out;
}

struct AsJson {
  std::string operator()(double v) const { return number_text(v); }
  std::string operator()(bool v) const { return v ? "true" : "false"; }
  std::string operator()(const std::string& v) const { return json_quoted(v); }
};

/// Memory of the whole process, as the system sees it.
double resident_bytes() {
  double pages = 0;
  std::ifstream statm("/proc/self/statm");
  statm >> pages >> pages;  // of the address space, then those in memory
  return pages * static_cast<double>(sysconf(_SC_PAGESIZE));
}

}  // namespace

/// Of a second fit() the sinks are those of the first, and go on.
void Loop::open_sinks() {
  if (files_ != nullptr && !std::exchange(sinks_open_, true)) {
    const auto& c = config_.log;
    const std::filesystem::path directory = directory_;
    const auto rate = [&](std::int64_t own) { return own > 0 ? own : c.every_n_steps; };
    const auto add_file = [&]<class File>(const char* name, Record::Kind kind, std::int64_t every) {
      sinks_.add(std::make_unique<File>(*files_, directory / name, kind, every));
    };
    const std::int64_t jsonl = rate(c.jsonl_every_n_steps);
    if (c.csv)
      add_file.operator()<CsvFile>("metrics.csv", Record::metrics, rate(c.csv_every_n_steps));
    if (c.jsonl) add_file.operator()<JsonlFile>("metrics.jsonl", Record::metrics, jsonl);
    if (c.timing) add_file.operator()<JsonlFile>("timing.jsonl", Record::timing, c.every_n_steps);
    if (c.jsonl)
      sinks_.add(std::make_unique<EntryLines>(*files_, directory / "entries.jsonl", jsonl));
    const std::int64_t images = rate(c.images_every_n_steps);
    if (c.images)
      sinks_.add(std::make_unique<ImageFiles>(*files_, directory, images, c.images_format));
    if (c.wandb) {
      WandbRun::Options options{rate(c.wandb_every_n_steps), config_.run.name, {}};
      if (options.name.empty()) options.name = directory.filename().string();
      for (const auto& [key, value] : hyper_parameters(to_toml(config_)))
        options.config.emplace_back(key, std::visit(AsJson{}, value));
      sinks_.add(std::make_unique<WandbRun>(*files_, directory, std::move(options)));
    }
    if (c.tensorboard) {
      TensorBoard::Options options{rate(c.tensorboard_every_n_steps),
                                   images,
                                   c.histograms_every_n_steps,
                                   {},
                                   {},
                                   to_toml(config_)};
      options.parameters = hyper_parameters(options.configuration);
      options.metrics = {"train/loss"};
      if (selection_.active()) options.metrics.push_back(selection_.metric());
      sinks_.add(std::make_unique<TensorBoard>(*files_, directory, std::move(options)));
    }
  }
  if (!std::exchange(sinks_cut_, true)) sinks_.resume(resumed_from_, unfinished_);
}

/// Whether log.save_metric_vars lets a metric of this name into the rows.
bool Loop::is_written(std::string_view name) const {
  const auto& parts = config_.log.save_metric_vars;
  if (parts.size() == 1 && parts[0] == "all") return true;
  if (parts.size() == 1 && parts[0] == "none") return false;
  return std::any_of(parts.begin(), parts.end(),
                     [&](const std::string& part) { return name.find(part) != name.npos; });
}

void Loop::drop_unwritten(Values& values) const {
  std::erase_if(values, [&](const auto& value) { return !is_written(value.first); });
}

void Loop::write_row(Values values, bool at_end) {
  if (values.empty()) return;
  sinks_.write({Record::metrics, state_.attempted, state_.epoch, at_end, std::move(values)});
}

/// What training had since the last row, and where its optimizers stand.
Values Loop::training_row() {
  Values values = metrics_.means();
  task_->summarize("train", values);
  drop_unwritten(values);
  read_clocks();  // first: lr() then needs no look of its own
  for (const NamedOptimizer& o : optimizers_) {
    const std::string of = several() ? "/" + o.name : "";
    const auto groups = o.optimizer->groups();
    for (const std::string& group : groups) {
      const bool one = groups.size() == 1 && !several();
      values.emplace_back("lr" + of + (one ? "" : "/" + group), o.optimizer->last_lr(group));
    }
    values.emplace_back("grad_norm" + of, o.clock.norm);
    if (scales_) values.emplace_back("loss_scale" + of, o.clock.loss_scale);
    values.emplace_back("skipped" + of, static_cast<double>(o.clock.attempted - o.clock.applied));
    if (several()) values.emplace_back("applied" + of, static_cast<double>(o.clock.applied));
  }
  return values;
}

void Loop::log_if_due() {
  const std::int64_t every = config_.log.every_n_steps;
  const bool regular = every > 0 && state_.attempted % every == 0;
  if (!regular && !sinks_.want_any(state_.attempted, row_names_)) return;
  const Timed timed(times_.other, "log");
  Values values = training_row();
  if (regular) logged_ = true;  // cleared when the step is settled: it may be written again
  if (regular) {
    HookContext hook = context();
    hook.values = &values;
    run_hooks(HookPhase::log, hook);
  }
  row_names_.clear();
  for (const auto& [name, value] : values) row_names_.push_back(name);
  sinks_.write_row({Record::metrics, state_.attempted, state_.epoch, false, std::move(values)},
                   regular);
  if (regular) write_timing();
}

void Loop::read_clocks() {
  state_.applied = 0;
  for (NamedOptimizer& o : optimizers_) {
    o.clock = o.optimizer->state();
    state_.applied += o.clock.applied;
    halted_ = halted_ || o.clock.halted_at >= 0;
  }
  tell_of_skipped();
}

/// The steps since the last row stand in the end's: its first columns, before what it evaluates.
void Loop::begin_end_row() {
  if (config_.log.every_n_steps == 0 || optimizers_.empty() || metrics_.means().empty()) return;
  const Values row = training_row();
  end_row_.insert(end_row_.begin(), row.begin(), row.end());
}

void Loop::write_timing() {
  const double now = now_seconds(), seconds = std::max(now - times_.since, 1e-9);
  const double steps = std::max<double>(1, static_cast<double>(times_.steps));
  const auto milliseconds = [&](double sum) { return sum / steps * 1e3; };
  Values values = {{"samples_per_second", static_cast<double>(times_.samples) / seconds},
                   {"step_ms", milliseconds(seconds)},
                   {"data_ms", milliseconds(times_.data)},
                   {"forward_ms", milliseconds(times_.forward)},
                   {"backward_ms", milliseconds(times_.backward)},
                   {"optimizer_ms", milliseconds(times_.optimizer)},
                   {"other_ms", milliseconds(times_.other)},
                   {"memory_bytes", static_cast<double>(memory_stats(Device::cpu()).peak)},
                   {"device_memory_bytes", static_cast<double>(memory_stats(device_).peak)},
                   {"resident_bytes", resident_bytes()},
                   {"cpu_percent", 100 * (processor_seconds() - times_.processor) / seconds},
                   {"elapsed_seconds", state_.elapsed_seconds}};
  if (const auto usage = device_usage(device_)) {
    values.emplace_back("gpu_percent", usage->busy_percent);
    values.emplace_back("gpu_memory_percent", usage->memory_percent);
    values.emplace_back("gpu_watts", usage->watts);
  }
  sinks_.write_row({Record::timing, state_.attempted, state_.epoch, false, std::move(values)},
                   true);
  for (const Device device : {Device::cpu(), device_}) reset_peak_memory_stats(device);
  times_ = Times{.since = now, .processor = processor_seconds()};
}

void Loop::begin_profile() {
  const ProfilerConfig& c = config_.profiler;
  if (c.active > 0 && files_ != nullptr)
    profile_ = std::make_unique<Profile>(c.wait, c.warm, c.active);
}

/// The window's trace, once it has closed.
void Loop::end_profile() {
  if (!profile_ || !profile_->end_step(memory_stats(device_).now)) return;
  const auto path =
      std::filesystem::path(directory_) / ("trace_" + std::to_string(state_.attempted) + ".json");
  write_durably(*files_, path, profile_->trace());
  log_message({"profile of ", std::to_string(config_.profiler.active), " steps: ", path.native()});
  profile_.reset();
}

void Loop::tick() {
  shown_.step = state_.attempted;
  shown_.epoch = state_.epoch;
  shown_.epoch_step = state_.epoch_step;
  shown_.memory_bytes = memory_stats(Device::cpu()).now;
  sinks_.tick(shown_);
}

void Loop::log(std::string_view name, const Tensor& value, double weight) {
  if (evaluated_)
    evaluated_->add(evaluated_name_, name, value, weight);
  else
    metrics_.add(name, value, weight);
}

void Loop::log(std::string_view name, double value, double weight) {
  log(name, full({}, value, {Dtype::f64}), weight);
}

/// Of what is being said now: within a window, of the step that it will be.
Moment Loop::moment() const {
  const bool evaluating = evaluated_ != nullptr;
  return {evaluating ? state_.attempted : std::max(state_.attempted, working_on_), state_.epoch,
          evaluating, at_end_};
}

bool Loop::wants(std::string_view name) const {
  const Moment at = moment();
  if (at.evaluating) {
    const std::string full = evaluated_name_ + "/" + std::string(name);
    return is_written(full) || full == selection_.metric();
  }
  if (at.at_end) return true;
  return is_written(name) && sinks_.wants(at.step, name);
}

void Loop::log_entry(std::string_view name, Entry::Kind kind,
                     const std::function<decltype(Entry::content)()>& make) {
  const Moment at = moment();
  if (trying_ || !sinks_.wants_entry(at, kind)) return;
  if (graphs_ && at.step > state_.attempted) return;  // a captured step has no host to speak to
  std::string full = at.evaluating ? evaluated_name_ + "/" + std::string(name) : std::string(name);
  check(is_utf8(full) && printable(full) == full && !full.empty(), ErrorKind::argument,
        "log: a name holds a control character: ", printable(full));
  auto& said = at.evaluating ? evaluated_entries_ : entries_;
  if (std::find(said.begin(), said.end(), full) != said.end()) return;
  said.push_back(full);
  sinks_.write_entry({at, std::move(full), make()});
}

void Loop::log_images_if_due() {
  if (wants_entry(Entry::image)) run_hooks(HookPhase::log_images, context());
}

/// Where each parameter lies and where its gradient points, of the step just made.
void Loop::log_histograms() {
  const std::int64_t every = config_.log.histograms_every_n_steps;
  if (every == 0 || state_.attempted % every != 0) return;
  for (const Parameter& p : task_->module().named_parameters()) {
    log_entry("weights/" + p.name, Entry::histogram, [&] { return histogram_of(p.detach()); });
    if (const Tensor g = p.grad(); g.defined())
      log_entry("gradients/" + p.name, Entry::histogram, [&] { return histogram_of(g); });
  }
}

}  // namespace gradus::trainer
