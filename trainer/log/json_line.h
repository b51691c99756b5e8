// One JSON object on one line, in the order of its fields: metric rows, result lines, lock files.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace gradus::trainer {

/// The shortest text that reads back as exactly this number; "nan", "inf", "-inf" for the others.
std::string number_text(double v);

class JsonLine {
 public:
  JsonLine& add(std::string_view name, std::string_view text);
  JsonLine& add(std::string_view name, const char* text) {
    return add(name, std::string_view(text));
  }
  JsonLine& add(std::string_view name, std::int64_t v);
  /// What JSON cannot hold becomes a string: "nan", "inf", "-inf".
  JsonLine& add(std::string_view name, double v);
  /// `json` as it is: a list, or another object's text().
  JsonLine& add_json(std::string_view name, std::string_view json);
  /// {"event": "result", "loss": 0.25}, without a line's end
  std::string text() const { return "{" + fields_ + "}"; }

 private:
  void name(std::string_view name);
  std::string fields_;
};

/// A number as JsonLine writes it.
std::string json_number(double v);
/// Text between quotes as JSON wants it; bytes that are no UTF-8 become U+FFFD.
std::string json_quoted(std::string_view text);

}  // namespace gradus::trainer
