// The only file that knows the TOML library: text to values with their places.
#define TOML_EXCEPTIONS 1
// What the library takes for granted a file may break (a = 1979-05-27Tx). Checked here in every
// build, and an error: else a debug build aborts, and in a release anything may happen.
struct BrokenAssumption {};
[[noreturn]] static void broken_assumption() { throw BrokenAssumption(); }
#define TOML_ASSERT(condition) ((condition) ? static_cast<void>(0) : broken_assumption())
#pragma push_macro("NDEBUG")
#undef NDEBUG
#include <toml++/toml.h>
#pragma pop_macro("NDEBUG")

#include <algorithm>

#include "gradus/tensor/error.h"
#include "gradus/trainer/config/value.h"
#include "gradus/trainer/text.h"

namespace gradus::trainer {
namespace {

constexpr std::size_t max_bytes = 1 << 20;
constexpr int max_dots = 64;

/// Letters beyond ASCII stand in strings and comments alone; from a page they come as quotes and
/// spaces that look right. The library would call its character tables with what they rule out.
[[noreturn]] void not_ascii(std::string_view text, std::size_t at, int line,
                            const std::string& source) {
  const std::size_t start = at == 0 ? 0 : text.rfind('\n', at - 1) + 1;
  int column = 1;
  for (std::size_t i = start; i < at; ++i)
    if ((text[i] & 0xc0) != 0x80) ++column;
  const std::size_t length = utf8_length(text.substr(at));
  const std::string place = to_string(Where{source, line, column});
  if (length == 0) raise(ErrorKind::argument, {place, "this is not UTF-8 text"});
  raise(ErrorKind::argument, {place, "'", text.substr(at, length),
                              "' outside of quotes; only \"...\", '...' and comments hold letters ",
                              "that are not ASCII"});
}

/// Refuses what the library does not bear: it builds and frees a.b.c... recursively, so that a key
/// of a million parts would overflow the stack, and see not_ascii. Strings and comments are skipped
/// as TOML does.
void check_characters(std::string_view text, const std::string& source) {
  int dots = 0;
  int line = 1;
  for (std::size_t i = text.starts_with("\xef\xbb\xbf") ? 3 : 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '\n') ++line;
    if (c == '"' || c == '\'') {
      const std::string triple(3, c);
      const bool multiline = text.substr(i, 3) == triple;
      for (i += multiline ? 3 : 1; i < text.size(); ++i) {
        if (text[i] == '\n') ++line;
        if (c == '"' && text[i] == '\\')
          ++i;
        else if (multiline ? text.substr(i, 3) == triple : text[i] == c || text[i] == '\n')
          break;
      }
      if (multiline) {  // up to two quotes before the last three are text
        i += 2;
        for (int more = 0; more < 2 && i + 1 < text.size() && text[i + 1] == c; ++more) ++i;
      }
    } else if (c == '#') {
      i = std::min(text.find('\n', i), text.size()) - 1;
    } else if (c == '.') {
      if (++dots > max_dots)
        raise(ErrorKind::argument,
              {source, ":", line, ":1: a key of more than ", max_dots, " parts"});
    } else if (c == '=' || c == ',' || c == '[' || c == '{' || c == '\n') {
      dots = 0;
    } else if ((c & 0x80) != 0) {
      not_ascii(text, i, line, source);
    }
  }
}

Where place(const toml::source_region& region, const std::string& source) {
  return {source, static_cast<int>(region.begin.line), static_cast<int>(region.begin.column)};
}

Value convert(const toml::node& node, const std::string& source) {
  Value out;
  out.where = place(node.source(), source);
  switch (node.type()) {
    case toml::node_type::table: {
      Value::Table table;
      for (auto&& [key, child] : *node.as_table())
        table.push_back(
            {std::string(key.str()), convert(child, source), place(key.source(), source)});
      // The library sorts by name; the file's order is the one its writer meant.
      std::stable_sort(table.begin(), table.end(), [](const Member& a, const Member& b) {
        return std::pair(a.where.line, a.where.column) < std::pair(b.where.line, b.where.column);
      });
      out.data = std::move(table);
      break;
    }
    case toml::node_type::array: {
      Value::Array array;
      for (const toml::node& child : *node.as_array()) array.push_back(convert(child, source));
      out.data = std::move(array);
      break;
    }
    case toml::node_type::string: out.data = node.as_string()->get(); break;
    case toml::node_type::integer: out.data = node.as_integer()->get(); break;
    case toml::node_type::floating_point: out.data = node.as_floating_point()->get(); break;
    case toml::node_type::boolean: out.data = node.as_boolean()->get(); break;
    default:
      raise(ErrorKind::argument,
            {to_string(out.where), "dates and times have no use in a configuration"});
  }
  return out;
}

}  // namespace

Value parse_toml(std::string_view text, const std::string& source) {
  check(text.size() <= max_bytes, ErrorKind::argument, source, ": a configuration of ", text.size(),
        " bytes; at most ", max_bytes, " are read");
  check_characters(text, source);
  try {
    const toml::table table = toml::parse(text, std::string_view(source));
    return convert(table, source);
  } catch (const BrokenAssumption&) {
    raise(ErrorKind::argument, {source, ": not valid TOML"});
  } catch (const toml::parse_error& e) {
    std::string about(e.description());
    std::replace_if(
        about.begin(), about.end(), [](char c) { return c == '\n'; }, ' ');
    throw Error(ErrorKind::argument, to_string(place(e.source(), source)) + about);
  }
}

void apply_setting(Value& root, const std::string& setting) {
  const std::size_t equals = setting.find('=');
  const std::string source = "--set " + setting;
  const std::string path = setting.substr(0, std::min(equals, setting.find('\n')));
  const bool path_ok = !path.empty() && path.front() != '.' && path.back() != '.' &&
                       path.find("..") == path.npos &&
                       std::count(path.begin(), path.end(), '.') <= max_dots;
  check(equals != setting.npos && path_ok, ErrorKind::argument, source,
        ": expected key=value, such as optim.lr=0.01");
  const std::string text = setting.substr(equals + 1);
  check(setting.find_first_of("\r\n") == setting.npos, ErrorKind::argument, "--set ", path,
        ": the value must stand on one line");
  Value value{text, {source}};
  try {
    value.data = parse_toml("v = " + text, source).find("v")->value.data;
  } catch (const Error& e) {
    const bool word = text.find_first_of("\"'[{") != 0 && !text.empty();
    check(word, ErrorKind::argument, source, ": the value is not valid TOML");
  }
  check(root.set(path, value), ErrorKind::argument, source, ": a part of the key is not a table");
}

}  // namespace gradus::trainer
