#include "gradus/tensor/json.h"

#include <fmt/format.h>

#include <climits>
#include <nlohmann/json.hpp>
#include <utility>

#include "gradus/tensor/error.h"

namespace gradus {
namespace {

constexpr std::size_t deepest = 100;  // a tree is freed by recursion: its depth is not the file's

/// Receives the parser's events and builds the tree from them.
class Builder {
 public:
  std::optional<std::size_t> wrong_at;  // an offset
  bool too_deep = false;

  Json take() { return std::move(open_.front().list.front()); }

  bool null() { return add(Json()); }
  bool boolean(bool v) { return add(Json(v)); }
  bool number_integer(std::int64_t v) { return add(Json(v)); }
  bool number_unsigned(std::uint64_t v) {
    return v <= INT64_MAX ? add(Json(static_cast<std::int64_t>(v)))
                          : add(Json(static_cast<double>(v)));
  }
  bool number_float(double v, const std::string&) { return add(Json(v)); }
  bool string(std::string& v) { return add(Json(std::move(v))); }
  bool binary(std::vector<std::uint8_t>&) { return false; }
  bool start_object(std::size_t) { return start(); }
  bool start_array(std::size_t) { return start(); }
  bool key(std::string& name) {
    open_.back().name = std::move(name);
    return true;
  }
  bool end_object() {
    Json whole(std::move(open_.back().members));
    open_.pop_back();
    return add(std::move(whole));
  }
  bool end_array() {
    Json whole(std::move(open_.back().list));
    open_.pop_back();
    return add(std::move(whole));
  }
  bool parse_error(std::size_t position, const std::string&, const std::exception&) {
    wrong_at = position;
    return false;
  }

 private:
  /// An object or a list whose end has not come yet. The first is the document's own place.
  struct Open {
    std::optional<std::string> name;  // of the member to come
    Json::List list;
    Json::Members members;
  };

  bool start() {
    too_deep = open_.size() > deepest;
    if (!too_deep) open_.emplace_back();
    return !too_deep;
  }
  bool add(Json value) {
    Open& to = open_.back();
    if (to.name)
      to.members.push_back({*std::exchange(to.name, {}), std::move(value)});
    else
      to.list.push_back(std::move(value));
    return true;
  }

  std::vector<Open> open_ = std::vector<Open>(1);
};

}  // namespace

Json::Json() = default;
Json::Json(Value value) : value_(std::move(value)) {}
Json::Json(const Json&) = default;
Json::Json(Json&&) noexcept = default;
Json& Json::operator=(const Json&) = default;
Json& Json::operator=(Json&&) noexcept = default;
Json::~Json() = default;

Json Json::parse(std::string_view text) {
  const std::size_t zero = text.find('\0');  // the library takes one for the end of the text
  check(zero == text.npos, ErrorKind::corrupt, "offset ", zero, ": not valid JSON in UTF-8");
  Builder builder;
  const bool whole = nlohmann::json::sax_parse(text.begin(), text.end(), &builder);
  check(!builder.too_deep, ErrorKind::corrupt, "JSON nested more than ", deepest, " deep");
  check(whole, ErrorKind::corrupt, "offset ", builder.wrong_at.value_or(0),
        ": not valid JSON in UTF-8");
  return builder.take();
}

std::optional<Json> Json::parse_if(std::string_view text) try {
  return parse(text);
} catch (const Error&) {
  return {};
}

template <class T>
const T& Json::as(const char* expected) const {
  const T* const value = std::get_if<T>(&value_);
  if (value == nullptr) raise(ErrorKind::corrupt, {"expected ", expected, ", got ", text()});
  return *value;
}

bool Json::boolean() const { return as<bool>("true or false"); }
std::int64_t Json::integer() const { return as<std::int64_t>("an integer"); }
double Json::number() const {
  return is_integer() ? static_cast<double>(integer()) : as<double>("a number");
}
const std::string& Json::string() const { return as<std::string>("a text"); }
const Json::List& Json::list() const { return as<List>("a list"); }
const Json::Members& Json::members() const { return as<Members>("an object"); }

const Json* Json::find(std::string_view name) const {
  const Members* const all = std::get_if<Members>(&value_);
  if (all == nullptr) return nullptr;
  for (auto member = all->rbegin(); member != all->rend(); ++member)
    if (member->name == name) return &member->value;
  return nullptr;
}

const Json& Json::at(std::string_view name) const {
  const Json* const found = find(name);
  if (found == nullptr) members();
  check(found != nullptr, ErrorKind::corrupt, "\"", name, "\" is missing");
  return *found;
}

const Json& Json::at(std::size_t index) const {
  const List& all = list();
  check(index < all.size(), ErrorKind::corrupt, "a list of ", all.size(), ", expected at least ",
        index + 1);
  return all[index];
}

std::string Json::text() const {
  std::string out;
  write(out);
  return out;
}

void Json::write(std::string& out) const {
  const char* comma = "";
  if (is_object()) {
    out += '{';
    for (const auto& [name, value] : members()) {
      ((out += std::exchange(comma, ", ")) += json_string(name, "Json")) += ": ";
      value.write(out);
    }
    out += '}';
  } else if (is_list()) {
    out += '[';
    for (const Json& value : list()) {
      out += std::exchange(comma, ", ");
      value.write(out);
    }
    out += ']';
  } else if (is_string()) {
    out += json_string(string(), "Json");
  } else if (is_integer()) {
    out += std::to_string(integer());
  } else if (is_number()) {
    out += fmt::format("{}", number());
  } else if (const bool* const truth = std::get_if<bool>(&value_)) {
    out += *truth ? "true" : "false";
  } else {
    out += "null";
  }
}

std::string json_string(const std::string& text, std::string_view op) {
  try {
    return nlohmann::json(text).dump();
  } catch (const nlohmann::json::exception&) {
    raise(ErrorKind::argument, {op, ": a name or a text is not valid UTF-8"});
  }
}

}  // namespace gradus
