// Letters for pictures.
#pragma once

#include <functional>
#include <string>

namespace gradus::trainer::plot {

class Font {
 public:
  virtual ~Font() = default;
  /// In pixels; `size` is the height of a line.
  virtual double width(const std::string& text, double size, bool bold) const = 0;
  /// Calls set(x, y, cover) for the pixels of a text whose baseline starts at (x, y).
  virtual void draw(const std::string& text, double size, double x, double y, bool bold,
                    const std::function<void(int, int, float)>& set) const = 0;
};

/// The system's, or one that is always there.
const Font& font();
/// The latter: a text must never be missing only because a machine has no fonts.
const Font& plain_font();

}  // namespace gradus::trainer::plot
