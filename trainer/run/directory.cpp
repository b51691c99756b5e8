// Choosing and reserving a run directory.
#include "gradus/trainer/run/directory.h"

#include <unistd.h>

#include <charconv>
#include <map>
#include <optional>

namespace gradus::trainer {
namespace {

namespace fs = std::filesystem;

RunDirectory take(Files& files, const fs::path& path, const Job& job) {
  RunDirectory run{path, std::make_unique<Locks>(files, path, job)};
  run.locks->add(LockType::running);
  return run;
}

/// Takes `running`, if nobody else has it.
bool reserve(Locks& locks) {
  locks.add(LockType::running, true);
  try {
    locks.verify();
  } catch (const FileError&) {
    throw;
  } catch (const Error&) {
    return false;
  }
  return true;
}

/// n of "run_<n>".
std::optional<std::int64_t> number_of(std::string_view name) {
  constexpr std::string_view prefix = "run_";
  if (!name.starts_with(prefix)) return {};
  name.remove_prefix(prefix.size());
  std::int64_t n = 0;
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), n);
  return error == std::errc() && end == name.data() + name.size() ? std::optional(n) : std::nullopt;
}

/// Is `path` nothing that we could work in, whatever the disk has left: a file, or somebody
/// else's?
bool is_foreign(const fs::path& path) {
  std::error_code code;
  const fs::file_status status = fs::symlink_status(path, code);
  if (!fs::exists(status)) return false;
  return !fs::is_directory(fs::status(path, code)) ||
         ::access(path.c_str(), R_OK | W_OK | X_OK) != 0;
}

/// Does a lock, even one whose holder is dead, say that an earlier start of this job worked here,
/// and none that this start did? Several runs of one job have a directory each: one that this start
/// has had, or where restarts are not counted one that is finished, is not the next run's.
bool is_of_earlier_start(Files& files, const fs::path& path, const Job& job) {
  bool any = false;
  for (const LockType type : all_lock_types) {
    const fs::path lock = path / (".lock_" + std::string(to_string(type)));
    std::error_code code;
    if (!fs::is_regular_file(fs::symlink_status(lock, code))) continue;
    std::optional<Holder> holder;
    try {
      holder = parse_holder(read_file(files, lock, 4096));
    } catch (const FileError& error) {
      if (error.code() != EACCES) throw;  // the disk, and not its owner, keeps it from us
    } catch (const Error&) {              // no lock of ours
    }
    if (!holder || holder->job != job.id) continue;
    const bool earlier =
        type == LockType::scheduled ||
        (job.counts_restarts ? job.restarts > holder->restarts : !holder->finished);
    if (!earlier) return false;
    any = true;
  }
  return any;
}

/// What an earlier start of the same job left behind under `base`, the smallest n first.
std::optional<RunDirectory> take_own(Files& files, const fs::path& base, const Job& job) {
  std::error_code code;
  if (job.id.empty() || !fs::is_directory(base, code)) return {};
  std::map<std::int64_t, fs::path> paths;
  for (const Files::Entry& entry : list(files, base)) {
    const auto n = number_of(entry.name);
    if (n && entry.kind == Files::Entry::directory) paths[*n] = base / entry.name;
  }
  for (const auto& [n, path] : paths) {
    if (is_foreign(path) || !is_of_earlier_start(files, path, job)) continue;
    RunDirectory run{path, std::make_unique<Locks>(files, path, job)};
    if (!reserve(*run.locks)) continue;
    run.locks->renew_ckpt();  // another run of this start then looks further
    return run;
  }
  return {};
}

}  // namespace

RunDirectory open_run_directory(Files& files, const RunConfig& run, const Job& job) {
  if (!run.directory.empty()) return take(files, run.directory, job);
  if (auto own = take_own(files, run.base, job)) return std::move(*own);
  for (std::int64_t n = 0;; ++n) {
    const fs::path path = fs::path(run.base) / ("run_" + std::to_string(n));
    if (is_foreign(path)) continue;
    auto locks = std::make_unique<Locks>(files, path, job);
    if (locks->has(LockType::scheduled) || locks->has(LockType::ckpt)) continue;
    // Reserve first and look again then: between a look and a reservation others are at work.
    if (!reserve(*locks) || locks->has(LockType::ckpt)) continue;
    return {path, std::move(locks)};
  }
}

}  // namespace gradus::trainer
