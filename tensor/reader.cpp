#include "gradus/tensor/reader.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace gradus {

Reader::Reader(const std::filesystem::path& path) : name_(path.native()) {
  file_ = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);  // a pipe must not hang us
  if (file_ < 0) throw FileError("open", name_, errno, false);
  struct stat status {};
  const int known = ::fstat(file_, &status) == 0 ? 0 : errno;
  if (known != 0 || !S_ISREG(status.st_mode)) {
    ::close(file_);
    if (known != 0) throw FileError("read", name_, known, false);
    raise(ErrorKind::io, {name_, ": cannot read: not a regular file"});
  }
  size_ = static_cast<std::uint64_t>(status.st_size);
}

Reader::Reader(std::span<const std::byte> bytes, std::string name)
    : name_(std::move(name)), bytes_(bytes.data()), size_(bytes.size()) {}

Reader::~Reader() {
  if (file_ >= 0) ::close(file_);
}

void Reader::read(void* to, std::uint64_t n, std::string_view what) {
  expect(n <= left(), "expected ", n, " bytes of ", what, ", ", left(), " are left");
  if (n == 0) return;
  if (file_ < 0) {
    std::memcpy(to, bytes_ + offset_, static_cast<std::size_t>(n));
    offset_ += n;
    return;
  }
  char* at = static_cast<char*>(to);
  while (n > 0) {
    const std::size_t some = n < (std::uint64_t{1} << 30) ? static_cast<std::size_t>(n) : 1u << 30;
    const ssize_t got = ::pread(file_, at, some, static_cast<off_t>(offset_));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) throw FileError("read", name_, errno, false);
    expect(got > 0, "the file became shorter while it was read");
    at += got;
    n -= static_cast<std::uint64_t>(got);
    offset_ += static_cast<std::uint64_t>(got);
  }
}

void Reader::skip(std::uint64_t n, std::string_view what) {
  expect(n <= left(), "expected ", n, " bytes of ", what, ", ", left(), " are left");
  offset_ += n;
}

void Reader::seek(std::uint64_t offset, std::string_view what) {
  expect(offset <= size_, what, " is at ", offset, ", the end at ", size_);
  offset_ = offset;
}

}  // namespace gradus
