// A disk of a test's own, where the machine allows one: an ext4 file system on a loop device, whose
// power can be cut, or a small one in memory that fills up. Mounted for this process alone, so that
// nothing of it is left behind. Needs root and the right to mount.
#pragma once

#include <fcntl.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <string>

#include "gradus/tests/trainer/failing_files.h"

namespace gradus::testing {

/// "" where this process may mount what only it sees, else why not.
inline std::string why_no_mounts() {
  static const std::string why = []() -> std::string {
    if (geteuid() != 0) return "only root can mount a disk";
    if (unshare(CLONE_NEWNS) != 0) return std::string("unshare: ") + std::strerror(errno);
    if (mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0)
      return std::string("mount: ") + std::strerror(errno);
    return "";
  }();
  return why;
}

/// Runs a command of the shell in silence. True if it ended with 0.
inline bool shell(const std::string& command) {
  return std::system((command + " >/dev/null 2>&1").c_str()) == 0;
}

/// An ext4 file system in a file, mounted at `place`.
class PowerCutDisk {
 public:
  explicit PowerCutDisk(const std::filesystem::path& place) : place_(place) {
    std::filesystem::create_directories(place);
  }
  ~PowerCutDisk() { umount2(place_.c_str(), MNT_DETACH); }
  PowerCutDisk(const PowerCutDisk&) = delete;
  PowerCutDisk& operator=(const PowerCutDisk&) = delete;

  /// A new, empty file system. "" or why there can be none.
  std::string format() {
    if (const std::string why = why_no_mounts(); !why.empty()) return why;
    const std::string image = (image_ / "disk").string();
    if (!shell("truncate -s 32M " + image + " && mkfs.ext4 -q -F " + image)) return "no mkfs.ext4";
    return mount_it() ? "" : "no loop device";
  }
  /// From now on nothing reaches the disk, not even what the kernel has in its journal's memory.
  bool cut() {
    const int file = ::open(place_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    const std::uint32_t without_flushing = 2;
    const bool done = ioctl(file, _IOR('X', 125, std::uint32_t), &without_flushing) == 0;
    ::close(file);
    return done;
  }
  /// The machine starts again: the journal is replayed. Nobody may have a file open there.
  bool power_on() {
    for (int i = 0; i < 200 && umount(place_.c_str()) != 0; ++i) usleep(5000);
    return mount_it();
  }

 private:
  bool mount_it() {
    return shell("mount -t ext4 -o loop " + (image_ / "disk").string() + " " + place_.string());
  }
  trainer::ScratchDirectory image_;
  std::filesystem::path place_;
};

/// A file system in memory of so many bytes.
class SmallDisk {
 public:
  explicit SmallDisk(const std::filesystem::path& place) : place_(place) {
    std::filesystem::create_directories(place);
  }
  ~SmallDisk() { umount2(place_.c_str(), MNT_DETACH); }
  SmallDisk(const SmallDisk&) = delete;
  SmallDisk& operator=(const SmallDisk&) = delete;
  std::string make(std::int64_t bytes) {
    if (const std::string why = why_no_mounts(); !why.empty()) return why;
    return set(bytes, 0) ? "" : "no tmpfs";
  }
  bool resize(std::int64_t bytes) { return set(bytes, MS_REMOUNT); }

 private:
  bool set(std::int64_t bytes, unsigned long flags) {
    const std::string size = "size=" + std::to_string(bytes);
    return mount("tmpfs", place_.c_str(), "tmpfs", flags, size.c_str()) == 0;
  }
  std::filesystem::path place_;
};

}  // namespace gradus::testing
