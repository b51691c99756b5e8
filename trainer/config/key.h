// The rows of a configuration: one Key binds a name, a unit and a sentence to a field of a struct.
// The reader, the resolved file, `gradus config` and every error message come from the same rows,
// so a new key is one field and one row. The rows of the trainer itself are in keys.cpp.
#pragma once

#include <cstdint>
#include <functional>
#include <limits>
#include <map>
#include <string>
#include <variant>
#include <vector>

#include "gradus/trainer/config/value.h"

namespace gradus::trainer {

struct Key;
using Keys = std::vector<Key>;

/// Tables under names of the user's choice: data.<name>. Names that begin with `_` are left out.
struct Named {
  std::function<std::vector<std::string>()> names;
  std::function<Keys(const std::string&)> at;  // makes the element if there is none
};
/// A list of tables: optim.groups.
struct Listed {
  std::function<std::size_t()> size;
  std::function<Keys(std::size_t)> at;  // at(size()) makes one more
  std::function<Keys()> example;        // rows of an element, for descriptions
};

/// One key. Numbers must be finite; integers are accepted for numbers, nothing else is converted.
struct Key {
  using Slot = std::variant<bool*, std::int64_t*, double*, std::string*, std::vector<std::int64_t>*,
                            std::vector<double>*, std::vector<std::string>*, std::vector<Value>*,
                            Keys, Named, Listed>;
  Key(std::string name, Slot slot, std::string unit, std::string about)
      : name(std::move(name)),
        slot(std::move(slot)),
        unit(std::move(unit)),
        about(std::move(about)) {}
  Key(std::string name, Slot slot, std::string about)
      : Key(std::move(name), std::move(slot), "", std::move(about)) {}

  std::string name;
  Slot slot;
  std::string unit;   // "steps", "s" ...; empty where there is none
  std::string about;  // one sentence
  std::vector<std::string> choices;
  std::vector<std::string> other_names;  // what people call it elsewhere: for suggestions only
  double least = -std::numeric_limits<double>::infinity();
  double most = std::numeric_limits<double>::infinity();
  bool least_excluded = false;
  bool required = false;
  bool count_or_fraction = false;
  bool path = false;
  std::string instead;  // of what this version does not have
  bool planned = false;
  std::vector<std::string> planned_choices;
  std::size_t length = 0;          // of a list; 0: any
  std::vector<std::string> words;  // each may stand alone for a list of strings
  std::string word;                // a word that stands for a number, and the number it means
  std::function<std::int64_t()> word_means;
  Value* rest = nullptr;     // of a table: takes the keys that no row names
  double* number = nullptr;  // of a table: a number may stand in its place

  Key& one_of(std::vector<std::string> words) {
    choices = std::move(words);
    return *this;
  }
  Key& like(std::vector<std::string> names) {
    other_names = std::move(names);
    return *this;
  }
  Key& at_least(double v) {
    least = v;
    return *this;
  }
  Key& at_most(double v) {
    most = v;
    return *this;
  }
  Key& above(double v) {
    least = v;
    least_excluded = true;
    return *this;
  }
  Key& of_length(std::size_t n) {
    length = n;
    return *this;
  }
  Key& must_be_set() {
    required = true;
    return *this;
  }
  /// A number that is a count, or a share of the whole if it lies between 0 and 1.
  Key& counts_or_share() {
    count_or_fraction = true;
    return at_least(0);
  }
  /// In the contract but not in this version: anything but the default, or these choices, is
  /// refused with the advice `use`.
  Key& not_yet(std::string use, std::vector<std::string> words = {}) {
    instead = std::move(use);
    planned = words.empty();
    planned_choices = std::move(words);
    return *this;
  }
  /// Of a file or directory: `~` and `${NAME}` are expanded, and a relative one counts from the
  /// configuration's folder.
  Key& is_path() {
    path = true;
    return *this;
  }
  Key& or_word(std::string text, std::function<std::int64_t()> means) {
    word = std::move(text);
    word_means = std::move(means);
    return *this;
  }
  /// One of these in place of a list: read as the list of that one word.
  Key& or_words(std::vector<std::string> alone) {
    words = std::move(alone);
    return *this;
  }
  /// A positive number in place of the table goes to `to`, which is 0 where the table counts.
  Key& or_number(double* to) {
    number = to;
    return *this;
  }
  Key& open(Value* others) {
    rest = others;
    return *this;
  }
};

/// Rows over a map or vector of structs whose rows are `keys(struct&)`. A new list element starts
/// as a copy of `prototype`.
template <class T>
Named named(std::map<std::string, T>& map, Keys (*keys)(T&)) {
  return {[&map] {
            std::vector<std::string> names;
            for (const auto& [name, value] : map) names.push_back(name);
            return names;
          },
          [&map, keys](const std::string& name) { return keys(map[name]); }};
}
template <class T>
Listed listed(std::vector<T>& list, Keys (*keys)(T&), std::function<T()> prototype) {
  return {[&list] { return list.size(); },
          [&list, keys, prototype](std::size_t i) {
            if (i == list.size()) list.push_back(prototype());
            return keys(list[i]);
          },
          [keys] {
            static T none;
            return keys(none);
          }};
}

/// Fills the fields from a table. Paths get `~` and `${NAME}` expanded; a relative one counts from
/// the file's folder (from the working directory if it came from --set).
/// Throws Error(argument) with the place, the key and, for an unknown key, the nearest one.
void read_keys(const Value& table, const Keys& keys, const std::string& prefix,
               const std::string& folder);

/// The fields as a TOML document, every default included; with comments: what each key means.
std::string write_keys(const Keys& keys, bool comments);

/// The word that differs from `word` by the fewest typing errors; empty if none is near.
std::string nearest(const std::string& word, const std::vector<std::string>& candidates);

}  // namespace gradus::trainer
