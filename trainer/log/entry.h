// What a run may say besides numbers: texts, histograms, pictures and tables.
#pragma once

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

namespace gradus {
class Tensor;
}

namespace gradus::trainer {

/// When something is said.
struct Moment {
  std::int64_t step = 0;  // attempted
  std::int64_t epoch = 0;
  bool evaluating = false;  // within a validation
  bool at_end = false;      // after the last step; done again after a resume
};

struct Text {
  std::string text;  // TensorBoard shows it as Markdown
};

/// How often numbers lie where. counts[i] of them are above edges[i] and not above edges[i + 1];
/// the first bucket holds its left edge too. What is not finite is counted apart.
struct Histogram {
  double least = 0, most = 0, sum = 0, sum_squares = 0;
  std::int64_t count = 0, not_finite = 0;
  std::vector<double> edges;  // one more than counts; both empty if no number is finite
  std::vector<std::int64_t> counts;
};
/// Of all elements of a tensor, in buckets of equal width.
Histogram histogram_of(const Tensor& t, int buckets = 40);

struct Picture {
  std::int64_t height = 0, width = 0, channels = 0;  // channels: 1 grey, 3 RGB, 4 RGBA
  std::vector<std::uint8_t> pixels;                  // row by row, channels last
};
/// (H, W), (C, H, W) or (N, C, H, W), the last as a grid with two pixels between; C is 1, 3 or 4.
/// u8 from 0 to 255, or floating numbers from 0 to 1 (others are clamped, NaN is black).
/// Throws (shape) or (dtype) for anything else.
Picture picture_of(const Tensor& t);
std::string png_of(const Picture& picture);
std::string jpg_of(const Picture& picture, int quality = 90);

struct Table {
  std::vector<std::string> columns;
  std::vector<std::vector<std::string>> rows;  // each as long as `columns`
};
std::string markdown_of(const Table& table);

struct Entry {
  enum Kind { text, histogram, image, table };
  Moment at;
  std::string name;  // "samples", "valid/confusion"
  std::variant<Text, Histogram, Picture, Table> content;
  Kind kind() const { return static_cast<Kind>(content.index()); }
};

}  // namespace gradus::trainer
