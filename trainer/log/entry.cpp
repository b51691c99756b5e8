// Tensors to histograms and pictures, pictures to files.
#include "gradus/trainer/log/entry.h"

#include <algorithm>
#include <cmath>

#include "gradus/tensor/tensor.h"

#define STB_IMAGE_WRITE_IMPLEMENTATION
#define STB_IMAGE_WRITE_STATIC
#define STBI_WRITE_NO_STDIO
#include <stb/stb_image_write.h>

namespace gradus::trainer {
namespace {

void append(void* to, void* bytes, int n) {
  static_cast<std::string*>(to)->append(static_cast<const char*>(bytes),
                                        static_cast<std::size_t>(n));
}

void check_written(int ok, const Picture& p) {
  check(ok != 0, ErrorKind::memory, "log_image: a picture of ", p.height, " x ", p.width,
        " pixels could not be encoded");
}

std::uint8_t shade(double v) {
  return v > 0 ? static_cast<std::uint8_t>(std::lround(std::min(v, 1.0) * 255)) : 0;
}

/// In a Markdown table's cell.
std::string cell(const std::string& text) {
  std::string out;
  for (const char c : text) out += c == '|' ? "\\|" : c == '\n' ? " " : std::string(1, c);
  return out;
}

}  // namespace

Histogram histogram_of(const Tensor& t, int buckets) {
  check(buckets > 0, ErrorKind::argument, "histogram: expected a bucket or more, got ", buckets);
  Histogram h;
  const std::vector<double> all = t.to_vector<double>();
  for (const double v : all) {
    if (!std::isfinite(v)) {
      ++h.not_finite;
      continue;
    }
    if (h.count++ == 0) h.least = h.most = v;
    h.least = std::min(h.least, v), h.most = std::max(h.most, v);
    h.sum += v;
    h.sum_squares += v * v;
  }
  if (h.count == 0) return h;
  // Numbers that are all the same lie in one bucket of some width around them.
  const double half = h.most > h.least ? 0 : std::max(std::abs(h.least) * 1e-3, 1e-12);
  const double low = h.least - half, width = (h.most + half - low) / buckets;
  if (!std::isfinite(width) || width <= 0) {  // a range that doubles cannot divide
    h.edges = {h.least, h.most};
    h.counts = {h.count};
    return h;
  }
  for (int i = 0; i < buckets; ++i) h.edges.push_back(low + i * width);
  h.edges.push_back(h.most + half);
  h.counts.assign(static_cast<std::size_t>(buckets), 0);
  for (const double v : all) {
    if (!std::isfinite(v)) continue;
    const auto above = std::lower_bound(h.edges.begin(), h.edges.end(), v) - h.edges.begin();
    ++h.counts[static_cast<std::size_t>(std::clamp<std::ptrdiff_t>(above - 1, 0, buckets - 1))];
  }
  return h;
}

Picture picture_of(const Tensor& given) {
  const Tensor t = given.dim() == 2 ? given.detach().reshape({1, 1, given.size(0), given.size(1)})
                   : given.dim() == 3
                       ? given.detach().reshape({1, given.size(0), given.size(1), given.size(2)})
                       : given.detach();
  check(t.dim() == 4 && (t.size(1) == 1 || t.size(1) == 3 || t.size(1) == 4) && t.numel() > 0,
        ErrorKind::shape,
        "log_image: expected (H, W), (C, H, W) or (N, C, H, W) with 1, 3 or 4 channels, got ",
        given.shape());
  const bool bytes = t.dtype() == Dtype::u8;
  check(bytes || is_floating(t.dtype()), ErrorKind::dtype,
        "log_image: expected u8 or a floating type, got ", t.dtype());
  const std::int64_t n = t.size(0), c = t.size(1), h = t.size(2), w = t.size(3), gap = 2;
  const auto columns = static_cast<std::int64_t>(std::ceil(std::sqrt(static_cast<double>(n))));
  const std::int64_t rows = (n + columns - 1) / columns;
  Picture p{rows * (h + gap) - gap, columns * (w + gap) - gap, c, {}};
  p.pixels.assign(static_cast<std::size_t>(p.height * p.width * c), 0);
  const std::vector<double> all = t.to_vector<double>();
  for (std::int64_t i = 0; i < n; ++i) {
    const std::int64_t top = i / columns * (h + gap), left = i % columns * (w + gap);
    for (std::int64_t k = 0; k < c; ++k)
      for (std::int64_t y = 0; y < h; ++y)
        for (std::int64_t x = 0; x < w; ++x) {
          const double v = all[static_cast<std::size_t>(((i * c + k) * h + y) * w + x)];
          p.pixels[static_cast<std::size_t>(((top + y) * p.width + left + x) * c + k)] =
              bytes ? static_cast<std::uint8_t>(v) : shade(v);
        }
  }
  return p;
}

std::string png_of(const Picture& p) {
  std::string out;
  const int width = static_cast<int>(p.width), channels = static_cast<int>(p.channels);
  check_written(stbi_write_png_to_func(append, &out, width, static_cast<int>(p.height), channels,
                                       p.pixels.data(), width * channels),
                p);
  return out;
}

std::string jpg_of(const Picture& p, int quality) {
  std::string out;
  check_written(
      stbi_write_jpg_to_func(append, &out, static_cast<int>(p.width), static_cast<int>(p.height),
                             static_cast<int>(p.channels), p.pixels.data(), quality),
      p);
  return out;
}

std::string markdown_of(const Table& table) {
  std::string text = "|", line = "|";
  for (const std::string& column : table.columns) {
    text += " " + cell(column) + " |";
    line += " --- |";
  }
  text += "\n" + line + "\n";
  for (const auto& row : table.rows) {
    text += "|";
    for (const std::string& value : row) text += " " + cell(value) + " |";
    text += "\n";
  }
  return text;
}

}  // namespace gradus::trainer
