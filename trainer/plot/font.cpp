// TrueType through stb where a usual font is installed, else stb's own letters of small rectangles.
#include "gradus/trainer/plot/font.h"

#include <cmath>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <vector>

#define STB_TRUETYPE_IMPLEMENTATION
#define STBTT_STATIC
#include <stb/stb_easy_font.h>
#include <stb/stb_truetype.h>

#include "gradus/trainer/text.h"

namespace gradus::trainer::plot {
namespace {

/// Code points of a text; bytes that are no UTF-8 become '?'.
std::vector<int> letters(std::string_view text) {
  std::vector<int> out;
  while (!text.empty()) {
    const std::size_t n = utf8_length(text);
    const auto first = static_cast<unsigned char>(text[0]);
    int code = n == 0 ? '?' : n == 1 ? first : first & (0xff >> (n + 1));
    for (std::size_t i = 1; i < n; ++i)
      code = code << 6 | (static_cast<unsigned char>(text[i]) & 0x3f);
    out.push_back(code);
    text.remove_prefix(n ? n : 1);
  }
  return out;
}

class TrueType final : public Font {
 public:
  struct Face {
    std::vector<unsigned char> bytes;
    stbtt_fontinfo info{};
    bool read(const std::filesystem::path& path) {
      std::ifstream stream(path, std::ios::binary);
      bytes.assign(std::istreambuf_iterator<char>(stream), {});
      return bytes.size() > 1024 && stbtt_InitFont(&info, bytes.data(), 0) != 0;
    }
  };

  /// Null where there is no such pair of files.
  static std::unique_ptr<TrueType> find() {
    constexpr const char* pairs[][2] = {
        {"/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf",
         "/usr/share/fonts/truetype/dejavu/DejaVuSans-Bold.ttf"},
        {"/usr/share/fonts/truetype/liberation/LiberationSans-Regular.ttf",
         "/usr/share/fonts/truetype/liberation/LiberationSans-Bold.ttf"},
        {"/usr/share/fonts/dejavu-sans-fonts/DejaVuSans.ttf",
         "/usr/share/fonts/dejavu-sans-fonts/DejaVuSans-Bold.ttf"},
        {"/usr/share/fonts/TTF/DejaVuSans.ttf", "/usr/share/fonts/TTF/DejaVuSans-Bold.ttf"}};
    for (const auto& pair : pairs) {
      auto font = std::make_unique<TrueType>();
      if (font->faces_[0].read(pair[0]) && font->faces_[1].read(pair[1])) return font;
    }
    return nullptr;
  }

  double width(const std::string& text, double size, bool bold) const override {
    const stbtt_fontinfo& face = faces_[bold].info;
    double sum = 0;
    for (const int letter : letters(text)) {
      int advance = 0;
      stbtt_GetCodepointHMetrics(&face, letter, &advance, nullptr);
      sum += advance * scale(face, size);
    }
    return sum;
  }

  void draw(const std::string& text, double size, double x, double y, bool bold,
            const std::function<void(int, int, float)>& set) const override {
    const stbtt_fontinfo& face = faces_[bold].info;
    const float s = static_cast<float>(scale(face, size));
    for (const int letter : letters(text)) {
      const double left = std::floor(x), base = std::floor(y);
      int w = 0, h = 0, dx = 0, dy = 0, advance = 0;
      unsigned char* pixels =
          stbtt_GetCodepointBitmapSubpixel(&face, s, s, static_cast<float>(x - left),
                                           static_cast<float>(y - base), letter, &w, &h, &dx, &dy);
      for (int j = 0; j < h; ++j)
        for (int i = 0; i < w; ++i)
          set(static_cast<int>(left) + dx + i, static_cast<int>(base) + dy + j,
              static_cast<float>(pixels[j * w + i]) / 255);
      stbtt_FreeBitmap(pixels, nullptr);
      stbtt_GetCodepointHMetrics(&face, letter, &advance, nullptr);
      x += advance * s;
    }
  }

 private:
  static double scale(const stbtt_fontinfo& face, double size) {
    return stbtt_ScaleForMappingEmToPixels(&face, static_cast<float>(size));
  }
  Face faces_[2];  // regular, bold
};

class Plain final : public Font {
 public:
  double width(const std::string& text, double size, bool) const override {
    return stb_easy_font_width(ascii(text).data()) * size / unit;
  }
  void draw(const std::string& text, double size, double x, double y, bool,
            const std::function<void(int, int, float)>& set) const override {
    struct Corner {
      float x, y, z;
      unsigned char color[4];
    };
    std::vector<Corner> corners(text.size() * 70 + 64);
    const int quads = stb_easy_font_print(0, 0, ascii(text).data(), nullptr, corners.data(),
                                          static_cast<int>(corners.size() * sizeof(Corner)));
    const double s = size / unit;
    for (int q = 0; q < quads; ++q) {
      const Corner &a = corners[static_cast<std::size_t>(4 * q)],
                   &b = corners[static_cast<std::size_t>(4 * q + 2)];
      const double top = y - 7 * s;  // letters stand seven units above the baseline
      for (int j = round(top + a.y * s);
           j < std::max(round(top + b.y * s), round(top + a.y * s) + 1); ++j)
        for (int i = round(x + a.x * s); i < std::max(round(x + b.x * s), round(x + a.x * s) + 1);
             ++i)
          set(i, j, 1);
    }
  }

 private:
  static constexpr double unit = 10;  // of its own measure, a line
  static int round(double v) { return static_cast<int>(std::lround(v)); }
  static std::vector<char> ascii(const std::string& text) {
    std::vector<char> out;
    for (const int letter : letters(text))
      out.push_back(letter >= 32 && letter < 127 ? static_cast<char>(letter) : '?');
    out.push_back(0);
    return out;
  }
};

}  // namespace

const Font& plain_font() {
  static const Plain plain;
  return plain;
}

const Font& font() {
  static const std::unique_ptr<TrueType> found = TrueType::find();
  return found ? static_cast<const Font&>(*found) : plain_font();
}

}  // namespace gradus::trainer::plot
