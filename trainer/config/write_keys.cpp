// Fields back to TOML: the resolved configuration of a run, and the reference `gradus config`
// prints.
#include <cmath>

#include "gradus/trainer/config/key.h"

namespace gradus::trainer {
namespace {

Value to_value(const Key& key, double field) {
  // A count that may also be a share reads better as the integer it was given as.
  if (key.count_or_fraction && field == std::floor(field) && field < 1e15)
    return {static_cast<std::int64_t>(field), {}};
  return {field, {}};
}
Value to_value(const Key&, bool field) { return {field, {}}; }
Value to_value(const Key&, std::int64_t field) { return {field, {}}; }
Value to_value(const Key&, const std::string& field) { return {field, {}}; }
Value to_value(const Key&, const std::vector<Value>& field) { return {field, {}}; }
template <class T>
Value to_value(const Key& key, const std::vector<T>& field) {
  Value::Array list;
  for (const T& element : field) list.push_back(to_value(key, element));
  return {list, {}};
}

std::string comment(const Key& key) {
  std::string text = key.about;
  if (!key.unit.empty()) text += " [" + key.unit + "]";
  if (!key.choices.empty()) {
    text += " One of:";
    for (const std::string& choice : key.choices)
      text += " " + choice + (&choice == &key.choices.back() ? "." : ",");
  }
  if (!key.word.empty()) text += " Or \"" + key.word + "\".";
  if (key.planned) text += " (Not in this version.)";
  for (const std::string& choice : key.planned_choices)
    text += (&choice == &key.planned_choices.front() ? " Not in this version: " : ", ") + choice;
  if (!key.planned_choices.empty()) text += ".";
  std::string out;
  for (std::size_t begin = 0; begin < text.size();) {  // wrapped at 98 columns
    std::size_t end = text.size();
    if (end - begin > 98) {
      end = text.rfind(' ', begin + 98);
      if (end == text.npos || end <= begin) end = text.size();
    }
    out += "# " + text.substr(begin, end - begin) + "\n";
    begin = end + 1;
  }
  return out;
}

class Writer {
 public:
  explicit Writer(bool comments) : comments_(comments) {}

  /// Plain keys of a table first, then the tables in it: TOML's own order.
  void table(const Keys& keys, const Value* rest, const std::string& name) {
    for (const Key& key : keys) std::visit([&](const auto& slot) { plain(key, slot); }, key.slot);
    if (rest)
      for (const Member& member : std::get<Value::Table>(rest->data))
        out_ += toml_key(member.key) + " = " + to_toml(member.value) + "\n";
    for (const Key& key : keys) {
      const std::string full = name.empty() ? toml_key(key.name) : name + "." + toml_key(key.name);
      std::visit([&](const auto& slot) { section(key, full, slot); }, key.slot);
    }
  }
  std::string take() { return std::move(out_); }

 private:
  template <class T>
  void plain(const Key& key, T* field) {
    if (comments_) out_ += comment(key);
    // A key that must be set has no default to show.
    if (comments_ && key.required) out_ += "# ";
    out_ += toml_key(key.name) + " = " + to_toml(to_value(key, *field)) + "\n";
  }
  void plain(const Key& key, const Keys&) {
    if (key.number && *key.number != 0) plain(key, key.number);
  }
  void plain(const Key& key, const Named& map) {
    if (comments_ && map.names().empty()) out_ += comment(key);  // has no section to stand at
  }
  void plain(const Key& key, const Listed& list) {
    if (comments_) {
      out_ += comment(key);
      for (const Key& element : list.example())
        out_ += "#   " + toml_key(element.name) + ": " + element.about + "\n";
    }
    out_ += toml_key(key.name) + " = [";
    for (std::size_t i = 0; i < list.size(); ++i) {
      Value::Table row;
      for (const Key& element : list.at(i))
        std::visit([&](const auto& slot) { cell(row, element, slot); }, element.slot);
      out_ += (i ? ",\n  " : "\n  ") + to_toml(Value{row, {}});
    }
    out_ += list.size() ? "\n]\n" : "]\n";
  }

  template <class T>
  void cell(Value::Table& row, const Key& key, T* field) {
    row.push_back({key.name, to_value(key, *field), {}});
  }
  void cell(Value::Table& row, const Key& key, const Keys& keys) {
    if (key.number && *key.number != 0) return cell(row, key, key.number);
    Value::Table inner;
    for (const Key& element : keys)
      std::visit([&](const auto& slot) { cell(inner, element, slot); }, element.slot);
    row.push_back({key.name, Value{inner, {}}, {}});
  }
  void cell(Value::Table&, const Key&, const Named&) {}
  void cell(Value::Table&, const Key&, const Listed&) {}

  template <class T>
  void section(const Key&, const std::string&, T*) {}
  void section(const Key& key, const std::string& name, const Keys& keys) {
    if (key.number && *key.number != 0) return;  // written as that number
    head(key, name);
    table(keys, key.rest, name);
  }
  void section(const Key& key, const std::string& name, const Named& map) {
    for (const std::string& element : map.names()) {
      const std::string full = name + "." + toml_key(element);
      head(key, full);
      table(map.at(element), nullptr, full);
    }
  }
  void section(const Key&, const std::string&, const Listed&) {}

  void head(const Key& key, const std::string& name) {
    if (!out_.empty()) out_ += "\n";
    if (comments_) out_ += comment(key);
    out_ += "[" + name + "]\n";
  }

  bool comments_;
  std::string out_;
};

}  // namespace

std::string write_keys(const Keys& keys, bool comments) {
  Writer writer(comments);
  writer.table(keys, nullptr, "");
  return writer.take();
}

}  // namespace gradus::trainer
