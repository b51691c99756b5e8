// Writing JSON by hand: the fields of a row are few, and their order and digits are ours to choose.
#include "gradus/trainer/log/json_line.h"

#include <fmt/format.h>

#include <cmath>

#include "gradus/trainer/text.h"

namespace gradus::trainer {
std::string number_text(double v) { return std::isnan(v) ? "nan" : fmt::format("{}", v); }

std::string json_number(double v) {
  return std::isfinite(v) ? number_text(v) : '"' + number_text(v) + '"';
}

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

JsonLine& JsonLine::add(std::string_view name, double v) { return add_json(name, json_number(v)); }

JsonLine& JsonLine::add_json(std::string_view name, std::string_view json) {
  this->name(name);
  fields_ += json;
  return *this;
}

}  // namespace gradus::trainer
