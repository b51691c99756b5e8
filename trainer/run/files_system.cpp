// The system calls themselves.
#include <dirent.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "gradus/trainer/run/files.h"

namespace gradus::trainer {
namespace {

template <class Call>
auto again(Call call) -> decltype(call()) {
  decltype(call()) result;
  do {
    result = call();
  } while (result < 0 && errno == EINTR);
  return result < 0 ? -errno : result;
}

}  // namespace

namespace fs = std::filesystem;

int Files::open(const fs::path& path, int flags) {
  const int file = again([&] { return ::open(path.c_str(), flags | O_CLOEXEC, 0666); });
  if (file < 0 || (flags & O_DIRECTORY)) return file;
  struct stat about;
  if (::fstat(file, &about) == 0 && S_ISREG(about.st_mode)) return file;
  ::close(file);
  return S_ISDIR(about.st_mode) ? -EISDIR : -EINVAL;  // a pipe or a device is no file of ours
}

std::int64_t Files::read(int file, void* to, std::size_t n) {
  return again([&] { return ::read(file, to, n); });
}

std::int64_t Files::write(int file, const void* from, std::size_t n) {
  return again([&] { return ::write(file, from, n); });
}

int Files::sync(int file) {
  return again([&] { return ::fsync(file); });
}

// Linux frees the number even when it reports EINTR: closing again could close another's file.
int Files::close(int file) { return ::close(file) < 0 && errno != EINTR ? -errno : 0; }

int Files::rename(const fs::path& from, const fs::path& to) {
  return again([&] { return ::rename(from.c_str(), to.c_str()); });
}

int Files::exchange(const fs::path& a, const fs::path& b) {
  return again([&] {
    return static_cast<int>(
        ::syscall(SYS_renameat2, AT_FDCWD, a.c_str(), AT_FDCWD, b.c_str(), RENAME_EXCHANGE));
  });
}

int Files::remove(const fs::path& file) {
  return again([&] { return ::unlink(file.c_str()); });
}

int Files::remove_directory(const fs::path& path) {
  return again([&] { return ::rmdir(path.c_str()); });
}

int Files::make_directory(const fs::path& path) {
  return again([&] { return ::mkdir(path.c_str(), 0777); });
}

int Files::list(const fs::path& path, std::vector<Entry>& to) {
  // A link in place of the directory would lead outside.
  const int file =
      again([&] { return ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC); });
  if (file < 0) return file;
  DIR* directory = ::fdopendir(file);
  if (!directory) {
    const int code = errno;
    ::close(file);
    return -code;
  }
  errno = 0;
  while (const dirent* found = ::readdir(directory)) {
    const std::string name = found->d_name;
    struct stat about;
    if (name != "." && name != ".." &&
        ::fstatat(file, name.c_str(), &about, AT_SYMLINK_NOFOLLOW) == 0)
      to.push_back({name, S_ISDIR(about.st_mode)   ? Entry::directory
                          : S_ISREG(about.st_mode) ? Entry::file
                                                   : Entry::other});
    errno = 0;
  }
  const int code = errno;
  ::closedir(directory);
  std::sort(to.begin(), to.end(), [](const Entry& a, const Entry& b) { return a.name < b.name; });
  return -code;
}

Files& Files::system() {
  static Files files;
  return files;
}

}  // namespace gradus::trainer
