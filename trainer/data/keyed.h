// Random numbers of augmentation: a function of (seed, epoch, sample, place), and of nothing else.
// The same for any number of workers and after a resume.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <numbers>

#include "gradus/tensor/philox.h"

namespace gradus::trainer {

/// The sequence of numbers of one transform of one sample. `place` tells transforms and views
/// apart.
class Keyed {
 public:
  Keyed(std::uint64_t seed, std::int64_t epoch, std::int64_t sample, std::uint32_t place)
      : key_(seed ^ 0x6175676d656e74u),  // a sequence of its own: "augment"
        epoch_(static_cast<std::uint32_t>(epoch)),
        sample_(static_cast<std::uint64_t>(sample)),
        place_(place) {}

  /// Uniform on [0, 1): 24 bits.
  double uniform() {
    std::uint32_t c[4][1] = {{draw_++},
                             {place_ | static_cast<std::uint32_t>(sample_ >> 32) << 16},
                             {static_cast<std::uint32_t>(sample_)},
                             {epoch_}};
    philox::rounds(c, key_);
    return static_cast<double>(c[0][0] >> 8) / 16777216.0;
  }
  double uniform(double low, double high) { return low + (high - low) * uniform(); }
  bool chance(double p) { return uniform() < p; }
  /// Uniform on 0 ... n - 1.
  std::int64_t below(std::int64_t n) {
    return std::min(n - 1, static_cast<std::int64_t>(uniform() * static_cast<double>(n)));
  }
  /// Box and Muller 1958.
  double normal() {
    const double radius = std::sqrt(-2 * std::log(1 - uniform()));
    return radius * std::cos(2 * std::numbers::pi * uniform());
  }
  /// Marsaglia and Tsang 2000; for alpha < 1 through alpha + 1.
  double gamma(double alpha) {
    if (alpha < 1) {
      const double g = gamma(alpha + 1);
      return g * std::pow(1 - uniform(), 1 / alpha);
    }
    const double d = alpha - 1.0 / 3, c = 1 / std::sqrt(9 * d);
    for (;;) {
      const double x = normal(), v = std::pow(1 + c * x, 3);
      if (v > 0 && std::log(1 - uniform()) < 0.5 * x * x + d - d * v + d * std::log(v))
        return d * v;
    }
  }
  double beta(double a, double b) {
    const double x = gamma(a), y = gamma(b);
    return x + y > 0 ? x / (x + y) : 0.5;
  }

 private:
  std::uint64_t key_;
  std::uint32_t epoch_;
  std::uint64_t sample_;
  std::uint32_t place_, draw_ = 0;
};

}  // namespace gradus::trainer
