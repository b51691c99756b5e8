// Paths into values, and values written as TOML.
#include "gradus/trainer/config/value.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace gradus::trainer {
namespace {

std::string toml_string(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\')
      (out += '\\') += c;
    else if (c == '\n')
      out += "\\n";
    else if (c == '\t')
      out += "\\t";
    else if (byte < 0x20 || byte == 0x7f)
      out += fmt::format("\\u{:04X}", byte);
    else
      out += c;
  }
  return out += '"';
}

/// Splits off the first part of a dotted path.
std::string_view first_part(std::string_view& path) {
  const std::size_t dot = path.find('.');
  const std::string_view part = path.substr(0, dot);
  path = dot == path.npos ? std::string_view() : path.substr(dot + 1);
  return part;
}

Member* member(Value::Table& table, std::string_view key) {
  const auto it = std::find_if(table.begin(), table.end(), [&](auto& m) { return m.key == key; });
  return it == table.end() ? nullptr : &*it;
}

}  // namespace

Value::Value() = default;
Value::Value(Data data, Where where) : data(std::move(data)), where(std::move(where)) {}
Value::Value(const Value&) = default;
Value::Value(Value&&) noexcept = default;
Value& Value::operator=(const Value&) = default;
Value& Value::operator=(Value&&) noexcept = default;
Value::~Value() = default;

std::string to_string(const Where& where) {
  if (where.source.empty()) return "";
  if (where.line == 0) return where.source + ": ";
  return fmt::format("{}:{}:{}: ", where.source, where.line, where.column);
}

const Member* Value::find(std::string_view path) const {
  const Value* value = this;
  const Member* found = nullptr;
  while (!path.empty()) {
    const auto* table = value->as<Table>();
    found = table ? member(const_cast<Table&>(*table), first_part(path)) : nullptr;
    if (!found) return nullptr;
    value = &found->value;
  }
  return found;
}

bool Value::set(std::string_view path, Value value) {
  Value* at = this;
  const Where where = value.where;
  while (!path.empty()) {
    auto* table = std::get_if<Table>(&at->data);
    if (!table) return false;
    const std::string_view key = first_part(path);
    Member* found = member(*table, key);
    if (!found) found = &table->emplace_back(Member{std::string(key), Value{{}, where}, where});
    at = &found->value;
  }
  *at = std::move(value);
  return true;
}

std::string_view kind_name(const Value& value) {
  constexpr std::string_view names[] = {"a table",  "true or false", "an integer",
                                        "a number", "a string",      "a list"};
  return names[value.data.index()];
}

std::string toml_key(std::string_view key) {
  const bool bare = !key.empty() && std::all_of(key.begin(), key.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-';
  });
  return bare ? std::string(key) : toml_string(key);
}

std::string toml_number(double v) {
  if (std::isnan(v)) return "nan";
  if (std::isinf(v)) return v < 0 ? "-inf" : "inf";
  std::string text = fmt::format("{}", v);
  if (text.find_first_of(".e") == text.npos) text += ".0";
  return text;
}

std::string to_toml(const Value& value) {
  struct {
    std::string operator()(bool v) const { return v ? "true" : "false"; }
    std::string operator()(std::int64_t v) const { return fmt::format("{}", v); }
    std::string operator()(double v) const { return toml_number(v); }
    std::string operator()(const std::string& v) const { return toml_string(v); }
    std::string operator()(const Value::Array& v) const {
      std::string out = "[";
      for (const Value& element : v) (out += out.size() > 1 ? ", " : "") += to_toml(element);
      return out += "]";
    }
    std::string operator()(const Value::Table& v) const {
      std::string out = "{";
      for (const Member& m : v)
        (out += out.size() > 1 ? ", " : "") += toml_key(m.key) + " = " + to_toml(m.value);
      return out += "}";
    }
  } text;
  return std::visit(text, value.data);
}

}  // namespace gradus::trainer
