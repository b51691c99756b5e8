// Checkpoints: what is in them, when they are written, and how a run goes on from one.
#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "gradus/autograd/functions.h"
#include "gradus/nn/state_dict.h"
#include "gradus/tensor/build_info.h"
#include "gradus/tensor/safetensors.h"
#include "gradus/trainer/trainer.h"

namespace gradus::trainer {
namespace {

using Json = nlohmann::ordered_json;
constexpr int format_version = 1;

Json to_json(const State& s) {
  return {{"attempted", s.attempted},
          {"applied", s.applied},
          {"micro", s.micro},
          {"samples", s.samples},
          {"epoch", s.epoch},
          {"epoch_step", s.epoch_step},
          {"cursor", s.cursor},
          {"valid_step", s.valid_step},
          {"elapsed_seconds", s.elapsed_seconds}};
}

void from_json(const Json& j, State& s) {
  j.at("attempted").get_to(s.attempted);
  j.at("applied").get_to(s.applied);
  j.at("micro").get_to(s.micro);
  j.at("samples").get_to(s.samples);
  j.at("epoch").get_to(s.epoch);
  j.at("epoch_step").get_to(s.epoch_step);
  j.at("cursor").get_to(s.cursor);
  j.at("valid_step").get_to(s.valid_step);
  j.at("elapsed_seconds").get_to(s.elapsed_seconds);
}

/// NaN and infinities have no JSON number: they are stored as words.
Json number(double v) {
  if (std::isnan(v)) return "nan";
  if (std::isinf(v)) return v > 0 ? "inf" : "-inf";
  return v;
}
double number(const Json& j) {
  if (!j.is_string()) return j.get<double>();
  const std::string word = j.get<std::string>();
  check(word == "nan" || word == "inf" || word == "-inf", ErrorKind::corrupt,
        "state.json: not a number: ", word);
  return word == "nan" ? NAN : word == "inf" ? INFINITY : -INFINITY;
}

Json to_json(const Values& values) {
  Json j = Json::array();
  for (const auto& [name, value] : values) j.push_back({name, number(value)});
  return j;
}
Values values_of(const Json& j) {
  Values values;
  for (const Json& v : j) values.emplace_back(v.at(0).get<std::string>(), number(v.at(1)));
  return values;
}

FileToSave tensors_file(std::string name, TensorMap tensors) {
  return {std::move(name), [tensors = std::move(tensors)](CheckpointFile& file) {
            save_safetensors([&](const void* p, std::size_t n) { file.write(p, n); }, tensors);
          }};
}

}  // namespace

std::vector<FileToSave> Trainer::snapshot() {
  run_hooks(HookPhase::save, context());
  Json j;
  j["format_version"] = format_version;
  j["engine"] = version();
  j["state"] = to_json(state_);
  j["seed"] = config_.run.seed;
  j["selection"] = {{"metric", selection_.metric()},
                    {"best", number(selection_.best())},
                    {"best_step", selection_.best_step()},
                    {"since_best", selection_.since_best()},
                    {"best_values", to_json(selection_.best_values())}};
  j["last_validation"] = to_json(last_validation_);
  j["sums"] = Json::array();
  for (const auto& [name, sum] : metrics_.sums())
    j["sums"].push_back({name, number(sum.first), number(sum.second)});
  j["hooks"] = Json::object();
  for (const auto& hook : hooks_) {
    if (const std::string text = hook->save(); !text.empty()) j["hooks"][hook->name()] = text;
  }
  j["data"] = {{"samples", data_.at("train")->size()}};
  j["config"] = to_toml(config_);

  std::vector<FileToSave> files;
  files.push_back(tensors_file("model.safetensors", nn::state_dict(task_->module())));
  if (config_.optim.ema_decay > 0) {
    files.push_back(tensors_file("ema.safetensors", optimizer_->ema_state_dict()));
  }
  files.push_back(
      tensors_file("optimizer/main.safetensors", optimizer_->state_dict(/*averages=*/false)));
  files.push_back({"state.json", [text = j.dump(1)](CheckpointFile& file) { file.write(text); }});
  return files;
}

void Trainer::save() {
  check(store_ != nullptr, ErrorKind::argument, "save: the configuration names no run directory");
  const Timed timed(times_.other);
  read_clock();
  sinks_.flush();  // the rows of this step must not be younger than the checkpoint
  store_->publish(state_.attempted, snapshot(), confirm_);
  last_saved_ = state_.attempted;
  last_save_time_ = now_seconds();
  const std::optional<std::int64_t> best =
      selection_.has_best() && saved_best_ ? std::optional(selection_.best_step()) : std::nullopt;
  if (best) store_->set_best(*best);
  store_->prune(config_.checkpoint, state_.attempted, best);
  if (saved_) saved_();
}

bool Trainer::rescue() {
  if (store_ == nullptr || optimizer_ == nullptr) return false;
  if (in_window_) {
    // The window is done again after a resume; its losses are no longer known apart from those of
    // the steps before it, so that the next row is the mean of what comes then.
    drop_window();
    state_ = whole_;
    metrics_.clear();
  }
  if (state_.attempted == 0 || last_saved_ == state_.attempted) return false;
  for (const Parameter& p : task_->module().named_parameters()) {
    if (!all(isfinite(p)).item<bool>()) return false;
  }
  save();
  return true;
}

void Trainer::save_if_due(SaveReason reason) {
  const CheckpointConfig& c = config_.checkpoint;
  const std::int64_t step = state_.attempted;
  const bool requested = save_requested_.exchange(false);
  if (store_ == nullptr) {
    if (reason == SaveReason::best && config_.trainer.evaluate_at_end) {
      best_weights_.clear();
      const bool averaged = config_.optim.ema_decay > 0 && config_.trainer.evaluate_average;
      if (averaged) best_weights_ = optimizer_->ema_state_dict();
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
  read_clock();
  if (halted_) return;  // a checkpoint of a halted optimizer would never train again
  if (reason == SaveReason::best) saved_best_ = true;
  save();
}

/// The weights of the best validation into the model; false if there was none.
bool Trainer::load_best_weights() {
  if (!selection_.has_best()) return false;
  if (store_ == nullptr) {
    if (best_weights_.empty()) return false;
    nn::load_state_dict(task_->module(), best_weights_);
    return true;
  }
  if (!saved_best_) return false;
  load_weights(store_->path_of(selection_.best_step()), config_.trainer.evaluate_average);
  return true;
}

void Trainer::load_weights(const std::filesystem::path& checkpoint, bool averaged) {
  std::map<std::string, Tensor> weights = load_safetensors(checkpoint / "model.safetensors");
  if (const auto ema = checkpoint / "ema.safetensors"; averaged && std::filesystem::exists(ema)) {
    for (auto& [name, tensor] : load_safetensors(ema)) weights[name] = tensor;
  }
  nn::load_state_dict(task_->module(), weights);
}

void Trainer::load(const std::filesystem::path& checkpoint) {
  prepare();
  const Json j =
      Json::parse(read_file(Files::system(), checkpoint / "state.json", std::size_t{64} << 20));
  const int format = j.at("format_version").get<int>();
  check(format <= format_version, ErrorKind::unsupported, checkpoint.native(),
        ": checkpoint format ", format, " is newer than this program (", version(), ") can read");
  nn::load_state_dict(task_->module(), load_safetensors(checkpoint / "model.safetensors"));
  if (optimizer_) {
    optimizer_->load_state_dict(load_safetensors(checkpoint / "optimizer/main.safetensors"));
    if (config_.optim.ema_decay > 0) {
      optimizer_->load_ema_state_dict(load_safetensors(checkpoint / "ema.safetensors"));
    }
  }
  from_json(j.at("state"), state_);
  const Json& s = j.at("selection");
  if (s.at("metric").get<std::string>() == selection_.metric()) {
    selection_.restore(number(s.at("best")), s.at("best_step").get<std::int64_t>(),
                       s.at("since_best").get<std::int64_t>(), values_of(s.at("best_values")));
    saved_best_ = selection_.has_best();
  }
  last_validation_ = values_of(j.at("last_validation"));
  std::vector<std::pair<std::string, std::pair<double, double>>> sums;
  for (const Json& sum : j.at("sums")) {
    sums.push_back({sum.at(0).get<std::string>(), {number(sum.at(1)), number(sum.at(2))}});
  }
  metrics_.restore(sums);
  for (const auto& hook : hooks_) {
    if (const auto found = j.at("hooks").find(hook->name()); found != j.at("hooks").end()) {
      hook->load(found->get<std::string>());
    }
  }
  run_hooks(HookPhase::load, context());
  last_saved_ = resumed_from_ = state_.attempted;
}

}  // namespace gradus::trainer
