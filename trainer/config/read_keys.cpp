// Tables into fields, with an error that says where, what and what was probably meant.
#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <filesystem>

#include "gradus/tensor/error.h"
#include "gradus/trainer/config/key.h"
#include "gradus/trainer/text.h"

namespace gradus::trainer {
namespace {

using std::filesystem::path;

template <class... Parts>
[[noreturn]] void fail(const Where& where, const Parts&... parts) {
  const std::string place = to_string(where);
  raise(ErrorKind::argument, {Part(place), Part(parts)...});
}

std::string joined(const std::vector<std::string>& words) {
  std::string out;
  for (const std::string& word : words) (out += out.empty() ? "" : ", ") += word;
  return out;
}

std::string join_key(const std::string& prefix, const std::string& name) {
  return prefix.empty() ? toml_key(name) : prefix + "." + toml_key(name);
}

/// `~/data/${NAME}` -> `/home/ada/data/value`.
std::string expanded(const std::string& text, const Where& where, const std::string& name) {
  std::string out;
  std::size_t i = 0;
  if (text == "~" || text.rfind("~/", 0) == 0) {
    const char* home = std::getenv("HOME");
    if (!home || *home == 0) fail(where, name, ": ~ is used, but the environment has no HOME");
    out = home;
    i = 1;
  }
  while (i < text.size()) {
    if (text.compare(i, 2, "${") != 0) {
      out += text[i++];
      continue;
    }
    const std::size_t end = text.find('}', i);
    if (end == text.npos) fail(where, name, ": ${ without }");
    const std::string variable = text.substr(i + 2, end - i - 2);
    const char* value = std::getenv(variable.c_str());
    if (!value) fail(where, name, ": the environment has no ", variable);
    out += value;
    i = end + 1;
  }
  return out;
}

class Reader {
 public:
  Reader(const Keys& root, const std::string& folder, const std::string& prefix)
      : root_(root), root_prefix_(prefix), folder_(folder) {}

  void table(const Value& value, const Keys& keys, const std::string& prefix,
             Value* rest = nullptr) {
    const auto* members = value.as<Value::Table>();
    if (!members) fail(value.where, prefix, ": expected a table, got ", kind_name(value));
    for (const Member& member : *members) {
      const Key* key = find(keys, member.key);
      if (key) {
        read(member.value, *key, join_key(prefix, member.key));
      } else if (rest) {
        std::get<Value::Table>(rest->data).push_back(member);
      } else {
        const std::string meant = suggestion(member.key, keys, prefix);
        fail(member.where, "unknown key \"", join_key(prefix, member.key), "\"",
             meant.empty() ? "" : "; did you mean \"" + meant + "\"?");
      }
    }
    for (const Key& key : keys)
      if (key.required && !value.find(key.name))
        fail(value.where, "missing key \"", join_key(prefix, key.name), "\" (", key.about, ")");
  }

 private:
  static const Key* find(const Keys& keys, const std::string& name) {
    for (const Key& key : keys)
      if (key.name == name) return &key;
    return nullptr;
  }

  /// An alias in this table, the same name in another table, or a typing error, in this order.
  std::string suggestion(const std::string& name, const Keys& keys, const std::string& prefix) {
    std::string found = known_as(name, keys, prefix);
    if (found.empty()) found = known_as(name, root_, root_prefix_);
    if (!found.empty()) return found;
    std::vector<std::string> names;
    for (const Key& key : keys) names.push_back(key.name);
    const std::string near = nearest(name, names);
    return near.empty() ? "" : join_key(prefix, near);
  }

  static std::string known_as(const std::string& name, const Keys& keys,
                              const std::string& prefix) {
    for (const Key& key : keys) {
      const std::string full = join_key(prefix, key.name);
      if (key.name == name && !std::holds_alternative<Keys>(key.slot)) return full;
      for (const std::string& other : key.other_names)
        if (other == name) return full;
      std::string below;
      if (const auto* section = std::get_if<Keys>(&key.slot)) {
        below = known_as(name, *section, full);
      } else if (const auto* map = std::get_if<Named>(&key.slot)) {
        const auto elements = map->names();
        if (!elements.empty())
          below = known_as(name, map->at(elements.back()), join_key(full, elements.back()));
      }
      if (!below.empty()) return below;
    }
    return "";
  }

  void read(const Value& value, const Key& key, const std::string& name) {
    const std::string before = key.planned ? write_keys({key}, false) : "";
    std::visit([&](const auto& slot) { fill(value, key, name, slot); }, key.slot);
    if (key.planned && write_keys({key}, false) != before)
      throw Error(ErrorKind::unsupported,
                  to_string(value.where) + name + ": not in this version; " + key.instead);
  }

  [[noreturn]] static void wrong(const Value& value, const std::string& name,
                                 std::string_view want) {
    fail(value.where, name, ": expected ", want, ", got ", to_toml(value).substr(0, 60), " (",
         kind_name(value), ")");
  }

  static void check_range(const Value& value, const Key& key, const std::string& name, double v) {
    const bool low = key.least_excluded ? !(v > key.least) : !(v >= key.least);
    if (!std::isfinite(v)) fail(value.where, name, ": ", toml_number(v), " is not a finite number");
    if (low)
      fail(value.where, name, ": ", to_toml(value), " is too small; it must be ",
           key.least_excluded ? "above " : "at least ", key.least);
    if (!(v <= key.most))
      fail(value.where, name, ": ", to_toml(value), " is too large; it must be at most ", key.most);
    if (key.count_or_fraction && v != std::floor(v) && v > 1)
      fail(value.where, name, ": expected a count, or a share between 0 and 1, got ", v);
  }

  // One overload a kind of field.
  static void fill(const Value& value, const Key&, const std::string& name, bool* to) {
    if (!value.as<bool>()) wrong(value, name, "true or false");
    *to = *value.as<bool>();
  }
  static void fill(const Value& value, const Key& key, const std::string& name, std::int64_t* to) {
    const auto* text = value.as<std::string>();
    if (text && !key.word.empty() && *text == key.word) {
      *to = key.word_means();
      return;
    }
    if (!value.as<std::int64_t>())
      wrong(value, name, key.word.empty() ? "an integer" : "an integer or \"" + key.word + "\"");
    check_range(value, key, name, static_cast<double>(*value.as<std::int64_t>()));
    *to = *value.as<std::int64_t>();
  }
  static void fill(const Value& value, const Key& key, const std::string& name, double* to) {
    if (const auto* integer = value.as<std::int64_t>())
      *to = static_cast<double>(*integer);
    else if (const auto* number = value.as<double>())
      *to = *number;
    else
      wrong(value, name, "a number");
    check_range(value, key, name, *to);
  }
  void fill(const Value& value, const Key& key, const std::string& name, std::string* to) const {
    if (key.path) return fill_path(value, name, to);
    if (!value.as<std::string>()) wrong(value, name, "a string");
    *to = *value.as<std::string>();
    const auto& later = key.planned_choices;
    if (std::count(later.begin(), later.end(), *to))
      throw Error(ErrorKind::unsupported, to_string(value.where) + name + ": " + to_toml(value) +
                                              " is not in this version; " + key.instead);
    if (key.choices.empty() || std::count(key.choices.begin(), key.choices.end(), *to)) return;
    const std::string near = nearest(*to, key.choices);
    fail(value.where, name, ": ", to_toml(value), " is not one of ", joined(key.choices),
         near.empty() ? "" : "; did you mean \"" + near + "\"?");
  }
  void fill_path(const Value& value, const std::string& name, std::string* to) const {
    if (!value.as<std::string>()) wrong(value, name, "a path");
    if (value.as<std::string>()->find('\0') != std::string::npos)
      fail(value.where, name, ": a path cannot hold a zero byte");
    const path written = expanded(*value.as<std::string>(), value.where, name);
    const bool from_file = value.where.line > 0;
    const auto full = [&] {
      return from_file ? folder_ / written : std::filesystem::absolute(written);
    };
    *to = written.empty() ? "" : full().lexically_normal().native();
    // A run keeps its configuration as TOML, which has no way to write other bytes.
    if (!is_utf8(*to)) fail(value.where, name, ": the path is not valid UTF-8: ", printable(*to));
  }
  template <class T>
  void fill(const Value& value, const Key& key, const std::string& name, std::vector<T>* to) const {
    const auto* list = value.as<Value::Array>();
    if constexpr (std::is_same_v<T, std::string>) {
      const auto* word = value.as<std::string>();
      if (word && std::count(key.words.begin(), key.words.end(), *word)) {
        *to = {*word};
        return;
      }
    }
    if (!list) wrong(value, name, key.words.empty() ? "a list" : joined(key.words) + " or a list");
    if (key.length && list->size() != key.length)
      fail(value.where, name, ": expected a list of ", key.length, ", got ", list->size());
    to->clear();
    for (const Value& element : *list) {
      T read{};
      fill(element, key, name + "[" + std::to_string(to->size()) + "]", &read);
      to->push_back(std::move(read));
    }
  }
  static void fill(const Value& value, const Key&, const std::string&, Value* to) { *to = value; }
  void fill(const Value& value, const Key& key, const std::string& name, const Keys& keys) {
    if (key.number) {
      *key.number = 0;
      if (!value.as<Value::Table>()) {
        if (!value.as<double>() && !value.as<std::int64_t>())
          wrong(value, name, "a number or a table");
        fill(value, Key(key.name, key.number, "").above(0), name, key.number);
        return;
      }
    }
    table(value, keys, name, key.rest);
  }
  void fill(const Value& value, const Key&, const std::string& name, const Named& map) {
    const auto* members = value.as<Value::Table>();
    if (!members) wrong(value, name, "a table");
    for (const Member& member : *members)
      if (member.key[0] != '_') table(member.value, map.at(member.key), join_key(name, member.key));
  }
  void fill(const Value& value, const Key&, const std::string& name, const Listed& list) {
    const auto* elements = value.as<Value::Array>();
    if (!elements) wrong(value, name, "a list of tables");
    for (std::size_t i = 0; i < elements->size(); ++i)
      table((*elements)[i], list.at(list.size()), name + "[" + std::to_string(i) + "]");
  }

  const Keys& root_;
  const std::string& root_prefix_;
  const path folder_;
};

}  // namespace

void read_keys(const Value& table, const Keys& keys, const std::string& prefix,
               const std::string& folder) {
  Reader(keys, folder, prefix).table(table, keys, prefix);
}

}  // namespace gradus::trainer
