// How modules print their options: as Python does.
#pragma once

#include <cstdint>
#include <string>
#include <utility>

namespace gradus::nn {

std::string text_of(double v);  // "0.1", "1e-05", "1.0"
inline std::string text_of(std::int64_t v) { return std::to_string(v); }
inline std::string text_of(bool v) { return v ? "True" : "False"; }
inline std::string text_of(const std::pair<std::int64_t, std::int64_t>& v) {
  return "(" + std::to_string(v.first) + ", " + std::to_string(v.second) + ")";
}

}  // namespace gradus::nn
