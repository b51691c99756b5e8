// Taking, keeping and giving back the locks of a run directory.
#include "gradus/trainer/run/lock.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <utility>

namespace gradus::trainer {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t max_text = 4096;

/// Whether the name still leads to the open file: its last holder may have removed it. Throws
/// FileError where the disk does not say.
bool is_at(int file, const fs::path& path) {
  struct stat open, named;
  if (fstat(file, &open) != 0) throw FileError("read", path.native(), errno, false);
  if (lstat(path.c_str(), &named) != 0) {
    if (errno == ENOENT) return false;
    throw FileError("read", path.native(), errno, false);
  }
  return open.st_ino == named.st_ino && open.st_dev == named.st_dev;
}

double seconds_of(const timespec& time) {
  return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
}

/// Seconds since the file was refreshed, by the clock of the machine that stores it: the clocks of
/// two hosts may differ by more than the limit.
double age(const fs::path& path) {
  fs::path probe = path;
  probe += ".probe_" + std::to_string(getpid());
  struct stat now, then;
  const int file = ::open(probe.c_str(), O_CREAT | O_RDWR | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (file < 0) throw FileError("write", probe.native(), errno, true);
  futimens(file, nullptr);
  const bool known = fstat(file, &now) == 0 && lstat(path.c_str(), &then) == 0;
  ::unlink(probe.c_str());
  ::close(file);
  return known ? seconds_of(now.st_mtim) - seconds_of(then.st_mtim) : 0;
}

/// An open file that is closed unless it is kept.
class Open {
 public:
  Open(Files& files, int file) : files_(files), file_(file) {}
  ~Open() {
    if (file_ >= 0) files_.close(file_);
  }
  Open(const Open&) = delete;
  Open& operator=(const Open&) = delete;
  int get() const { return file_; }
  int keep() { return std::exchange(file_, -1); }

 private:
  Files& files_;
  int file_;
};

/// Nothing where no such file can be read, or it names nobody. A disk that fails has said neither:
/// FileError.
std::optional<Holder> holder_in(Files& files, const fs::path& path) try {
  return parse_holder(read_file(files, path, max_text));
} catch (const FileError& e) {
  if (e.environment()) throw;
  return {};
} catch (const Error&) {
  return {};
}

}  // namespace

std::string_view to_string(LockType type) {
  constexpr std::string_view names[] = {"scheduled", "running", "ckpt"};
  return names[static_cast<int>(type)];
}

Locks::Locks(Files& files, fs::path directory, Job job)
    : files_(files), directory_(std::move(directory)), job_(std::move(job)) {}

Locks::~Locks() {
  try {
    release_running();
  } catch (const std::exception&) {
    // The flock goes with the process at the latest.
  }
}

fs::path Locks::path_of(LockType type) const {
  return directory_ / (".lock_" + std::string(to_string(type)));
}

void Locks::refuse(LockType type) const {
  const auto who = holder_in(files_, path_of(type));
  raise(
      ErrorKind::argument,
      {directory_.string(), ": the run directory is ", to_string(type),
       who ? ": held by " + to_string(*who) : std::string(),
       type == LockType::running ? "; wait for its end, or give this run a run.directory of its own"
                                 : ""});
}

void Locks::add(LockType type, bool exists_ok) {
  make_directories(files_, directory_);
  if (type == LockType::running) {
    if (file_ >= 0 || take_running()) {
      remove(LockType::scheduled, true);
    } else if (!exists_ok) {
      refuse(type);
    }
    return;
  }
  try {
    FileWriter writer(files_, path_of(type));
    writer.write(holder_text(this_process(job_)) + "\n");
    writer.sync();
    writer.close();
  } catch (const FileError& e) {
    if (e.code() != EEXIST) throw;
    if (!exists_ok) refuse(type);
    return;
  }
  sync_directory(files_, directory_);
}

void Locks::remove(LockType type, bool missing_ok) {
  if (type == LockType::running) {
    check(file_ >= 0 || missing_ok, ErrorKind::argument, directory_.string(),
          ": the run directory is not held by this process");
    release_running();
    return;
  }
  const int result = files_.remove(path_of(type));
  if (result == -ENOENT && missing_ok) return;
  done(result, "remove", path_of(type));
}

void Locks::renew_ckpt(bool finished) {
  if (!has(LockType::ckpt)) return;
  Holder self = this_process(job_);
  self.finished = finished;
  write_durably(files_, path_of(LockType::ckpt), holder_text(self) + "\n");
}

bool Locks::take_running() {
  const fs::path path = path_of(LockType::running);
  for (int busy = 0; busy < 5;) {
    const auto opened = files_.open(path, O_RDWR | O_CREAT | O_NOFOLLOW);
    Open file(files_, static_cast<int>(done(opened, "open for writing", path)));
    const bool locked = ::flock(file.get(), LOCK_EX | LOCK_NB) == 0;
    if (!locked && errno == EWOULDBLOCK) {
      ++busy;  // perhaps only has() of another process, which holds it for a moment
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
      continue;
    }
    if (!is_at(file.get(), path)) continue;  // its holder removed it between our two calls
    const auto before = holder_in(files_, path);
    if (before && lives_elsewhere(*before, path, locked)) return false;

    // One write of fixed length over the old text: no reader sees a part of it.
    const Holder self = this_process(job_);
    std::string text = holder_text(self);
    text.resize(1023, ' ');
    text += '\n';
    const auto written = done(files_.write(file.get(), text.data(), text.size()), "write", path);
    if (written != static_cast<std::int64_t>(text.size()))
      throw FileError("write", path.native(), ENOSPC, true);
    done(files_.sync(file.get()), "write to the disk", path);
    futimens(file.get(), nullptr);
    if (before && before->boot != self.boot) {
      // Where flock does not reach other hosts, two of them may take over at once: the last one
      // stays.
      std::this_thread::sleep_for(std::chrono::seconds(1));
      const auto now = holder_in(files_, path);
      if (!now || now->token != self.token) return false;
    }
    file_ = file.keep();
    token_ = self.token;
    refresher_ = std::thread([this] { refresh(); });
    return true;
  }
  return false;
}

/// Whether a holder that has no lock on this boot is alive all the same.
bool Locks::lives_elsewhere(const Holder& holder, const fs::path& path, bool flock_works) const {
  const Holder self = this_process(job_);
  if (holder.boot == self.boot) {
    if (flock_works) return false;  // the kernel would know
    const bool gone = ::kill(static_cast<pid_t>(holder.pid), 0) < 0 && errno == ESRCH;
    if (holder.host == self.host && gone) return false;
  }
  if (!job_.id.empty() && holder.job == job_.id && job_.restarts > holder.restarts) return false;
  return age(path) < stale_seconds;
}

void Locks::release_running() {
  if (file_ < 0) return;
  {
    const std::lock_guard guard(mutex_);
    stopping_ = true;
  }
  stop_.notify_all();
  refresher_.join();
  stopping_ = false;
  const fs::path path = path_of(LockType::running);
  const int file = file_;
  file_ = -1;
  // Removed while it is locked, and only if it is still ours.
  int result = 0;
  try {
    const auto now = holder_in(files_, path);
    if (is_at(file, path) && now && now->token == token_) result = files_.remove(path);
  } catch (const FileError& e) {
    result = -e.code();
  }
  token_.clear();
  files_.close(file);
  done(result, "remove", path);
}

void Locks::refresh() {
  sigset_t all;
  sigfillset(&all);
  pthread_sigmask(SIG_BLOCK, &all, nullptr);  // signals belong to the threads that train
  std::unique_lock guard(mutex_);
  const auto interval = std::chrono::duration<double>(refresh_seconds);
  while (!stop_.wait_for(guard, interval, [this] { return stopping_; })) futimens(file_, nullptr);
}

bool Locks::has(LockType type) const {
  const fs::path path = path_of(type);
  struct stat about;
  if (::lstat(path.c_str(), &about) != 0) return false;
  if (type != LockType::running || file_ >= 0) return true;
  const int opened = files_.open(path, O_RDONLY | O_NOFOLLOW);
  if (opened == -ENOENT) return false;
  Open file(files_, static_cast<int>(done(opened, "open", path, false)));
  const bool locked = ::flock(file.get(), LOCK_SH | LOCK_NB) == 0;
  if (!locked && errno == EWOULDBLOCK) return true;
  const auto holder = holder_in(files_, path);
  return is_at(file.get(), path) && holder && lives_elsewhere(*holder, path, locked);
}

bool Locks::has_any() const {
  for (const LockType type : all_lock_types)
    if (has(type)) return true;
  return false;
}

std::optional<Holder> Locks::holder(LockType type) const {
  if (!has(type)) return {};
  return holder_in(files_, path_of(type));
}

void Locks::verify() const {
  const fs::path path = path_of(LockType::running);
  check(file_ >= 0, ErrorKind::io, directory_.string(), ": the run directory is not held");
  const auto now = holder_in(files_, path);
  if (now && now->token == token_ && is_at(file_, path)) return;
  check(now.has_value(), ErrorKind::io, directory_.string(),
        ": the run directory, or the lock in it, was removed while the run went on");
  raise(ErrorKind::io,
        {directory_.string(), ": the run directory was taken over by ", to_string(*now)});
}

}  // namespace gradus::trainer
