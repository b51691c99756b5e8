// Transforms that move pixels of (C, H, W), and the two movements they are made of.
#pragma once

#include "gradus/trainer/data/transforms.h"

namespace gradus::trainer {

/// The box at (top, left), which may reach beyond the image: there it is `outside`.
void crop(Sample& x, std::int64_t top, std::int64_t left, std::int64_t height, std::int64_t width,
          float outside);
/// Bilinear; pixels are areas (PyTorch's align_corners = False, without antialiasing).
void resize(Sample& x, std::int64_t height, std::int64_t width);

/// A crop of the image's own size after `padding` pixels of `fill` all around.
struct PadCrop final : Transform {
  std::int64_t padding = 4;
  double fill = 0;
  void apply(Sample& x, Keyed& random) const override;
};
struct Flip final : Transform {
  double p = 0.5;
  bool vertical = false;
  void apply(Sample& x, Keyed& random) const override;
};
struct RandomResizedCrop final : Transform {
  std::vector<std::int64_t> size;  // (height, width)
  std::vector<double> scale = {0.08, 1}, ratio = {3.0 / 4, 4.0 / 3};
  Shape shape_after(const Shape& s) const override { return {s[0], size[0], size[1]}; }
  void apply(Sample& x, Keyed& random) const override;
};
struct Resize final : Transform {
  std::vector<std::int64_t> size;
  bool random() const override { return false; }
  Shape shape_after(const Shape& s) const override { return {s[0], size[0], size[1]}; }
  void apply(Sample& x, Keyed&) const override;
};
struct CenterCrop final : Transform {
  std::vector<std::int64_t> size;
  bool random() const override { return false; }
  Shape shape_after(const Shape& s) const override { return {s[0], size[0], size[1]}; }
  void apply(Sample& x, Keyed&) const override;
};
/// A square of `fill` around a random pixel. DeVries and Taylor 2017.
struct Cutout final : Transform {
  std::int64_t size = 8;
  double p = 1, fill = 0;
  void apply(Sample& x, Keyed& random) const override;
};

}  // namespace gradus::trainer
