// The one exception type, and check(): the text is built only when it is thrown.
#pragma once

#include <concepts>
#include <cstdint>
#include <exception>
#include <initializer_list>
#include <string>
#include <string_view>

namespace gradus {

class Shape;
class Device;
enum class Dtype : std::uint8_t;

enum class ErrorKind { argument, shape, dtype, device, memory, io, corrupt, unsupported, internal };
std::string_view to_string(ErrorKind kind);

/// Every error the library throws. The message names the op, what was expected and what came.
class Error : public std::exception {
 public:
  Error(ErrorKind kind, std::string message) : kind_(kind), message_(std::move(message)) {}
  ErrorKind kind() const noexcept { return kind_; }
  const char* what() const noexcept override { return message_.c_str(); }

 private:
  ErrorKind kind_;
  std::string message_;
};

/// A system call on a file that failed: Error(io) with the file's name and the system's words.
class FileError : public Error {
 public:
  /// `code` is errno; `writing`: the call was to change something.
  FileError(std::string_view action, std::string_view name, int code, bool writing);
  int code() const noexcept { return code_; }
  bool writing() const noexcept { return writing_; }
  /// The machine's fault and not the user's input: full or read-only disk, no permission to write,
  /// a device that fails. The command line ends with status 4.
  bool environment() const noexcept;

 private:
  int code_;
  bool writing_;
};

/// One piece of an error text. Converting is free: the text is made in raise().
class Part {
 public:
  Part(std::string_view text) : kind_(Kind::text), text_(text) {}
  Part(const char* text) : Part(std::string_view(text)) {}
  Part(const std::string& text) : Part(std::string_view(text)) {}
  Part(bool v) : Part(v ? "true" : "false") {}
  Part(std::integral auto v) : kind_(Kind::integer), integer_(static_cast<std::int64_t>(v)) {}
  Part(double v) : kind_(Kind::real), real_(v) {}
  Part(const Shape& shape) : kind_(Kind::shape), pointer_(&shape) {}
  Part(const Device& device) : kind_(Kind::device), pointer_(&device) {}
  Part(Dtype dtype) : kind_(Kind::dtype), integer_(static_cast<std::int64_t>(dtype)) {}
  void append_to(std::string& out) const;

 private:
  enum class Kind { text, integer, real, shape, device, dtype } kind_;
  union {
    std::string_view text_;
    std::int64_t integer_;
    double real_;
    const void* pointer_;
  };
};

[[noreturn, gnu::noinline, gnu::cold]] void raise(ErrorKind kind,
                                                  std::initializer_list<Part> parts);

/// Throws Error(kind) with the parts joined, unless `ok`.
template <class... Parts>
inline void check(bool ok, ErrorKind kind, const Parts&... parts) {
  if (!ok) [[unlikely]]
    raise(kind, {Part(parts)...});
}

/// Receives what the library has to say (a fallback taken, a damaged file skipped). None set:
/// silence.
using LogHandler = void (*)(std::string_view message);
void set_log_handler(LogHandler handler);
void log_message(std::initializer_list<Part> parts);

}  // namespace gradus
