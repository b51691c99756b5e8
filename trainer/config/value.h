// A configuration value as it stands in a file: what TOML can say, and where it was said. The rows
// of key.h turn values into fields of a struct; value.cpp writes them back.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace gradus::trainer {

/// A place in a configuration file, or an override on the command line (line 0).
struct Where {
  std::string source;
  int line = 0;
  int column = 0;
};
/// "fashion.toml:12:3: ", or "--set optim.lr=fast: ", or "" where nothing is known.
std::string to_string(const Where& where);

struct Member;
struct Value {
  /// In the order of the file. A class of its own: g++ 12 takes a variant of strings and plain
  /// vectors for one that always holds a value, and destroys garbage where a copy of it throws.
  struct Table : std::vector<Member> {
    using std::vector<Member>::vector;
  };
  using Array = std::vector<Value>;

  using Data = std::variant<Table, bool, std::int64_t, double, std::string, Array>;

  Data data;
  Where where;

  // In value.cpp, for who includes this need not know how a variant is copied and freed.
  Value();
  Value(Data data, Where where);
  Value(const Value&);
  Value(Value&&) noexcept;
  Value& operator=(const Value&);
  Value& operator=(Value&&) noexcept;
  ~Value();

  template <class T>
  const T* as() const {
    return std::get_if<T>(&data);
  }
  /// The member of a table at a dotted path ("data.train.path"); null where there is none.
  const Member* find(std::string_view path) const;
  /// Puts a value at a dotted path and makes the tables on the way; false if a part is no table.
  bool set(std::string_view path, Value value);
};
struct Member {
  std::string key;
  Value value;
  Where where;  // of the key
};

/// "an integer", "a table" ...: for error texts.
std::string_view kind_name(const Value& value);

/// The value as TOML on one line: `{type = "linear", sizes = [128, 10]}`, `1e-3`, `"a\nb"`.
std::string to_toml(const Value& value);
std::string toml_key(std::string_view key);
std::string toml_number(double v);  // shortest text that reads back as the same number

/// Reads a document. Throws Error(argument) with the place: "a.toml:3:7: ...".
Value parse_toml(std::string_view text, const std::string& source);

/// Applies one `a.b=value` of the command line to a document. A value that is no TOML and does not
/// begin like a string, list or table is taken as a word: `optim.type=adamw`.
void apply_setting(Value& root, const std::string& setting);

}  // namespace gradus::trainer
