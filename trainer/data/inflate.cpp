#include "gradus/trainer/data/inflate.h"

#include <zlib.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "gradus/tensor/error.h"

namespace gradus::trainer {

ByteStream::ByteStream(std::filesystem::path path) : path_(std::move(path)) {
  std::error_code ignored;
  check(!std::filesystem::is_directory(path_, ignored), ErrorKind::io, path_.native(),
        ": is a directory");
  errno = 0;
  file_ = gzopen(path_.c_str(), "rb");
  if (file_ == nullptr) throw FileError("open", path_.native(), errno != 0 ? errno : ENOMEM, false);
  gzbuffer(static_cast<gzFile>(file_), 1u << 17);
}

ByteStream::~ByteStream() { gzclose(static_cast<gzFile>(file_)); }

std::size_t ByteStream::read(void* to, std::size_t bytes) {
  std::size_t done = 0;
  while (done < bytes) {
    const auto part = static_cast<unsigned>(std::min<std::size_t>(bytes - done, 1u << 30));
    const int got = gzread(static_cast<gzFile>(file_), static_cast<char*>(to) + done, part);
    if (got <= 0) {
      int status = Z_OK;
      const char* text = gzerror(static_cast<gzFile>(file_), &status);
      if (status == Z_ERRNO) throw FileError("read", path_.native(), errno, false);
      std::string_view why = text;  // zlib puts the path in front
      if (why.rfind(path_.native() + ": ", 0) == 0) why.remove_prefix(path_.native().size() + 2);
      check(status == Z_OK || status == Z_STREAM_END, ErrorKind::corrupt, path_.native(),
            ": damaged gzip data after ", offset_ + done, " bytes: ", why);
      break;
    }
    done += static_cast<std::size_t>(got);
  }
  offset_ += done;
  return done;
}

void ByteStream::read_exactly(void* to, std::size_t bytes, std::string_view what) {
  const std::size_t start = offset_;
  const std::size_t got = read(to, bytes);
  check(got == bytes, ErrorKind::corrupt, path_.native(), ": ends within ", what, ": expected ",
        bytes, " bytes at offset ", start, ", got ", got);
}

std::string read_all(const std::filesystem::path& path) {
  ByteStream file(path);
  std::string text;
  constexpr std::size_t step = std::size_t{1} << 20;
  for (;;) {
    const std::size_t at = text.size();
    text.resize(at + step);
    const std::size_t got = file.read(text.data() + at, step);
    text.resize(at + got);
    if (got < step) return text;
  }
}

}  // namespace gradus::trainer
