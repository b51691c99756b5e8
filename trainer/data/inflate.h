// Reading a file that may be compressed with gzip.
#pragma once

#include <cstddef>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace gradus::trainer {

/// A byte stream over a plain or gzip file. Errors name the file and the offset in the unpacked
/// bytes.
class ByteStream {
 public:
  explicit ByteStream(std::filesystem::path path);
  ~ByteStream();
  ByteStream(const ByteStream&) = delete;
  ByteStream& operator=(const ByteStream&) = delete;
  /// Reads up to `bytes` bytes; fewer only at the end of the file.
  std::size_t read(void* to, std::size_t bytes);
  /// Reads exactly `bytes` bytes; throws (corrupt) where the file ends before.
  void read_exactly(void* to, std::size_t bytes, std::string_view what);
  const std::filesystem::path& path() const { return path_; }
  std::size_t offset() const { return offset_; }

 private:
  std::filesystem::path path_;
  void* file_;
  std::size_t offset_ = 0;
};

/// All of a plain or gzip file; memory grows with what really arrives.
std::string read_all(const std::filesystem::path& path);

/// The rest of `file`, which a header says to be `bytes` bytes: `what` in errors (corrupt) where it
/// is fewer or more. The header may lie: memory grows with what really arrives.
std::vector<unsigned char> read_rest(ByteStream& file, std::size_t bytes, std::string_view what);

}  // namespace gradus::trainer
