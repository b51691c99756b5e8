// Opening a session: every mistake in the configuration is found here, before anything is written.
#include "gradus/trainer/cli/session.h"

#include <fmt/format.h>

#include <cstdlib>

#include "gradus/kernels/matmul.h"
#include "gradus/tensor/parallel.h"
#include "gradus/trainer/checkpoint/manifest.h"
#include "gradus/trainer/checkpoint/saved_state.h"
#include "gradus/trainer/checkpoint/store.h"
#include "gradus/trainer/data/readers.h"
#include "gradus/trainer/device.h"
#include "gradus/trainer/tasks/classify.h"
#include "gradus/trainer/tasks/language.h"
#include "gradus/trainer/tasks/regress.h"
#include "gradus/trainer/tasks/rollout.h"

namespace gradus::cli {
namespace {

namespace fs = std::filesystem;
using trainer::Config;
using trainer::Files;

/// The checkpoint of a run directory to judge the run by.
fs::path best_of(const fs::path& run_directory) {
  list(Files::system(), run_directory);  // says so if it cannot be read
  const trainer::CheckpointStore store(Files::system(), run_directory / "checkpoints");
  std::vector<std::string> skipped;
  const auto newest = store.newest_good(skipped);
  std::string why;
  for (const std::string& one : skipped) why += "; " + one;
  check(newest.has_value(), skipped.empty() ? ErrorKind::argument : ErrorKind::corrupt,
        run_directory.string(), ": no good checkpoint", why);
  for (const std::string& one : skipped) warn("passed over " + one);
  const std::int64_t best = trainer::read_saved_state(newest->path).selection.best_step;
  if (best < 0) return newest->path;
  const std::string wrong = verify_directory(Files::system(), store.path_of(best));
  if (wrong.empty()) return store.path_of(best);
  std::error_code code;
  if (best < newest->step && fs::exists(store.path_of(best), code))
    warn("passed over " + trainer::step_name(best) + ", the best: " + wrong);
  return newest->path;
}

}  // namespace

fs::path followed(const fs::path& path) {
  check(!path.empty(), ErrorKind::argument, "the name of a file is empty");
  std::error_code code;
  const fs::path named = fs::canonical(path, code);
  if (code) throw FileError("open", path.native(), code.value(), false);
  const bool pointer = named.filename() == "best" || named.filename() == "newest";
  if (!pointer || !fs::is_regular_file(named, code)) return named;
  std::string name = read_file(Files::system(), named, 64);
  if (!name.empty() && name.back() == '\n') name.pop_back();
  check(trainer::step_of(name).has_value(), ErrorKind::corrupt, named.string(),
        ": names no checkpoint");
  return named.parent_path() / name;
}

std::vector<std::string> settings_of(const Arguments& arguments) {
  std::vector<std::string> settings = arguments.settings;
  if (!arguments.device.empty()) settings.push_back("run.device=" + arguments.device);
  return settings;
}

Session open_session(Config config, const Tasks& tasks) {
  const Device device = trainer::device_of(config);
  if (config.run.threads > 0) set_num_threads(static_cast<int>(config.run.threads));
  set_matmul_uses_tf32(config.run.tf32);
  Session session;
  session.data = trainer::open_datasets(config);
  Tasks all = tasks;
  all.emplace("classify", trainer::make_classify);
  all.emplace("language", trainer::make_language);
  all.emplace("regress", trainer::make_regress);
  all.emplace("rollout", trainer::make_rollout);
  const auto make = all.find(config.task.type);
  if (make == all.end()) {
    std::string names;
    for (const auto& [name, function] : all) names += (names.empty() ? "" : ", ") + name;
    config.fail("task.type", "unknown task \"" + config.task.type + "\"; there are: " + names);
  }
  session.task = make->second(config, session.data);
  session.config = std::move(config);
  session.device = fmt::format("cpu, {} thread{}", num_threads(), num_threads() == 1 ? "" : "s");
  if (device.is_cuda())
    session.device = fmt::format("{}, {}", to_string(device), device_name(device));
  return session;
}

trainer::Job job_from_environment() {
  const auto text = [](const char* name) {
    const char* value = std::getenv(name);
    return std::string(value ? value : "");
  };
  if (const std::string id = text("SLURM_JOB_ID"); !id.empty())
    return {id, std::atoll(text("SLURM_RESTART_COUNT").c_str()), true};
  return {text("PBS_JOBID"), 0, false};
}

fs::path checkpoint_of(const fs::path& path) {
  const fs::path named = followed(path);
  std::error_code code;
  if (!trainer::step_of(named.filename().string()) &&
      !fs::exists(named / trainer::manifest_name, code))
    return best_of(named);
  const std::string wrong = verify_directory(Files::system(), named);
  check(wrong.empty(), ErrorKind::corrupt, named.string(), ": damaged: ", wrong);
  return named;
}

OpenedCheckpoint open_checkpoint(const fs::path& path, const std::vector<std::string>& settings) {
  OpenedCheckpoint opened;
  opened.path = checkpoint_of(path);
  const trainer::SavedState saved = trainer::read_saved_state(opened.path);
  opened.step = saved.state.attempted;
  opened.config = trainer::parse_config(
      saved.config, (opened.path / "state.json").string() + " (config)", opened.path, settings);
  return opened;
}

}  // namespace gradus::cli
