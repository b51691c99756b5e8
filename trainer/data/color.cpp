#include "gradus/trainer/data/color.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace gradus::trainer {
namespace {

float clamp01(double v) { return static_cast<float>(std::clamp(v, 0.0, 1.0)); }

/// ITU-R 601: 0.299 R + 0.587 G + 0.114 B; of other numbers of channels the first.
std::vector<float> luminance(const Sample& x) {
  const auto n = static_cast<std::size_t>(x.height() * x.width());
  std::vector<float> y(x.values.begin(), x.values.begin() + static_cast<std::ptrdiff_t>(n));
  if (x.channels() != 3) return y;
  const float *r = x.values.data(), *g = r + n, *b = g + n;
  for (std::size_t i = 0; i < n; ++i) y[i] = 0.299f * r[i] + 0.587f * g[i] + 0.114f * b[i];
  return y;
}

void change_brightness(Sample& x, double factor) {
  for (float& v : x.values) v = clamp01(factor * double{v});
}

void change_contrast(Sample& x, double factor) {
  double mean = 0;
  const std::vector<float> gray = luminance(x);
  for (const float v : gray) mean += double{v};
  mean /= static_cast<double>(gray.size());
  for (float& v : x.values) v = clamp01(factor * double{v} + (1 - factor) * mean);
}

void change_saturation(Sample& x, double factor) {
  if (x.channels() != 3) return;
  const std::vector<float> gray = luminance(x);
  for (std::size_t i = 0; i < x.values.size(); ++i) {
    float& v = x.values[i];
    v = clamp01(factor * double{v} + (1 - factor) * double{gray[i % gray.size()]});
  }
}

/// Turns the hue by `turn` of the circle, through hue, saturation and value.
void turn_hue(Sample& x, double turn) {
  if (x.channels() != 3) return;
  const auto n = static_cast<std::size_t>(x.height() * x.width());
  float *rs = x.values.data(), *gs = rs + n, *bs = gs + n;
  for (std::size_t i = 0; i < n; ++i) {
    const double r = double{rs[i]}, g = double{gs[i]}, b = double{bs[i]};
    const double value = std::max({r, g, b}), range = value - std::min({r, g, b});
    if (range == 0) continue;  // gray has no hue
    double hue = value == r   ? (g - b) / range
                 : value == g ? 2 + (b - r) / range
                              : 4 + (r - g) / range;
    hue = hue / 6 + turn;
    hue = (hue - std::floor(hue)) * 6;  // of [0, 6)
    const auto channel = [&](double shift) {
      const double k = std::fmod(shift + hue, 6);
      return clamp01(value - range * std::clamp(std::min(k, 4 - k), 0.0, 1.0));
    };
    rs[i] = channel(5);
    gs[i] = channel(3);
    bs[i] = channel(1);
  }
}

}  // namespace

void Normalize::apply(Sample& x, Keyed&) const {
  const std::size_t channels = std::max(mean.size(), std.size());
  const std::size_t each = x.values.size() / channels;
  for (std::size_t c = 0; c < channels; ++c) {
    const double m = mean[mean.size() == 1 ? 0 : c], s = std[std.size() == 1 ? 0 : c];
    const auto scale = static_cast<float>(1 / s), shift = static_cast<float>(-m / s);
    float* v = x.values.data() + c * each;
    for (std::size_t i = 0; i < each; ++i) v[i] = v[i] * scale + shift;
  }
}

void ColorJitter::apply(Sample& x, Keyed& random) const {
  if (!random.chance(p)) return;
  std::array<int, 4> order = {0, 1, 2, 3};
  for (int i = 3; i > 0; --i)
    std::swap(order[std::size_t(i)], order[std::size_t(random.below(i + 1))]);
  const auto factor = [&](double v) { return random.uniform(std::max(0.0, 1 - v), 1 + v); };
  const double b = factor(brightness), c = factor(contrast), s = factor(saturation);
  const double turn = random.uniform(-hue, hue);
  for (const int what : order) {
    if (what == 0 && brightness > 0) change_brightness(x, b);
    if (what == 1 && contrast > 0) change_contrast(x, c);
    if (what == 2 && saturation > 0) change_saturation(x, s);
    if (what == 3 && hue > 0) turn_hue(x, turn);
  }
}

void Grayscale::apply(Sample& x, Keyed& random) const {
  if (!random.chance(p) || x.channels() != 3) return;
  const std::vector<float> gray = luminance(x);
  for (std::size_t c = 0; c < 3; ++c)
    std::copy(gray.begin(), gray.end(),
              x.values.begin() + static_cast<std::ptrdiff_t>(c * gray.size()));
}

void Blur::apply(Sample& x, Keyed& random) const {
  if (!random.chance(p)) return;
  const double s = random.uniform(sigma[0], sigma[1]);
  const std::int64_t half = kernel / 2;
  std::vector<double> weights;
  double sum = 0;
  for (std::int64_t k = -half; k <= half; ++k) {
    weights.push_back(std::exp(-0.5 * double(k * k) / (s * s)));
    sum += weights.back();
  }
  const auto mirrored = [](std::int64_t i, std::int64_t n) {
    if (n == 1) return std::int64_t{0};
    i = ((i % (2 * n - 2)) + 2 * n - 2) % (2 * n - 2);
    return i < n ? i : 2 * n - 2 - i;
  };
  const std::int64_t h = x.height(), w = x.width();
  std::vector<float> line;
  // Rows, then columns: `step` apart within a line of n.
  const auto blur_line = [&](float* at, std::int64_t n, std::int64_t step) {
    line.resize(static_cast<std::size_t>(n));
    for (std::int64_t i = 0; i < n; ++i) line[std::size_t(i)] = at[i * step];
    for (std::int64_t i = 0; i < n; ++i) {
      double v = 0;
      for (std::int64_t k = -half; k <= half; ++k)
        v += weights[std::size_t(k + half)] * double{line[std::size_t(mirrored(i + k, n))]};
      at[i * step] = static_cast<float>(v / sum);
    }
  };
  for (std::int64_t c = 0; c < x.channels(); ++c) {
    float* plane = x.values.data() + c * h * w;
    for (std::int64_t r = 0; r < h; ++r) blur_line(plane + r * w, w, 1);
    for (std::int64_t k = 0; k < w; ++k) blur_line(plane + k, h, w);
  }
}

void Solarize::apply(Sample& x, Keyed& random) const {
  if (!random.chance(p)) return;
  const auto limit = static_cast<float>(threshold);
  for (float& v : x.values)
    if (v >= limit) v = 1 - v;
}

}  // namespace gradus::trainer
