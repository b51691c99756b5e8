// Reads bytes that came from outside: a regular file or memory of known size. Every read is checked
// against what is left, so a file that lies about its sizes costs one comparison, and every error
// names the source and the offset.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <type_traits>

#include "gradus/tensor/error.h"

namespace gradus {

class Reader {
 public:
  /// Opens a regular file; throws (io) with the system's reason.
  explicit Reader(const std::filesystem::path& path);
  /// Memory that outlives the reader; `name` is for errors.
  explicit Reader(std::span<const std::byte> bytes, std::string name = "memory");
  ~Reader();
  Reader(const Reader&) = delete;
  Reader& operator=(const Reader&) = delete;

  const std::string& name() const { return name_; }
  std::uint64_t size() const { return size_; }
  std::uint64_t offset() const { return offset_; }
  std::uint64_t left() const { return size_ - offset_; }

  /// Copies the next n bytes. Throws (corrupt) if fewer are left; `what` they are is for the error.
  void read(void* to, std::uint64_t n, std::string_view what);
  void skip(std::uint64_t n, std::string_view what);
  /// Moves to a place in the file; throws (corrupt) beyond the end.
  void seek(std::uint64_t offset, std::string_view what);

  /// The next integer, least or most significant byte first.
  template <class T>
  T little(std::string_view what) {
    return integer<T>(what, false);
  }
  template <class T>
  T big(std::string_view what) {
    return integer<T>(what, true);
  }

  /// Throws (corrupt) "name: offset 16: ...".
  template <class... Parts>
  void expect(bool ok, const Parts&... parts) const {
    check(ok, ErrorKind::corrupt, name_, ": offset ", offset_, ": ", parts...);
  }

 private:
  template <class T>
  T integer(std::string_view what, bool most_first) {
    unsigned char bytes[sizeof(T)];
    read(bytes, sizeof(T), what);
    std::make_unsigned_t<T> value = 0;
    for (std::size_t i = 0; i < sizeof(T); ++i) {
      const std::size_t place = most_first ? sizeof(T) - 1 - i : i;
      value |= static_cast<std::make_unsigned_t<T>>(std::make_unsigned_t<T>{bytes[i]} << 8 * place);
    }
    return static_cast<T>(value);
  }

  std::string name_;
  int file_ = -1;
  const std::byte* bytes_ = nullptr;
  std::uint64_t size_ = 0, offset_ = 0;
};

}  // namespace gradus
