// Choosing and reserving a run directory.
#include "gradus/trainer/run/directory.h"

#include <charconv>

namespace gradus::trainer {
namespace {

namespace fs = std::filesystem;

RunDirectory take(Files& files, const fs::path& path, const Job& job) {
  RunDirectory run{path, std::make_unique<Locks>(files, path, job)};
  run.locks->add(LockType::running);
  return run;
}

/// run_<n> of which a lock, even one whose holder is dead, names this job.
std::optional<fs::path> directory_of(Files& files, const fs::path& base, const Job& job) {
  std::error_code code;
  if (job.id.empty() || !fs::is_directory(base, code)) return {};
  for (const Files::Entry& entry : list(files, base)) {
    if (entry.kind != Files::Entry::directory || entry.name.compare(0, 4, "run_") != 0) continue;
    for (const LockType type : all_lock_types) {
      const fs::path lock = base / entry.name / (".lock_" + std::string(to_string(type)));
      if (!fs::is_regular_file(fs::symlink_status(lock, code))) continue;
      const auto holder = parse_holder(read_file(files, lock, 4096));
      if (holder && holder->job == job.id) return base / entry.name;
    }
  }
  return {};
}

}  // namespace

RunDirectory open_run_directory(Files& files, const RunConfig& run, const Job& job) {
  if (!run.directory.empty()) return take(files, run.directory, job);
  if (const auto own = directory_of(files, run.base, job)) return take(files, *own, job);
  for (std::int64_t n = 0;; ++n) {
    const fs::path path = fs::path(run.base) / ("run_" + std::to_string(n));
    auto locks = std::make_unique<Locks>(files, path, job);
    if (locks->has(LockType::scheduled) || locks->has(LockType::ckpt)) continue;
    // Reserve first and look again then: between a look and a reservation others are at work.
    locks->add(LockType::running, true);
    try {
      locks->verify();
    } catch (const Error&) {
      continue;
    }
    if (locks->has(LockType::ckpt)) continue;
    return {path, std::move(locks)};
  }
}

}  // namespace gradus::trainer
