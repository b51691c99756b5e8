#include "gradus/tensor/error.h"

#include <fmt/format.h>

#include <atomic>
#include <cerrno>
#include <cstring>

#include "gradus/tensor/device.h"
#include "gradus/tensor/dtype.h"
#include "gradus/tensor/shape.h"

namespace gradus {
namespace {
std::atomic<LogHandler> log_handler{nullptr};

std::string join(std::initializer_list<Part> parts) {
  std::string text;
  for (const Part& part : parts) part.append_to(text);
  return text;
}
}  // namespace

std::string_view to_string(ErrorKind kind) {
  constexpr std::string_view names[] = {"argument", "shape",   "dtype",       "device",  "memory",
                                        "io",       "corrupt", "unsupported", "internal"};
  return names[static_cast<int>(kind)];
}

FileError::FileError(std::string_view action, std::string_view name, int code, bool writing)
    : Error(ErrorKind::io, join({name, ": cannot ", action, ": ", std::strerror(code)})),
      code_(code),
      writing_(writing) {}

bool FileError::environment() const noexcept {
  const bool wrong_name = code_ == EEXIST || code_ == EISDIR || code_ == ENOTDIR ||
                          code_ == ELOOP || code_ == ENAMETOOLONG || (code_ == EINVAL && !writing_);
  return !wrong_name && (writing_ || (code_ != ENOENT && code_ != EACCES));
}

void Part::append_to(std::string& out) const {
  switch (kind_) {
    case Kind::text: out += text_; break;
    case Kind::integer: out += fmt::format("{}", integer_); break;
    case Kind::real: out += fmt::format("{}", real_); break;
    case Kind::shape: out += to_string(*static_cast<const Shape*>(pointer_)); break;
    case Kind::device: out += to_string(*static_cast<const Device*>(pointer_)); break;
    case Kind::dtype: out += to_string(static_cast<Dtype>(integer_)); break;
  }
}

void raise(ErrorKind kind, std::initializer_list<Part> parts) { throw Error(kind, join(parts)); }

void set_log_handler(LogHandler handler) { log_handler = handler; }

void log_message(std::initializer_list<Part> parts) {
  if (LogHandler handler = log_handler) handler(join(parts));
}

}  // namespace gradus
