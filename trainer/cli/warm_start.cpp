// Warm start: by name, shape by shape, with a report.
#include "gradus/trainer/cli/warm_start.h"

#include <fmt/format.h>

#include "gradus/nn/state_dict.h"
#include "gradus/tensor/safetensors.h"
#include "gradus/trainer/cli/session.h"
#include "gradus/trainer/patterns.h"

namespace gradus::cli {
namespace {

namespace fs = std::filesystem;

/// What wrappers of other frameworks put before every name.
std::string plain(std::string name) {
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

TensorMap weights_of(const fs::path& path) {
  if (!fs::is_directory(path)) return load_safetensors(path);
  const fs::path checkpoint = open_checkpoint(path, {}).path;
  TensorMap weights = load_safetensors(checkpoint / "model.safetensors");
  const fs::path averages = checkpoint / "ema.safetensors";
  if (fs::exists(averages))
    for (auto& [name, tensor] : load_safetensors(averages)) weights[name] = tensor;
  return weights;
}

/// "; 2 missing: a, b"
std::string counted(const char* what, const std::vector<std::string>& names) {
  if (names.empty()) return "";
  std::string text = fmt::format("; {} {}: ", names.size(), what);
  for (const std::string& name : names) text += (&name == &names.front() ? "" : ", ") + name;
  return text;
}

}  // namespace

std::string warm_start(nn::Module& module, const trainer::Config& config) {
  const trainer::WarmStartConfig& c = config.checkpoint.warm_start;
  if (!fs::exists(c.path))
    config.fail("checkpoint.warm_start.path", c.path.string() + " does not exist");
  const nn::StateDict own = nn::state_dict(module);
  std::vector<std::string> unexpected, missing, reshaped;
  TensorMap taken;
  for (const auto& [stored, tensor] : weights_of(c.path)) {
    const std::string name = plain(stored);
    const bool included = c.include.empty() || trainer::matches_any(c.include, name);
    if (!included || trainer::matches_any(c.exclude, name)) continue;
    const Tensor* target = own.find(name);
    if (!target)
      unexpected.push_back(name);
    else if (target->shape() != tensor.shape())
      reshaped.push_back(fmt::format("{} is {} there, {} here", name, to_string(tensor.shape()),
                                     to_string(target->shape())));
    else
      taken[name] = tensor;
  }
  for (const auto& [name, tensor] : own)
    if (!taken.count(name)) missing.push_back(name);
  const std::string report = fmt::format("loaded {} of {} tensors", taken.size(), own.size()) +
                             counted("missing", missing) + counted("unexpected", unexpected) +
                             counted("of another shape", reshaped);
  if (taken.empty()) config.fail("checkpoint.warm_start", report);
  nn::load_state_dict(module, taken, /*strict=*/false);
  return report;
}

}  // namespace gradus::cli
