// How modules print their options: as Python does.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "gradus/autograd/functions/pair.h"
#include "gradus/tensor/shape.h"

namespace gradus::nn {

std::string text_of(double v);  // "0.1", "1e-05", "1.0"
inline std::string text_of(std::int64_t v) { return std::to_string(v); }
inline std::string text_of(bool v) { return v ? "True" : "False"; }
std::string text_of(const Shape& v);  // "(6,)", "(4, 6)"
inline std::string text_of(const Pair& v) { return text_of(Shape{v.h, v.w}); }
inline std::string text_of(const Sides& v) {
  return v.count == 1 ? text_of(v[0])
                      : text_of(Shape(std::span(v.size, static_cast<std::size_t>(v.count))));
}
inline std::string text_of(const std::optional<std::int64_t>& v) {
  return v ? text_of(*v) : "None";
}
/// ", name=value" unless the value is the default.
template <class T>
std::string unless(const char* name, const T& value, bool is_default) {
  return is_default ? "" : std::string(", ") + name + "=" + text_of(value);
}

}  // namespace gradus::nn
