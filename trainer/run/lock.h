// Who a run directory belongs to. Three locks, one file each:
//   running    a process works here. On one boot it is an flock, which the kernel frees when its
//              holder dies and never before; for another host a file that is refreshed every 10
//              seconds.
//   scheduled  reserved for a job that has not started; removed when it starts.
//   ckpt       a checkpoint exists: a new run keeps out for ever.
#pragma once

#include <condition_variable>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>

#include "gradus/trainer/run/files.h"

namespace gradus::trainer {

enum class LockType { scheduled, running, ckpt };
inline constexpr LockType all_lock_types[] = {LockType::scheduled, LockType::running,
                                              LockType::ckpt};
std::string_view to_string(LockType type);

/// A job of a cluster's scheduler, as far as there is one: read by the command line.
struct Job {
  std::string id;
  std::int64_t restarts = 0;
  bool counts_restarts = false;  // SLURM does, PBS does not
};

/// What a lock file says about its holder.
struct Holder {
  std::string host, boot, job, token, started;
  std::int64_t pid = 0;
  std::int64_t restarts = 0;
  bool finished = false;  // its run has come to its end
};
/// "process 4711 on ada, since 2026-03-01T12:00:00Z (job 17)"
std::string to_string(const Holder& holder);
/// This process; the token is new at every call.
Holder this_process(const Job& job);
/// A lock file's text and back; nothing for a text that names no holder.
std::string holder_text(const Holder& holder);
std::optional<Holder> parse_holder(const std::string& text);

/// The locks of one directory, as one process sees and holds them. What it holds of `running` is
/// freed by the destructor, by remove(), or by the end of the process.
class Locks {
 public:
  Locks(Files& files, std::filesystem::path directory, Job job = {});
  ~Locks();
  Locks(const Locks&) = delete;
  Locks& operator=(const Locks&) = delete;

  /// Throws Error(argument) that names the holder if the lock is taken, unless `exists_ok`.
  /// `running` takes over a lock whose holder is dead and removes `scheduled`.
  void add(LockType type, bool exists_ok = false);
  void remove(LockType type, bool missing_ok = false);
  bool has(LockType type) const;
  bool has_any() const;
  /// Who holds it; nothing if nobody does.
  std::optional<Holder> holder(LockType type) const;

  /// Writes this process into a `ckpt` that there is, as a start that holds the directory now;
  /// `finished`: and whose run has come to its end.
  void renew_ckpt(bool finished = false);

  /// Throws Error(io) if `running` is not, or no longer, held by this object: called before every
  /// publish, because another host may have taken for dead a holder that only stood still.
  /// FileError where the disk cannot tell.
  void verify() const;

  static constexpr double refresh_seconds = 10;
  static constexpr double stale_seconds = 60;

 private:
  std::filesystem::path path_of(LockType type) const;
  [[noreturn]] void refuse(LockType type) const;
  bool take_running();
  bool lives_elsewhere(const Holder& holder, const std::filesystem::path& path,
                       bool flock_works) const;
  void release_running();
  void refresh();

  Files& files_;
  std::filesystem::path directory_;
  Job job_;
  std::string token_;  // of the running lock while it is held
  int file_ = -1;      // its flock
  std::thread refresher_;
  std::mutex mutex_;
  std::condition_variable stop_;
  bool stopping_ = false;
};

}  // namespace gradus::trainer
