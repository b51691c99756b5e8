// A bounds-checked reader over bytes from outside. Whoever parses a file goes through it: every
// length is checked before it is used, and every error names the source and the offset.
#pragma once

#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>

#include "gradus/tensor/error.h"

namespace gradus {

class Reader {
 public:
  Reader(std::string source, std::span<const std::byte> bytes)
      : source_(std::move(source)), bytes_(bytes) {}

  std::size_t offset() const { return at_; }
  std::size_t left() const { return bytes_.size() - at_; }
  const std::string& source() const { return source_; }

  /// The next `n` bytes; throws (corrupt) where fewer are left. `what` is said in the error.
  std::span<const std::byte> take(std::uint64_t n, std::string_view what) {
    check(n <= left(), ErrorKind::corrupt, source_, ": ", what, " needs ",
          static_cast<std::int64_t>(n & INT64_MAX), " bytes at offset ", at_, ", ", left(),
          " are left");
    const auto part = bytes_.subspan(at_, static_cast<std::size_t>(n));
    at_ += static_cast<std::size_t>(n);
    return part;
  }
  std::string_view text(std::uint64_t n, std::string_view what) {
    const auto part = take(n, what);
    return {reinterpret_cast<const char*>(part.data()), part.size()};
  }
  /// A little-endian number.
  template <class T>
  T number(std::string_view what) {
    T value;
    std::memcpy(&value, take(sizeof(T), what).data(), sizeof(T));
    return value;
  }
  [[noreturn]] void fail(std::string_view text) const {
    raise(ErrorKind::corrupt, {source_, ": ", text, " (offset ", at_, ")"});
  }

 private:
  std::string source_;
  std::span<const std::byte> bytes_;
  std::size_t at_ = 0;
};

}  // namespace gradus
