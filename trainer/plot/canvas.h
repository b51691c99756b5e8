// What a figure is drawn on: lines, areas and words, in units of an SVG pixel. Two kinds: SVG text,
// and pixels for PNG.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace gradus::trainer::plot {

struct Color {
  std::uint8_t r = 0, g = 0, b = 0;
};
struct Point {
  double x = 0, y = 0;  // to the right and downward
};
struct Stroke {
  Color color;
  double width = 1;
  std::vector<double> dash = {};  // lengths on, off, on ...; empty: solid
  double opacity = 1;
};
enum class Anchor { start, middle, end };

class Canvas {
 public:
  virtual ~Canvas() = default;
  virtual void line(const std::vector<Point>& points, const Stroke& stroke) = 0;
  virtual void circle(Point center, double radius, Color fill) = 0;
  /// The baseline's start, middle or end is at `at`.
  virtual void text(Point at, const std::string& text, double size, Color color,
                    Anchor anchor = Anchor::start, bool bold = false) = 0;
  /// Width of a text in the font that is drawn with, or nearly.
  virtual double width(const std::string& text, double size) const = 0;
  /// The file.
  virtual std::string finish() = 0;
};

std::unique_ptr<Canvas> svg_canvas(double width, double height);
/// `scale` pixels a unit. Letters are those of a TrueType font of the system, DejaVu or Liberation,
/// or plain ones of our own where there is none.
std::unique_ptr<Canvas> png_canvas(double width, double height, double scale = 2);

}  // namespace gradus::trainer::plot
