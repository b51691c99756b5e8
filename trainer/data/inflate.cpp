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
  // zlib makes room for three times that at the first read. The size of what is no file is huge.
  const std::uintmax_t size = std::filesystem::file_size(path_, ignored);
  gzbuffer(static_cast<gzFile>(file_),
           static_cast<unsigned>(std::clamp<std::uintmax_t>(size, 1u << 12, 1u << 17)));
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

namespace {

/// How much to make room for after `at` bytes: little for small files (a folder of pictures has
/// many), and as much again for large ones.
std::size_t next_part(std::size_t at) { return std::max(at, std::size_t{1} << 16); }

}  // namespace

std::string read_all(const std::filesystem::path& path) {
  ByteStream file(path);
  std::string text;
  for (;;) {
    const std::size_t at = text.size(), part = next_part(at);
    text.resize(at + part);
    const std::size_t got = file.read(text.data() + at, part);
    text.resize(at + got);
    if (got < part) return text;
  }
}

std::vector<unsigned char> read_rest(ByteStream& file, std::size_t bytes, std::string_view what) {
  std::vector<unsigned char> data;
  while (data.size() < bytes) {
    const std::size_t at = data.size(), part = std::min(next_part(at), bytes - at);
    data.resize(at + part);
    file.read_exactly(data.data() + at, part, what);
  }
  unsigned char extra = 0;
  check(file.read(&extra, 1) == 0, ErrorKind::corrupt, file.path().native(), ": more than the ",
        bytes, " bytes of ", what, " that its header announces");
  return data;
}

}  // namespace gradus::trainer
