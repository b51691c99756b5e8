#include "gradus/nn/text.h"

#include <charconv>
#include <cmath>

namespace gradus::nn {

/// The shortest digits that give the same double; Python adds ".0" to whole numbers and goes over
/// to exponents below 1e-4 and from 1e16 on.
std::string text_of(double v) {
  const double size = std::abs(v);
  const bool plain = size == 0 || (size >= 1e-4 && size < 1e16);
  char buffer[64];
  const auto end = std::to_chars(buffer, buffer + sizeof(buffer), v,
                                 plain ? std::chars_format::fixed : std::chars_format::scientific);
  std::string text(buffer, end.ptr);
  if (plain && text.find('.') == std::string::npos && std::isfinite(v)) text += ".0";
  return text;
}

std::string text_of(const Shape& v) {
  std::string text = to_string(v);
  if (v.size() == 1) text.insert(text.size() - 1, ",");  // Python's tuple of one
  return text;
}

}  // namespace gradus::nn
