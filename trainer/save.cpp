// Checkpoints: what is in them, when they are written, and how a run goes on from one.
#include <algorithm>
#include <exception>
#include <filesystem>
#include <list>

#include "gradus/autograd/functions.h"
#include "gradus/autograd/node.h"
#include "gradus/nn/state_dict.h"
#include "gradus/tensor/safetensors.h"
#include "gradus/trainer/checkpoint/manifest.h"
#include "gradus/trainer/checkpoint/saved_state.h"
#include "gradus/trainer/checkpoint/store.h"
#include "gradus/trainer/loop.h"

namespace gradus::trainer {
namespace {

/// `copies`: the tensors will have changed when the file is written.
FileToSave tensors_file(std::string name, TensorMap tensors, bool copies) {
  if (copies) {
    const NoGrad guard;
    for (auto& [key, t] : tensors)
      t = t.device().is_cpu() ? t.detach().clone() : t.detach().to(Device::cpu());
  }
  return {std::move(name), [tensors = std::move(tensors)](CheckpointFile& file) {
            save_safetensors([&](const void* p, std::size_t n) { file.write(p, n); }, tensors);
          }};
}

std::string checksum_of(const nn::StateDict& tensors, const std::vector<std::string>& names) {
  Checksum sum;
  for (const std::string& name : names) {
    const Tensor t = tensors.at(name).detach().to(Device::cpu()).contiguous();
    sum.update(name.data(), name.size());
    sum.update(t.data(), static_cast<std::size_t>(t.numel()) * size_of(t.dtype()));
  }
  return sum.text();
}

std::string plateau_file(const std::string& optimizer, bool several) {
  return several ? "optimizer/" + optimizer + ".plateau.safetensors"
                 : "optimizer/plateau.safetensors";
}

}  // namespace

/// Under which a hook's state is saved: its name, and of several of that name in their order the
/// second "name#2", and so on.
std::string Loop::key_of(std::size_t hook) const {
  int nth = 1;
  for (std::size_t i = 0; i < hook; ++i)
    if (hooks_[i]->name() == hooks_[hook]->name()) ++nth;
  const std::string& name = hooks_[hook]->name();
  return nth == 1 ? name : name + "#" + std::to_string(nth);
}

std::vector<FileToSave> Loop::snapshot(bool copies) {
  SavedState saved;
  saved.state = unfinished_ ? stepped_ : state_;
  saved.stream = unfinished_ ? stepped_stream_ : stream_;
  saved.unfinished = unfinished_;
  if (unfinished_) saved.entries = entries_;
  saved.seed = config_.run.seed;
  saved.samples = data_.at("train")->size();
  saved.config = to_toml(config_);
  saved.selection = {selection_.metric(),     selection_.best(),        selection_.best_step(),
                     selection_.since_best(), selection_.best_values(), selection_.history()};
  saved.content = config_.checkpoint.content;
  saved.last_validation = last_validation_;
  saved.validated_step = validated_step_;
  saved.sums = metrics_.sums();
  if (judged_) saved.judged = judged_->sums();
  const std::vector<std::string> frozen = never_changing();
  if (!frozen.empty()) saved.frozen = checksum_of(nn::state_dict(task_->module()), frozen);
  for (std::size_t i = 0; i < hooks_.size(); ++i)
    if (std::string text = hooks_[i]->save(); !text.empty())
      saved.hooks[key_of(i)] = std::move(text);

  std::vector<FileToSave> files;
  TensorMap weights = nn::state_dict(task_->module());
  for (const std::string& name : frozen) weights.erase(name);
  files.push_back(tensors_file("model.safetensors", std::move(weights), copies));
  if (has_average()) files.push_back(tensors_file("ema.safetensors", averages(), copies));
  if (saved.content == "all") {
    for (const NamedOptimizer& o : optimizers_) {
      files.push_back(tensors_file("optimizer/" + o.name + ".safetensors",
                                   o.optimizer->state_dict(/*averages=*/false), copies));
      if (o.plateau)
        files.push_back(
            tensors_file(plateau_file(o.name, several()), o.plateau->state_dict(), copies));
    }
  }
  files.push_back(
      {"state.json", [text = to_json(saved)](CheckpointFile& file) { file.write(text); }});
  return files;
}

/// What a window has done so far is nothing that a run could go on from.
void Loop::save() {
  if (in_window_ && fitting_ && store_ != nullptr) return request_save();
  leave_window();
  save(false);
}

/// The window is done again by who goes on; its losses are no longer known apart from those of the
/// steps before it, so that the next row is the mean of what comes then.
void Loop::leave_window() {
  if (!in_window_) return;
  drop_window();
  state_ = whole_;
  stream_ = whole_stream_;
  metrics_.clear();
  if (judged_) judged_->clear();
}

/// Until the last save has ended. One that failed is no checkpoint.
void Loop::wait_for_save() try { saving_.wait(); } catch (...) {
  last_saved_ = -1;
  throw;
}

/// In the background only the snapshot is made here; writing, and the removal of what no rule
/// keeps, go on beside training. One at a time; its error is thrown at the next step or save.
void Loop::save(bool in_background) {
  check(store_ != nullptr, ErrorKind::argument, "save: the configuration names no run directory");
  const Timed timed(times_.other, "save");
  wait_for_save();
  std::list<optim::LiveScope> live;  // what is saved are the weights that train
  for (const NamedOptimizer& o : optimizers_) live.emplace_back(*o.optimizer);
  read_clocks();
  sinks_.flush();                 // the rows of this step must not be younger than the checkpoint
  std::exception_ptr broken_off;  // by a hook, which ends what it says, but not the checkpoint
  try {
    run_hooks(HookPhase::save, context());
  } catch (const BreakStep&) {
    broken_off = std::current_exception();
  } catch (const BreakEpoch&) {
    broken_off = std::current_exception();
  } catch (const BreakAllEpochs&) {
    broken_off = std::current_exception();
  }
  const std::int64_t step = state_.attempted;
  const std::optional<std::int64_t> best =
      selection_.has_best() && saved_best_ ? std::optional(selection_.best_step()) : std::nullopt;
  // The best one of the run that was resumed into a new directory comes along, once.
  const std::string source = best ? best_source_ : "";
  auto write = [this, step, best, source, files = snapshot(in_background)] {
    store_->publish(step, files, confirm_);
    if (!source.empty() && !std::filesystem::exists(store_->path_of(*best))) adopt(source);
    store_->prune(config_.checkpoint, step, best);
    if (best) store_->set_best(*best);
    if (saved_) saved_();
  };
  if (in_background)
    saving_.start(std::move(write));
  else
    write();
  last_saved_ = step;
  last_save_time_ = now_seconds();
  if (broken_off) std::rethrow_exception(broken_off);
}

/// The other run may have removed its best checkpoint meanwhile: that costs this one nothing else.
void Loop::adopt(const std::string& best) try {
  store_->adopt(best, confirm_);
} catch (const std::filesystem::filesystem_error& error) {
  log_message({"the best checkpoint of the run before is gone: ", error.what()});
}

bool Loop::rescue() {
  if (store_ == nullptr || optimizers_.empty() || updating_) return false;
  try {
    wait_for_save();
  } catch (...) {  // this one takes its place
  }
  leave_window();
  if (state_.attempted == 0 || last_saved_ == state_.attempted) return false;
  for (const Parameter& p : task_->module().named_parameters()) {
    if (!all(isfinite(p)).item<bool>()) return false;
  }
  at_end_of_all([&] { save(false); });
  return true;
}

void Loop::save_if_due(SaveReason reason) {
  const CheckpointConfig& c = config_.checkpoint;
  const std::int64_t step = state_.attempted;
  const bool requested = save_requested_.exchange(false);
  settle();
  if (store_ == nullptr) {
    if (reason == SaveReason::best && config_.trainer.evaluate_at_end) {
      best_weights_.clear();
      if (config_.trainer.evaluate_average) best_weights_ = averages();
      for (const auto& [name, tensor] : nn::state_dict(task_->module())) {
        if (best_weights_.count(name) == 0) best_weights_[name] = tensor.detach();
      }
      for (auto& [name, tensor] : best_weights_) tensor = tensor.clone();
    }
    return;
  }
  if (last_saved_ == step && reason == SaveReason::last) return;
  bool due = requested || reason == SaveReason::last || reason == SaveReason::best;
  due = due || (c.every_n_steps > 0 && step % c.every_n_steps == 0);
  due = due || (c.every_n_seconds > 0 && now_seconds() - last_save_time_ >= c.every_n_seconds);
  due = due || (reason == SaveReason::epoch && c.every_n_epochs > 0 &&
                state_.epoch % c.every_n_epochs == 0);
  due = due || std::find(c.at_steps.begin(), c.at_steps.end(), step) != c.at_steps.end();
  due = due || stop_signal_.load() != 0;
  if (!due) return;
  read_clocks();
  if (halted_) return;  // a checkpoint of a halted optimizer would never train again
  if (reason == SaveReason::best) {
    saved_best_ = true;
    best_source_.clear();
  }
  const bool leaves = reason == SaveReason::last || stop_signal_.load() != 0;
  save(c.asynchronous && !leaves);
}

/// The weights of the best validation into the model; false if there was none.
bool Loop::load_best_weights() {
  if (!selection_.has_best()) return false;
  if (!best_weights_.empty()) {  // of a run without a directory
    nn::load_state_dict(task_->module(), best_weights_);
    weights_step_ = selection_.best_step();
    return true;
  }
  wait_for_save();
  std::filesystem::path checkpoint;
  if (saved_best_ && store_ != nullptr) checkpoint = store_->path_of(selection_.best_step());
  if (!std::filesystem::exists(checkpoint) && !best_source_.empty()) checkpoint = best_source_;
  if (!saved_best_ && state_.attempted == 0) return false;     // nothing was trained, nor saved
  if (!saved_best_ || !std::filesystem::exists(checkpoint)) {  // checkpoint.keep_best = false
    log_message({"the best checkpoint, step ", std::to_string(selection_.best_step()),
                 ", was not kept; the weights of now are evaluated"});
    return false;
  }
  Files& files = files_ != nullptr ? *files_ : Files::system();
  if (const std::string wrong = verify_directory(files, checkpoint); !wrong.empty()) {
    log_message({"the best checkpoint, ", checkpoint.native(), ", cannot be used: ", wrong,
                 "; the weights of now are evaluated"});
    return false;
  }
  load_weights(checkpoint, config_.trainer.evaluate_average);
  return true;
}

void Loop::load_weights(const std::string& checkpoint, bool averaged) {
  const std::filesystem::path folder = checkpoint;
  weights_step_ = step_of(folder.filename().string());
  std::map<std::string, Tensor> weights = load_safetensors(folder / "model.safetensors");
  if (const auto ema = folder / "ema.safetensors"; averaged && std::filesystem::exists(ema)) {
    for (auto& [name, tensor] : load_safetensors(ema)) weights[name] = tensor;
  }
  load_model(std::move(weights), checkpoint);
}

/// With checkpoint.save = "trainable" the rest is what the module holds already, and must be what
/// it was when the checkpoint was written.
void Loop::load_model(TensorMap weights, const std::string& checkpoint) {
  const std::vector<std::string> frozen = never_changing();
  const nn::StateDict own = nn::state_dict(task_->module());
  for (const std::string& name : frozen) weights.emplace(name, own.at(name));
  // Only where it matters is the state read: to read JSON takes memory, even to free it.
  const bool whole = std::all_of(own.begin(), own.end(), [&](const auto& o) {
    return weights.find(o.first) != weights.end();
  });
  const std::string saved = whole && frozen.empty() ? "" : read_saved_state(checkpoint).frozen;
  if (!saved.empty()) {
    check(!frozen.empty() && checksum_of(own, frozen) == saved, ErrorKind::argument, checkpoint,
          ": holds trainable weights only, and the frozen ones are not those ",
          "it was trained with (trainer.freeze, checkpoint.warm_start.path, run.seed)");
  }
  nn::load_state_dict(task_->module(), weights);
}

/// All tensors of a checkpoint into the model, the optimizer and the plateau.
void Loop::load_tensors(const std::string& checkpoint) try {
  const ReloadConfig& reload = config_.checkpoint.reload;
  const std::filesystem::path folder = checkpoint;
  if (reload.weights) load_model(load_safetensors(folder / "model.safetensors"), checkpoint);
  for (NamedOptimizer& o : optimizers_) {
    o.optimizer->load_state_dict(
        load_safetensors(folder / ("optimizer/" + o.name + ".safetensors")),
        {reload.optimizer, reload.scaler, reload.scheduler});
    if (o.has_average() && reload.weights)
      o.optimizer->load_ema_state_dict(load_safetensors(folder / "ema.safetensors"));
    else if (o.has_average())
      o.optimizer->restart_average();
    const auto plateau = folder / plateau_file(o.name, several());
    if (o.plateau && reload.scheduler && std::filesystem::exists(plateau))  // it may be a new one
      o.plateau->load_state_dict(load_safetensors(plateau));
  }
} catch (const Error& error) {
  const std::string text = error.what();  // names the file if it is the file's fault
  if (text.find(checkpoint) != text.npos) throw;
  raise(error.kind(), {checkpoint, ": ", text});
}

/// Where the best checkpoint is that a resumed one knows of: in this run's directory or beside the
/// resumed one.
void Loop::find_best(const std::string& resumed) {
  namespace fs = std::filesystem;
  saved_best_ = false;
  best_source_.clear();
  if (!selection_.has_best()) return;
  const std::int64_t step = selection_.best_step();
  const fs::path beside = fs::path(resumed).parent_path() / step_name(step);
  Files& files = files_ != nullptr ? *files_ : Files::system();
  if (store_ != nullptr && fs::exists(store_->path_of(step))) {
    saved_best_ = true;
  } else if (fs::exists(beside) && verify_directory(files, beside).empty()) {
    saved_best_ = true;
    best_source_ = beside.native();
  }
}

void Loop::load(const std::string& checkpoint) {
  prepare();
  const SavedState saved = read_saved_state(checkpoint);
  check(saved.content == "all", ErrorKind::argument, checkpoint,
        ": holds the model alone (checkpoint.content), so that no run can go on from it; a new one "
        "takes its weights with checkpoint.warm_start.path");
  weights_step_.reset();
  sinks_cut_ = false;
  state_.attempted = saved.state.attempted - 1;  // of the last window: did it begin thawed?
  thaw_if_due();
  load_tensors(checkpoint);
  state_ = saved.state;
  stream_ = saved.stream;
  validated_at_ = state_.elapsed_seconds;
  if (!config_.checkpoint.reload.epoch) {
    state_.epoch = state_.epoch_step = state_.cursor = 0;
    stream_ = {};
  }
  if (!optimizers_.empty() && config_.checkpoint.reload.update_learning_rate) use_given_rates();
  const auto& s = saved.selection;
  if (s.metric == selection_.metric()) {
    selection_.restore(s.best, s.best_step, s.since_best, s.best_values);
    selection_.restore(s.history);
    find_best(checkpoint);
  }
  last_validation_ = saved.last_validation;
  validated_step_ = saved.validated_step;
  metrics_.restore(saved.sums);
  if (judged_) judged_->restore(saved.judged);
  for (std::size_t i = 0; i < hooks_.size(); ++i)
    if (const auto found = saved.hooks.find(key_of(i)); found != saved.hooks.end())
      hooks_[i]->load(found->second);
  run_hooks(HookPhase::load, context());
  unfinished_ = saved.unfinished;
  stepped_ = saved.state;
  stepped_stream_ = saved.stream;
  entries_ = saved.entries;
  // The rows of such a step are written again, and so is its checkpoint.
  last_saved_ = unfinished_ ? -1 : state_.attempted;
  resumed_from_ = state_.attempted;
  told_skipped_ = 0;  // of the earlier job
  for (NamedOptimizer& o : optimizers_) {
    o.clock = o.optimizer->state();
    told_skipped_ += o.clock.attempted - o.clock.applied;
  }
}

}  // namespace gradus::trainer
