// A canvas of pixels. A line's cover of a pixel is worked out from the distance to its middle, and
// the whole line is blended once: joints and crossings of a pale line are no darker than the rest.
#include <algorithm>
#include <cmath>

#include "gradus/tensor/error.h"
#include "gradus/trainer/log/entry.h"
#include "gradus/trainer/plot/canvas.h"
#include "gradus/trainer/plot/font.h"

namespace gradus::trainer::plot {
namespace {

class Raster final : public Canvas {
 public:
  Raster(double width, double height, double scale)
      : scale_(scale),
        picture_{std::lround(height * scale), std::lround(width * scale), 3, {}},
        cover_(static_cast<std::size_t>(picture_.height * picture_.width), 0) {
    check(
        picture_.height > 0 && picture_.width > 0 && picture_.height * picture_.width < 100'000'000,
        ErrorKind::argument, "plot: a picture of ", picture_.height, " x ", picture_.width,
        " pixels");
    picture_.pixels.assign(cover_.size() * 3, 255);
  }

  void line(const std::vector<Point>& points, const Stroke& stroke) override {
    const double half = stroke.width * scale_ / 2;
    if (points.size() == 1) disk(scaled(points[0]), half);
    double along = 0;  // of the dashes
    for (std::size_t i = 1; i < points.size(); ++i)
      along = dashes(scaled(points[i - 1]), scaled(points[i]), half, stroke.dash, along);
    blend(stroke.color, stroke.opacity);
  }

  void circle(Point center, double radius, Color fill) override {
    disk(scaled(center), radius * scale_);
    blend(fill, 1);
  }

  void text(Point at, const std::string& text, double size, Color color, Anchor anchor,
            bool bold) override {
    const double pixels = size * scale_, whole = font().width(text, pixels, bold);
    const Point p = scaled(at);
    const double x = p.x - (anchor == Anchor::middle ? whole / 2
                            : anchor == Anchor::end  ? whole
                                                     : 0);
    font().draw(text, pixels, x, p.y, bold, [&](int px, int py, float c) { set(px, py, c); });
    blend(color, 1);
  }

  double width(const std::string& text, double size) const override {
    return font().width(text, size * scale_, false) / scale_;
  }

  std::string finish() override { return png_of(picture_); }

 private:
  Point scaled(Point p) const { return {p.x * scale_, p.y * scale_}; }

  /// One straight piece in its dashes; returns how far along the pattern the next one begins.
  double dashes(Point a, Point b, double half, const std::vector<double>& dash, double along) {
    const double length = std::hypot(b.x - a.x, b.y - a.y);
    if (dash.empty() || length == 0) {
      segment(a, b, half);
      return along;
    }
    double period = 0;
    for (const double d : dash) period += d * scale_;
    for (double at = 0; at < length;) {
      double rest = std::fmod(along + at, period);
      std::size_t k = 0;
      while (k + 1 < dash.size() && rest >= dash[k] * scale_) rest -= dash[k++] * scale_;
      const double end = std::min(length, at + std::max(dash[k] * scale_ - rest, 1e-6));
      const auto point = [&](double t) {
        return Point{a.x + (b.x - a.x) * t / length, a.y + (b.y - a.y) * t / length};
      };
      if (k % 2 == 0) segment(point(at), point(end), half);
      at = end;
    }
    return std::fmod(along + length, period);
  }

  void segment(Point a, Point b, double half) {
    const double dx = b.x - a.x, dy = b.y - a.y, square = dx * dx + dy * dy;
    each_pixel(
        std::min(a.x, b.x) - half - 1, std::min(a.y, b.y) - half - 1, std::max(a.x, b.x) + half + 1,
        std::max(a.y, b.y) + half + 1, [&](double x, double y) {
          const double t =
              square > 0 ? std::clamp(((x - a.x) * dx + (y - a.y) * dy) / square, 0.0, 1.0) : 0;
          return half + 0.5 - std::hypot(x - a.x - t * dx, y - a.y - t * dy);
        });
  }

  void disk(Point center, double radius) {
    each_pixel(
        center.x - radius - 1, center.y - radius - 1, center.x + radius + 1, center.y + radius + 1,
        [&](double x, double y) { return radius + 0.5 - std::hypot(x - center.x, y - center.y); });
  }

  template <class Cover>
  void each_pixel(double x0, double y0, double x1, double y1, Cover cover) {
    const auto clipped = [](double v, std::int64_t most) {
      return static_cast<int>(std::clamp(std::floor(v), 0.0, static_cast<double>(most - 1)));
    };
    for (int y = clipped(y0, picture_.height); y <= clipped(y1, picture_.height); ++y)
      for (int x = clipped(x0, picture_.width); x <= clipped(x1, picture_.width); ++x)
        set(x, y, static_cast<float>(std::clamp(cover(x + 0.5, y + 0.5), 0.0, 1.0)));
  }

  void set(int x, int y, float cover) {
    if (cover <= 0 || x < 0 || y < 0 || x >= picture_.width || y >= picture_.height) return;
    const std::size_t i = static_cast<std::size_t>(y * picture_.width + x);
    if (cover_[i] == 0) touched_.push_back(i);
    cover_[i] = std::max(cover_[i], cover);
  }

  void blend(Color color, double opacity) {
    const std::uint8_t channels[] = {color.r, color.g, color.b};
    for (const std::size_t i : touched_) {
      const double c = cover_[i] * opacity;
      for (std::size_t k = 0; k < 3; ++k) {
        std::uint8_t& pixel = picture_.pixels[i * 3 + k];
        pixel = static_cast<std::uint8_t>(std::lround(pixel * (1 - c) + channels[k] * c));
      }
      cover_[i] = 0;
    }
    touched_.clear();
  }

  double scale_;
  Picture picture_;
  std::vector<float> cover_;          // of what is being drawn, 0 between two things
  std::vector<std::size_t> touched_;  // where it is not 0
};

}  // namespace

std::unique_ptr<Canvas> png_canvas(double width, double height, double scale) {
  return std::make_unique<Raster>(width, height, scale);
}

}  // namespace gradus::trainer::plot
