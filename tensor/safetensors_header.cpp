#include "gradus/tensor/safetensors_header.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

namespace gradus {
namespace {

using Json = nlohmann::json;
constexpr int max_depth = 4;  // root, entry, list of numbers; one to spare

constexpr std::pair<std::string_view, Dtype> dtype_names[] = {
    {"F32", Dtype::f32}, {"F64", Dtype::f64}, {"BF16", Dtype::bf16}, {"F16", Dtype::f16},
    {"I32", Dtype::i32}, {"I64", Dtype::i64}, {"U8", Dtype::u8},     {"BOOL", Dtype::boolean}};

/// Rejects duplicate keys and deep nesting while nlohmann builds the document, before any of it is
/// believed.
class Guard {
 public:
  bool operator()(int depth, Json::parse_event_t event, Json& value) {
    using Event = Json::parse_event_t;
    if (depth > max_depth) too_deep = true;
    if (event == Event::object_start) names_.emplace_back();
    if (event == Event::object_end && !names_.empty()) names_.pop_back();
    if (event == Event::key && !names_.empty() &&
        !names_.back().insert(value.get<std::string>()).second) {
      if (duplicate.empty()) duplicate = value.get<std::string>();
    }
    return !too_deep;
  }
  bool too_deep = false;
  std::string duplicate;

 private:
  std::vector<std::set<std::string>> names_;
};

std::uint64_t natural(const std::string& source, const std::string& name, const Json& j,
                      const char* what) {
  check(j.is_number_unsigned(), ErrorKind::corrupt, source, ": tensor \"", name, "\": ", what,
        " is not a list of natural numbers");
  return j.get<std::uint64_t>();
}

const Json& member(const std::string& source, const std::string& name, const Json& j,
                   const char* key) {
  const auto found = j.find(key);
  check(found != j.end(), ErrorKind::corrupt, source, ": tensor \"", name, "\" has no ", key);
  return *found;
}

SafetensorsEntry entry_of(const std::string& source, const std::string& name, const Json& j) {
  check(j.is_object(), ErrorKind::corrupt, source, ": tensor \"", name,
        "\" is not described by an object");
  for (const auto& [key, value] : j.items()) {
    check(key == "dtype" || key == "shape" || key == "data_offsets", ErrorKind::corrupt, source,
          ": tensor \"", name, "\" has an unknown field \"", key, "\"");
  }
  SafetensorsEntry e{name, Dtype::f32, {}};
  const Json& dtype = member(source, name, j, "dtype");
  check(dtype.is_string(), ErrorKind::corrupt, source, ": tensor \"", name,
        "\": dtype is not a word");
  const std::string word = dtype.get<std::string>();
  const auto* known = std::find_if(std::begin(dtype_names), std::end(dtype_names),
                                   [&](const auto& d) { return d.first == word; });
  check(known != std::end(dtype_names), ErrorKind::unsupported, source, ": tensor \"", name,
        "\" has dtype ", word);
  e.dtype = known->second;

  const Json& shape = member(source, name, j, "shape");
  check(shape.is_array() && shape.size() <= Shape::max_dims, ErrorKind::corrupt, source,
        ": tensor \"", name, "\": shape is not a list of at most 8 sizes");
  std::uint64_t numel = 1;
  bool fits = true;
  for (const Json& size : shape) {
    const std::uint64_t s = natural(source, name, size, "shape");
    fits = fits && s <= INT64_MAX && !__builtin_mul_overflow(numel, s, &numel);
    e.shape.push_back(static_cast<std::int64_t>(s));
  }
  std::uint64_t bytes = 0;
  fits = fits && !__builtin_mul_overflow(numel, size_of(e.dtype), &bytes);
  const Json& offsets = member(source, name, j, "data_offsets");
  check(offsets.is_array() && offsets.size() == 2, ErrorKind::corrupt, source, ": tensor \"", name,
        "\": data_offsets is not a pair");
  e.begin = natural(source, name, offsets[0], "data_offsets");
  e.end = natural(source, name, offsets[1], "data_offsets");
  check(fits && e.end >= e.begin && e.end - e.begin == bytes, ErrorKind::corrupt, source,
        ": tensor \"", name, "\" of shape ", e.shape, " and dtype ", e.dtype,
        " does not fill its bytes ", e.begin, " to ", e.end);
  return e;
}

}  // namespace

SafetensorsHeader parse_safetensors_header(const std::string& source, std::string_view json,
                                           std::uint64_t data_bytes) {
  check(!json.empty() && json.front() == '{', ErrorKind::corrupt, source,
        ": the header does not begin with {");
  Guard guard;
  const Json root = Json::parse(
      json,
      [&](int depth, Json::parse_event_t event, Json& value) { return guard(depth, event, value); },
      /*allow_exceptions=*/false);
  check(!guard.too_deep, ErrorKind::corrupt, source, ": the header is nested too deeply");
  check(root.is_object(), ErrorKind::corrupt, source, ": the header is not valid JSON");
  check(guard.duplicate.empty(), ErrorKind::corrupt, source, ": \"", guard.duplicate,
        "\" is in the header twice");

  SafetensorsHeader header;
  for (const auto& [name, value] : root.items()) {
    if (name != "__metadata__") {
      header.entries.push_back(entry_of(source, name, value));
      continue;
    }
    check(value.is_object(), ErrorKind::corrupt, source, ": __metadata__ is not an object");
    for (const auto& [key, text] : value.items()) {
      check(text.is_string(), ErrorKind::corrupt, source, ": __metadata__ \"", key,
            "\" is not text");
      header.metadata[key] = text.get<std::string>();
    }
  }
  std::sort(header.entries.begin(), header.entries.end(), [](const auto& a, const auto& b) {
    return a.begin != b.begin ? a.begin < b.begin : a.end < b.end;
  });
  std::uint64_t at = 0;
  for (const SafetensorsEntry& e : header.entries) {
    check(e.begin == at, ErrorKind::corrupt, source, ": tensor \"", e.name, "\" begins at byte ",
          e.begin, ", the one before ends at ", at);
    at = e.end;
  }
  check(at == data_bytes, ErrorKind::corrupt, source, ": the tensors fill ", at,
        " bytes, the file has ", data_bytes);
  return header;
}

std::string write_safetensors_header(const SafetensorsHeader& header) {
  nlohmann::ordered_json j = nlohmann::ordered_json::object();
  if (!header.metadata.empty()) j["__metadata__"] = header.metadata;
  for (const SafetensorsEntry& e : header.entries) {
    const auto* known = std::find_if(std::begin(dtype_names), std::end(dtype_names),
                                     [&](const auto& d) { return d.second == e.dtype; });
    j[e.name] = {{"dtype", known->first},
                 {"shape", std::vector<std::int64_t>(e.shape.begin(), e.shape.end())},
                 {"data_offsets", {e.begin, e.end}}};
  }
  std::string text = j.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
  text.resize((text.size() + 7) / 8 * 8, ' ');
  return text;
}

}  // namespace gradus
