// The order in which beginnings are tried.
#include "gradus/trainer/checkpoint/start.h"

#include <fmt/format.h>

namespace gradus::trainer {
namespace {

namespace fs = std::filesystem;

Start newest_of(Files& files, const fs::path& run_directory) {
  const CheckpointStore store(files, run_directory / "checkpoints");
  Start start;
  const auto found = store.newest_good(start.skipped);
  if (!found && !start.skipped.empty()) {
    std::string text = fmt::format("{}: none of the {} checkpoints is good",
                                   (run_directory / "checkpoints").string(), start.skipped.size());
    for (const std::string& why : start.skipped) text += "; " + why;
    throw Error(ErrorKind::corrupt, text);
  }
  if (!found) return start;
  start.kind = Start::resumed;
  start.path = found->path;
  start.step = found->step;
  start.line = fmt::format("resuming {} at step {}", run_directory.string(), start.step);
  if (!start.skipped.empty())
    start.line += fmt::format(" (passed over {} damaged)", start.skipped.size());
  return start;
}

/// The one that the user named.
Start at(Files& files, const fs::path& path) {
  std::error_code code;
  check(fs::exists(path, code), ErrorKind::argument, "resume: ", path.string(),
        ": no such checkpoint or run directory");
  const fs::path named = fs::canonical(path);  // without a trailing slash, links resolved
  const auto step = step_of(named.filename().string());
  if (!step) {
    Start start = newest_of(files, named);
    check(start.kind == Start::resumed, ErrorKind::argument, "resume: ", path.string(),
          ": holds no checkpoint");
    return start;
  }
  const std::string wrong = verify_directory(files, named);
  check(wrong.empty(), ErrorKind::corrupt, "resume: ", path.string(), ": damaged: ", wrong);
  Start start;
  start.kind = Start::resumed;
  start.path = named;
  start.step = *step;
  start.line = fmt::format("resuming at {}", named.string());
  return start;
}

}  // namespace

Start choose_start(Files& files, const fs::path& run_directory, const std::string& resume,
                   const fs::path& warm_start) {
  if (resume != "latest" && resume != "none") return at(files, resume);
  if (resume == "none") {
    const auto steps = CheckpointStore(files, run_directory / "checkpoints").steps();
    check(steps.empty(), ErrorKind::argument, "resume: ", run_directory.string(),
          " has a checkpoint of step ", steps.empty() ? 0 : steps.back(),
          "; a fresh run needs another run.directory, or --resume latest to go on");
  } else {
    Start start = newest_of(files, run_directory);
    if (start.kind == Start::resumed) return start;
  }
  Start start;
  start.kind = warm_start.empty() ? Start::fresh : Start::warm;
  start.path = warm_start;
  start.line = warm_start.empty() ? "starting fresh in " + run_directory.string()
                                  : "starting from the weights of " + warm_start.string();
  return start;
}

}  // namespace gradus::trainer
