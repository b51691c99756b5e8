// A canvas that writes SVG: numbers with two digits, one element a line.
#include <fmt/format.h>

#include "gradus/trainer/plot/canvas.h"
#include "gradus/trainer/text.h"

namespace gradus::trainer::plot {
namespace {

std::string hex(Color c) { return fmt::format("#{:02x}{:02x}{:02x}", c.r, c.g, c.b); }

/// Two digits, without zeros at the end.
std::string number(double v) {
  std::string text = fmt::format("{:.2f}", v);
  text.erase(text.find_last_not_of('0') + 1);
  if (text.back() == '.') text.pop_back();
  return text == "-0" ? "0" : text;
}

std::string escaped(const std::string& text) {
  std::string out;
  for (const char c : printable(text)) {
    if (c == '&')
      out += "&amp;";
    else if (c == '<')
      out += "&lt;";
    else if (c == '>')
      out += "&gt;";
    else
      out += c;
  }
  return out;
}

class Svg final : public Canvas {
 public:
  Svg(double width, double height) {
    out_ = fmt::format(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{0}\" height=\"{1}\" viewBox=\"0 0 {0} "
        "{1}\" font-family=\"Helvetica, Arial, 'Liberation Sans', 'DejaVu Sans', sans-serif\">\n"
        "<rect width=\"{0}\" height=\"{1}\" fill=\"#ffffff\"/>\n",
        number(width), number(height));
  }
  void line(const std::vector<Point>& points, const Stroke& stroke) override {
    if (points.empty()) return;
    std::string at, dash;
    for (const Point& p : points)
      at += fmt::format("{}{},{}", at.empty() ? "" : " ", number(p.x), number(p.y));
    for (const double d : stroke.dash) dash += (dash.empty() ? "" : " ") + number(d);
    out_ += fmt::format(
        "<polyline fill=\"none\" stroke=\"{}\" stroke-width=\"{}\" stroke-linejoin=\"round\"{}{} "
        "points=\"{}\"/>\n",
        hex(stroke.color), number(stroke.width),
        dash.empty() ? "" : fmt::format(" stroke-dasharray=\"{}\"", dash),
        stroke.opacity < 1 ? fmt::format(" stroke-opacity=\"{}\"", number(stroke.opacity)) : "",
        at);
  }
  void circle(Point center, double radius, Color fill) override {
    out_ += fmt::format("<circle cx=\"{}\" cy=\"{}\" r=\"{}\" fill=\"{}\"/>\n", number(center.x),
                        number(center.y), number(radius), hex(fill));
  }
  void text(Point at, const std::string& text, double size, Color color, Anchor anchor,
            bool bold) override {
    constexpr const char* anchors[] = {"start", "middle", "end"};
    out_ += fmt::format(
        "<text x=\"{}\" y=\"{}\" font-size=\"{}\" fill=\"{}\" text-anchor=\"{}\"{}>{}</text>\n",
        number(at.x), number(at.y), number(size), hex(color), anchors[static_cast<int>(anchor)],
        bold ? " font-weight=\"bold\"" : "", escaped(text));
  }
  double width(const std::string& text, double size) const override {
    return 0.56 * size * static_cast<double>(text.size());  // of a viewer's font, about
  }
  std::string finish() override { return out_ + "</svg>\n"; }

 private:
  std::string out_;
};

}  // namespace

std::unique_ptr<Canvas> svg_canvas(double width, double height) {
  return std::make_unique<Svg>(width, height);
}

}  // namespace gradus::trainer::plot
