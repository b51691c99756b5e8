// Transforms that move pixels: cropping, flipping, resizing, cutting out.
#include "gradus/trainer/data/geometry.h"

#include <algorithm>
#include <cmath>

namespace gradus::trainer {

void crop(Sample& x, std::int64_t top, std::int64_t left, std::int64_t height, std::int64_t width,
          float outside) {
  Sample y{std::vector<float>(static_cast<std::size_t>(x.channels() * height * width), outside),
           {x.channels(), height, width}};
  const std::int64_t from = std::max<std::int64_t>(0, -left),
                     to = std::min(width, x.width() - left);
  for (std::int64_t c = 0; c < x.channels(); ++c) {
    for (std::int64_t r = 0; r < height; ++r) {
      const std::int64_t row = top + r;
      if (row < 0 || row >= x.height() || from >= to) continue;
      const float* source = x.values.data() + (c * x.height() + row) * x.width() + left;
      std::copy(source + from, source + to, y.values.data() + (c * height + r) * width + from);
    }
  }
  x = std::move(y);
}

void resize(Sample& x, std::int64_t height, std::int64_t width) {
  if (x.height() == height && x.width() == width) return;
  struct Tap {
    std::int64_t a, b;
    float share;  // of b
  };
  const auto taps = [](std::int64_t in, std::int64_t out) {
    std::vector<Tap> t(static_cast<std::size_t>(out));
    for (std::int64_t i = 0; i < out; ++i) {
      const double at =
          std::clamp((double(i) + 0.5) * double(in) / double(out) - 0.5, 0.0, double(in - 1));
      const auto low = static_cast<std::int64_t>(at);
      t[std::size_t(i)] = {low, std::min(low + 1, in - 1), static_cast<float>(at - double(low))};
    }
    return t;
  };
  const std::vector<Tap> rows = taps(x.height(), height), columns = taps(x.width(), width);
  Sample y{std::vector<float>(static_cast<std::size_t>(x.channels() * height * width)),
           {x.channels(), height, width}};
  float* to = y.values.data();
  for (std::int64_t c = 0; c < x.channels(); ++c) {
    const float* plane = x.values.data() + c * x.height() * x.width();
    for (const Tap& r : rows) {
      const float *a = plane + r.a * x.width(), *b = plane + r.b * x.width();
      for (const Tap& k : columns) {
        const float above = a[k.a] + k.share * (a[k.b] - a[k.a]);
        const float below = b[k.a] + k.share * (b[k.b] - b[k.a]);
        *to++ = above + r.share * (below - above);
      }
    }
  }
  x = std::move(y);
}

void PadCrop::apply(Sample& x, Keyed& random) const {
  const std::int64_t top = random.below(2 * padding + 1) - padding,
                     left = random.below(2 * padding + 1) - padding;
  if (top != 0 || left != 0) crop(x, top, left, x.height(), x.width(), static_cast<float>(fill));
}

void Flip::apply(Sample& x, Keyed& random) const {
  if (!random.chance(p)) return;
  const std::int64_t rows = x.channels() * x.height(), w = x.width();
  if (!vertical) {
    for (std::int64_t r = 0; r < rows; ++r)
      std::reverse(x.values.begin() + r * w, x.values.begin() + (r + 1) * w);
    return;
  }
  for (std::int64_t c = 0; c < x.channels(); ++c) {
    float* plane = x.values.data() + c * x.height() * w;
    for (std::int64_t r = 0; r < x.height() / 2; ++r)
      std::swap_ranges(plane + r * w, plane + (r + 1) * w, plane + (x.height() - 1 - r) * w);
  }
}

/// A box of a random share of the area and a random form, as torchvision draws it: ten tries, then
/// the largest one in the middle.
void RandomResizedCrop::apply(Sample& x, Keyed& random) const {
  const auto h = static_cast<double>(x.height()), w = static_cast<double>(x.width());
  const double low = std::log(ratio[0]), high = std::log(ratio[1]);
  for (int tries = 0; tries < 10; ++tries) {
    const double area = h * w * random.uniform(scale[0], scale[1]);
    const double form = std::exp(random.uniform(low, high));
    const std::int64_t width = std::llround(std::sqrt(area * form)),
                       height = std::llround(std::sqrt(area / form));
    if (width < 1 || height < 1 || width > x.width() || height > x.height()) continue;
    const std::int64_t top = random.below(x.height() - height + 1),
                       left = random.below(x.width() - width + 1);
    crop(x, top, left, height, width, 0);
    return resize(x, size[0], size[1]);
  }
  double height = h, width = w;
  if (w / h < ratio[0]) height = w / ratio[0];
  if (w / h > ratio[1]) width = h * ratio[1];
  const auto ch = std::max<std::int64_t>(1, std::llround(height)),
             cw = std::max<std::int64_t>(1, std::llround(width));
  crop(x, (x.height() - ch) / 2, (x.width() - cw) / 2, ch, cw, 0);
  resize(x, size[0], size[1]);
}

void Resize::apply(Sample& x, Keyed&) const { resize(x, size[0], size[1]); }

void CenterCrop::apply(Sample& x, Keyed&) const {
  crop(x, (x.height() - size[0]) / 2, (x.width() - size[1]) / 2, size[0], size[1], 0);
}

void Cutout::apply(Sample& x, Keyed& random) const {
  if (!random.chance(p)) return;
  const std::int64_t cy = random.below(x.height()), cx = random.below(x.width());
  const std::int64_t top = std::max<std::int64_t>(0, cy - size / 2),
                     bottom = std::min(x.height(), cy - size / 2 + size),
                     left = std::max<std::int64_t>(0, cx - size / 2),
                     right = std::min(x.width(), cx - size / 2 + size);
  for (std::int64_t c = 0; c < x.channels(); ++c)
    for (std::int64_t r = top; r < bottom; ++r) {
      float* row = x.values.data() + (c * x.height() + r) * x.width();
      std::fill(row + left, row + right, static_cast<float>(fill));
    }
}

}  // namespace gradus::trainer
