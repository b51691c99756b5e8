// A JSON document in memory. nlohmann-json reads it; the tree is ours, because that library's needs
// memory to free its memory and ends the program where there is none, which is when a run must say
// what is wrong and save what it has.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace gradus {

/// A value and what is in it. What asks for another kind than it has throws Error (corrupt) with
/// both: the texts come from files.
class Json {
 public:
  using List = std::vector<Json>;
  /// In the order of the text. Of a name that is there twice the last one counts. Not pairs:
  /// clang 14 takes a pair of a class that it has not seen whole for another one.
  struct Member;
  using Members = std::vector<Member>;
  using Value =
      std::variant<std::nullptr_t, bool, std::int64_t, double, std::string, List, Members>;

  Json();  // null
  explicit Json(Value value);
  Json(const Json&);
  Json(Json&&) noexcept;
  Json& operator=(const Json&);
  Json& operator=(Json&&) noexcept;
  ~Json();

  /// UTF-8, nested at most 100 deep. Throws Error (corrupt) naming the offset.
  static Json parse(std::string_view text);
  /// Nothing where parse() throws that error.
  static std::optional<Json> parse_if(std::string_view text);

  bool is_integer() const { return std::holds_alternative<std::int64_t>(value_); }
  bool is_number() const { return is_integer() || std::holds_alternative<double>(value_); }
  bool is_string() const { return std::holds_alternative<std::string>(value_); }
  bool is_list() const { return std::holds_alternative<List>(value_); }
  bool is_object() const { return std::holds_alternative<Members>(value_); }

  bool boolean() const;
  /// Integers from -2^63 to 2^63 - 1; a larger one is a number.
  std::int64_t integer() const;
  double number() const;
  const std::string& string() const;
  const List& list() const;
  const Members& members() const;

  /// The member of that name; nullptr where there is none, or this is no object.
  const Json* find(std::string_view name) const;
  const Json& at(std::string_view name) const;
  const Json& at(std::size_t index) const;

  /// The document again, on one line. Only strings that parse() gave are written as they were.
  std::string text() const;

 private:
  template <class T>
  const T& as(const char* expected) const;
  void write(std::string& out) const;
  Value value_;
};

struct Json::Member {
  std::string name;
  Json value;
};

/// Text between quotes, as JSON wants it. Throws Error (argument) naming `op` if it is not UTF-8.
std::string json_string(const std::string& text, std::string_view op);

}  // namespace gradus
