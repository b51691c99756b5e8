// Each random value against its formula, written out from Philox's words: what is drawn for a seed
// is a promise, and moments alone would not see a changed sign.
#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <numbers>
#include <vector>

#include "gradus/kernels/create.h"
#include "gradus/kernels/random.h"

namespace gradus {
namespace {

const Draw drawn{.seed = 11, .op = 3, .step = 5, .stream = Stream::module, .first = 6};
constexpr std::int64_t drawn_count = 1003;

/// Word i % 4 of block i / 4, for element `i` of the draw.
std::uint32_t word_of(std::int64_t i, bool second = false) {
  const std::int64_t at = drawn.first + i;
  Counter c = counter_of(drawn, static_cast<std::uint64_t>(at / 4), second);
  std::uint32_t words[4][1] = {{c.word[0]}, {c.word[1]}, {c.word[2]}, {c.word[3]}};
  philox::rounds(words, drawn.seed);
  return words[at % 4][0];
}

/// The first word above, the second below.
std::uint64_t wide_word_of(std::int64_t i) {
  return std::uint64_t{word_of(i)} << 32 | word_of(i, true);
}

double unit_of(std::uint64_t w) { return static_cast<double>(w >> 11) * 0x1p-53; }

/// Box and Muller's values of elements i and i + 1, first + i even: radius from the first word,
/// angle from the second. Angles of single precision begin an eighth of a turn earlier.
double normal_of(std::int64_t i, Dtype dtype) {
  const bool odd = (drawn.first + i) % 2 != 0;
  const std::int64_t a = odd ? i - 1 : i, b = a + 1;
  double u = 0, turns = 0;
  if (dtype == Dtype::f64) {
    u = unit_of(wide_word_of(a)) + 0x1p-54;
    turns = unit_of(wide_word_of(b));
  } else {
    u = (word_of(a) + 0.5) * 0x1p-32;
    turns = word_of(b) * 0x1p-32 - 0.125;
  }
  const double angle = 2 * std::numbers::pi * turns;
  return std::sqrt(-2 * std::log(u)) * (odd ? std::sin(angle) : std::cos(angle));
}

TEST(RandomFormulas, Uniform) {
  for (Dtype dtype : {Dtype::f32, Dtype::f64}) {
    const Tensor y = empty({drawn_count}, {dtype});
    cpu::uniform(drawn, -1, 2, y);
    const auto v = y.to_vector<double>();
    for (std::int64_t i = 0; i < drawn_count; ++i) {
      const double u = dtype == Dtype::f64 ? unit_of(wide_word_of(i)) : (word_of(i) >> 8) * 0x1p-24;
      ASSERT_NEAR(v[static_cast<std::size_t>(i)], -1 + 3 * u, dtype == Dtype::f64 ? 1e-15 : 2e-7);
    }
  }
}

TEST(RandomFormulas, Normal) {
  for (Dtype dtype : {Dtype::f32, Dtype::f64}) {
    const Tensor y = empty({drawn_count}, {dtype});
    cpu::normal(drawn, 2, 3, y);
    const auto v = y.to_vector<double>();
    for (std::int64_t i = 0; i < drawn_count; ++i) {
      ASSERT_NEAR(v[static_cast<std::size_t>(i)], 2 + 3 * normal_of(i, dtype),
                  dtype == Dtype::f64 ? 1e-13 : 5e-6)
          << i;
    }
  }
}

TEST(RandomFormulas, TruncatedNormal) {
  const double mean = 1, deviation = 0.5, low = 0.25, high = 3, root = deviation * std::sqrt(2.0);
  const double a = std::erf((low - mean) / root), b = std::erf((high - mean) / root);
  for (Dtype dtype : {Dtype::f32, Dtype::f64}) {
    const Tensor y = empty({drawn_count}, {dtype});
    cpu::trunc_normal(drawn, mean, deviation, low, high, y);
    const auto v = y.to_vector<double>();
    for (std::int64_t i = 0; i < drawn_count; ++i) {
      const double u = dtype == Dtype::f64 ? unit_of(wide_word_of(i)) : (word_of(i) >> 8) * 0x1p-24;
      ASSERT_NEAR(std::erf((v[static_cast<std::size_t>(i)] - mean) / root), a + (b - a) * u,
                  dtype == Dtype::f64 ? 1e-14 : 1e-6);
    }
  }
}

TEST(RandomFormulas, IntegersAndBernoulli) {
  const Tensor y = empty({drawn_count}, {Dtype::i64});
  cpu::integers(drawn, -5, 1000, y);
  const auto v = y.to_vector<std::int64_t>();
  const Tensor ones_and_zeros = empty({drawn_count}, {Dtype::u8});
  cpu::bernoulli(drawn, full({drawn_count}, 0.375, {Dtype::f64}), ones_and_zeros);
  const auto b = ones_and_zeros.to_vector<double>();
  for (std::int64_t i = 0; i < drawn_count; ++i) {
    const auto at = static_cast<std::size_t>(i);
    const std::uint64_t w = wide_word_of(i), high = w >> 32, rest = w & 0xffffffffu;
    const std::uint64_t scaled = (high * 1000 + (rest * 1000 >> 32)) >> 32;
    ASSERT_EQ(v[at], -5 + static_cast<std::int64_t>(scaled));
    ASSERT_EQ(b[at], word_of(i) < 0.375 * 0x1p32 ? 1 : 0);
  }
}

TEST(RandomFormulas, DropoutOfStridedTensors) {
  const std::int64_t rows = 17, columns = 59;  // 1003 in all
  const Tensor values = empty({rows, columns}, {Dtype::f64});
  for (std::int64_t i = 0; i < drawn_count; ++i) {
    values.data<double>()[i] = 1 + static_cast<double>(i);
  }
  const Tensor wide = zeros({rows, 2 * columns}, {Dtype::f64});
  const Tensor spread = wide.slice(1, 0, 2 * columns, 2);
  copy_into(values, spread);
  for (const Tensor& x : {values, spread}) {
    for (const bool to_spread : {false, true}) {
      const Tensor target = zeros({rows, 2 * columns}, {Dtype::f64});
      const Tensor y = to_spread ? target.slice(1, 0, 2 * columns, 2) : empty_like(values);
      cpu::dropout(drawn, 0.25, x, y);
      const auto v = y.contiguous().to_vector<double>();
      for (std::int64_t i = 0; i < drawn_count; ++i) {
        const double kept = word_of(i) < 0.25 * 0x1p32 ? 0 : (1 + static_cast<double>(i)) / 0.75;
        ASSERT_NEAR(v[static_cast<std::size_t>(i)], kept, 1e-10) << i;
      }
    }
  }
}

}  // namespace
}  // namespace gradus
