// Transforms that change values of pixels of [0, 1]; they come before normalisation.
#pragma once

#include "gradus/trainer/data/transforms.h"

namespace gradus::trainer {

/// (x - mean) / std, one pair for all or one a channel.
struct Normalize final : Transform {
  std::vector<double> mean = {0}, std = {1};
  bool random() const override { return false; }
  void apply(Sample& x, Keyed&) const override;
};
/// Factors uniform on [max(0, 1 - v), 1 + v] for the first three, a turn of the hue within
/// +-hue (of 1 = the whole circle), in random order. As torchvision's.
struct ColorJitter final : Transform {
  double brightness = 0, contrast = 0, saturation = 0, hue = 0, p = 1;
  void apply(Sample& x, Keyed& random) const override;
};
/// Every channel becomes the luminance.
struct Grayscale final : Transform {
  double p = 0.1;
  void apply(Sample& x, Keyed& random) const override;
};
/// Gaussian, sigma uniform on the range; the border is mirrored.
struct Blur final : Transform {
  std::int64_t kernel = 3;
  std::vector<double> sigma = {0.1, 2};
  double p = 0.5;
  void apply(Sample& x, Keyed& random) const override;
};
/// Values from the threshold on are inverted.
struct Solarize final : Transform {
  double threshold = 0.5, p = 0.2;
  void apply(Sample& x, Keyed& random) const override;
};

}  // namespace gradus::trainer
