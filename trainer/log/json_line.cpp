// Writing JSON by hand: the fields of a row are few, and their order and digits are ours to choose.
#include "gradus/trainer/log/json_line.h"

#include <fmt/format.h>

#include <cmath>

namespace gradus::trainer {
namespace {

/// Length of the UTF-8 sequence at the beginning of text; 0 if it is not one.
std::size_t utf8_length(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned first = byte(0);
  const std::size_t n = first < 0x80   ? 1
                        : first < 0xc2 ? 0
                        : first < 0xe0 ? 2
                        : first < 0xf0 ? 3
                        : first < 0xf5 ? 4
                                       : 0;
  if (n == 0 || n > text.size()) return 0;
  for (std::size_t i = 1; i < n; ++i)
    if ((byte(i) & 0xc0) != 0x80) return 0;
  if (n > 1) {  // overlong forms, surrogates, beyond U+10FFFF
    const unsigned second = byte(1);
    if ((first == 0xe0 && second < 0xa0) || (first == 0xed && second > 0x9f) ||
        (first == 0xf0 && second < 0x90) || (first == 0xf4 && second > 0x8f))
      return 0;
  }
  return n;
}

}  // namespace

std::string number_text(double v) { return std::isnan(v) ? "nan" : fmt::format("{}", v); }

std::string json_quoted(std::string_view text) {
  std::string out = "\"";
  while (!text.empty()) {
    const char c = text[0];
    const std::size_t n = utf8_length(text);
    if (n == 0)
      out += "\xef\xbf\xbd";
    else if (c == '"' || c == '\\')
      (out += '\\') += c;
    else if (c == '\n')
      out += "\\n";
    else if (static_cast<unsigned char>(c) < 0x20)
      out += fmt::format("\\u{:04x}", c);
    else
      out += text.substr(0, n);
    text.remove_prefix(n ? n : 1);
  }
  return out += '"';
}

void JsonLine::name(std::string_view name) {
  if (!fields_.empty()) fields_ += ", ";
  fields_ += json_quoted(name) + ": ";
}

JsonLine& JsonLine::add(std::string_view name, std::string_view text) {
  this->name(name);
  fields_ += json_quoted(text);
  return *this;
}

JsonLine& JsonLine::add(std::string_view name, std::int64_t v) {
  this->name(name);
  fields_ += fmt::format("{}", v);
  return *this;
}

JsonLine& JsonLine::add(std::string_view name, double v) {
  if (!std::isfinite(v)) return add(name, number_text(v));
  this->name(name);
  fields_ += number_text(v);
  return *this;
}

}  // namespace gradus::trainer
