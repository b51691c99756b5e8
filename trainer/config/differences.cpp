// Walks both values at once; what only one of them has is told leaf by leaf.
#include "gradus/trainer/config/differences.h"

namespace gradus::trainer {
namespace {

std::string under(const std::string& name, const std::string& key) {
  return name.empty() ? toml_key(key) : name + "." + toml_key(key);
}
std::string at(const std::string& name, std::size_t i) {
  return name + "[" + std::to_string(i) + "]";
}

/// The member of that very name; a name that holds a dot is no path here.
const Value* member(const Value::Table& table, const std::string& key) {
  for (const Member& m : table)
    if (m.key == key) return &m.value;
  return nullptr;
}

struct Walk {
  std::vector<Difference> out;

  /// Everything below a key that the other side does not have.
  void alone(const std::string& name, const Value& value, bool before) {
    if (const auto* table = value.as<Value::Table>(); table && !table->empty()) {
      for (const Member& m : *table) alone(under(name, m.key), m.value, before);
    } else if (const auto* list = value.as<Value::Array>(); list && !list->empty()) {
      for (std::size_t i = 0; i < list->size(); ++i) alone(at(name, i), (*list)[i], before);
    } else {
      const std::string text = to_toml(value);
      out.push_back({name, before ? text : "", before ? "" : text, before, !before});
    }
  }

  void both(const std::string& name, const Value& a, const Value& b) {
    const auto *old_table = a.as<Value::Table>(), *new_table = b.as<Value::Table>();
    const auto *old_list = a.as<Value::Array>(), *new_list = b.as<Value::Array>();
    if (old_table && new_table) {
      for (const Member& m : *old_table) {
        if (const Value* other = member(*new_table, m.key))
          both(under(name, m.key), m.value, *other);
        else
          alone(under(name, m.key), m.value, true);
      }
      for (const Member& m : *new_table)
        if (!member(*old_table, m.key)) alone(under(name, m.key), m.value, false);
    } else if (old_list && new_list) {
      for (std::size_t i = 0; i < std::max(old_list->size(), new_list->size()); ++i) {
        if (i >= new_list->size())
          alone(at(name, i), (*old_list)[i], true);
        else if (i >= old_list->size())
          alone(at(name, i), (*new_list)[i], false);
        else
          both(at(name, i), (*old_list)[i], (*new_list)[i]);
      }
    } else if (const std::string before = to_toml(a), after = to_toml(b); before != after) {
      out.push_back({name, before, after, true, true});
    }
  }
};

}  // namespace

std::vector<Difference> differences(const Value& before, const Value& after) {
  Walk walk;
  walk.both("", before, after);
  return std::move(walk.out);
}

}  // namespace gradus::trainer
