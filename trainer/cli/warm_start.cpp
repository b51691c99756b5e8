// Warm start: by name, shape by shape, with a report.
#include "gradus/trainer/cli/warm_start.h"

#include <fmt/format.h>

#include <optional>

#include "gradus/nn/state_dict.h"
#include "gradus/optim/optimizer.h"
#include "gradus/tensor/safetensors.h"
#include "gradus/trainer/checkpoint/manifest.h"
#include "gradus/trainer/cli/session.h"
#include "gradus/trainer/patterns.h"

namespace gradus::cli {
namespace {

namespace fs = std::filesystem;

/// What wrappers of other frameworks put before every name.
std::string without_wrappers(std::string name) {
  for (bool again = true; again;) {
    again = false;
    for (const std::string prefix : {"module.", "_orig_mod."}) {
      if (name.compare(0, prefix.size(), prefix) != 0) continue;
      name = name.substr(prefix.size());
      again = true;
    }
  }
  return name;
}

/// ["encoder.*", "backbone.*"]: what the one * of the first fits stands for that of the second.
struct Rename {
  std::string there, here;
  bool used = false;

  std::optional<std::string> operator()(const std::string& name) {
    if (!trainer::matches(there, name)) return {};
    used = true;
    const std::size_t star = there.find('*'), put = here.find('*');
    if (star == there.npos || put == here.npos) return here;
    const std::size_t after = there.size() - star - 1;
    std::string out = here;
    return out.replace(put, 1, name.substr(star, name.size() - star - after));
  }
};

std::vector<Rename> renames_of(const trainer::Config& config) {
  const std::string key = "checkpoint.warm_start.rename";
  std::vector<Rename> out;
  for (const trainer::Value& value : config.checkpoint.warm_start.rename) {
    const auto* pair = value.as<trainer::Value::Array>();
    const bool two =
        pair && pair->size() == 2 && (*pair)[0].as<std::string>() && (*pair)[1].as<std::string>();
    if (!two) config.fail(key, "expected pairs [there, here], got " + to_toml(value));
    const Rename rename{*(*pair)[0].as<std::string>(), *(*pair)[1].as<std::string>()};
    const auto stars = [](const std::string& s) { return std::count(s.begin(), s.end(), '*'); };
    if (stars(rename.there) > 1 || stars(rename.here) != stars(rename.there))
      config.fail(key, "expected one * on both sides, or none, in " + to_toml(value));
    out.push_back(rename);
  }
  return out;
}

/// What is to be taken, under the names of that file.
struct WarmSource {
  TensorMap weights;
  fs::path optimizer;  // file; "" where there is none
};

WarmSource read_source(const fs::path& path) {
  if (!fs::is_directory(path)) return {load_safetensors(path), {}};
  // What another program wrote (examples/torch_checkpoint.py) has weights and no manifest.
  const bool foreign =
      fs::exists(path / "model.safetensors") && !fs::exists(path / trainer::manifest_name);
  const fs::path checkpoint = foreign ? path : open_checkpoint(path, {}).path;
  WarmSource source{load_safetensors(checkpoint / "model.safetensors"),
                    checkpoint / "optimizer/main.safetensors"};
  if (!fs::exists(source.optimizer)) source.optimizer.clear();
  const fs::path averages = checkpoint / "ema.safetensors";
  if (fs::exists(averages))
    for (auto& [name, tensor] : load_safetensors(averages)) source.weights[name] = tensor;
  return source;
}

/// "; 2 missing: a, b"
std::string counted(const char* what, const std::vector<std::string>& names) {
  if (names.empty()) return "";
  std::string text = fmt::format("; {} {}: ", names.size(), what);
  for (const std::string& name : names) text += (&name == &names.front() ? "" : ", ") + name;
  return text;
}

/// The state of the parameters in `names` (here -> there) from a checkpoint's optimizer; rates,
/// schedule and counts stay those of a run that begins. Returns the report.
std::string take_optimizer(trainer::Trainer& trainer, const WarmSource& source,
                           const std::map<std::string, std::string>& names) {
  const std::string key = "checkpoint.warm_start.optimizer";
  const trainer::Config& config = trainer.config();
  if (!config.optimizers.empty())
    config.fail(key, "of one optimizer only; several go on with their states by a resume");
  if (source.optimizer.empty())
    config.fail(key, config.checkpoint.warm_start.path + " holds no optimizer's state");
  const TensorMap theirs = load_safetensors(source.optimizer);
  TensorMap state = trainer.optimizer().state_dict(/*averages=*/false);
  std::int64_t taken = 0, all = 0;
  for (const auto& item : trainer.optimizer().items()) {
    if (item.tracked) continue;
    ++all;
    const std::string own = "state." + item.parameter.name + ".";
    const auto name = names.find(item.parameter.name);
    if (name == names.end()) continue;
    TensorMap parts;  // all of them or none: half a state is worse than none
    bool fits = true;
    for (auto at = state.lower_bound(own); at != state.end() && at->first.starts_with(own); ++at) {
      const auto other = theirs.find("state." + name->second + "." + at->first.substr(own.size()));
      fits = fits && other != theirs.end() && other->second.shape() == at->second.shape() &&
             other->second.dtype() == at->second.dtype();
      if (fits) parts[at->first] = other->second;
    }
    if (!fits) continue;
    ++taken;
    for (const auto& [part, tensor] : parts) state[part] = tensor;
  }
  if (taken == 0)
    config.fail(key, source.optimizer.string() + ": no parameter's state fits optim.type = \"" +
                         config.optim.type + "\"");
  trainer.optimizer().load_state_dict(state);
  return fmt::format("; the optimizer's state of {} of {} parameters", taken, all);
}

std::string take_weights(trainer::Trainer& trainer, bool and_optimizer) {
  const trainer::Config& config = trainer.config();
  const trainer::WarmStartConfig& c = config.checkpoint.warm_start;
  if (!fs::exists(c.path)) config.fail("checkpoint.warm_start.path", c.path + " does not exist");
  nn::Module& module = trainer.task().module();
  const nn::StateDict own = nn::state_dict(module);
  std::vector<Rename> renames = renames_of(config);
  std::vector<std::string> unexpected, missing, reshaped;
  const WarmSource source = read_source(c.path);
  TensorMap taken;
  std::map<std::string, std::string> names;  // here -> there
  for (const auto& [stored, tensor] : source.weights) {
    std::string name = own.find(stored) ? stored : without_wrappers(stored);
    for (Rename& rename : renames)
      if (const auto renamed = rename(name)) {
        name = *renamed;
        break;
      }
    const bool included = c.include.empty() || trainer::matches_any(c.include, name);
    if (!included || trainer::matches_any(c.exclude, name)) continue;
    const Tensor* target = own.find(name);
    if (!target) {
      unexpected.push_back(name);
    } else if (target->shape() != tensor.shape()) {
      reshaped.push_back(fmt::format("{} is {} there, {} here", name, to_string(tensor.shape()),
                                     to_string(target->shape())));
    } else {
      if (!names.emplace(name, stored).second)
        config.fail("checkpoint.warm_start.rename",
                    "\"" + names[name] + "\" and \"" + stored + "\" would both be " + name);
      taken[name] = tensor;
    }
  }
  for (const Rename& rename : renames)
    if (!rename.used)
      config.fail("checkpoint.warm_start.rename",
                  "\"" + rename.there + "\" fits no name of " + c.path);
  for (const auto& [name, tensor] : own)
    if (!taken.count(name)) missing.push_back(name);
  const std::string report = fmt::format("loaded {} of {} tensors", taken.size(), own.size()) +
                             counted("missing", missing) + counted("unexpected", unexpected) +
                             counted("of another shape", reshaped);
  if (taken.empty()) config.fail("checkpoint.warm_start", report);
  if (c.strict && !(missing.empty() && unexpected.empty() && reshaped.empty()))
    config.fail("checkpoint.warm_start.strict", "would have " + report);
  nn::load_state_dict(module, taken, /*strict=*/false);
  return report + (and_optimizer ? take_optimizer(trainer, source, names) : "");
}

}  // namespace

std::string warm_start(trainer::Trainer& trainer) {
  return take_weights(trainer, trainer.config().checkpoint.warm_start.optimizer);
}

void restore_frozen(trainer::Trainer& trainer) {
  const trainer::CheckpointConfig& c = trainer.config().checkpoint;
  if (c.save == "trainable" && !c.warm_start.path.empty()) take_weights(trainer, false);
}

}  // namespace gradus::cli
