// kernels/math: ULP bounds over a sample of all 2^32 floats, special values, powers of two and
// their neighbours; the double versions against long double; two-argument functions against C's.
// The whole of 2^32 is swept by bench/math_sweep.cpp.
#include <gtest/gtest.h>

#include <random>
#include <vector>

#include "gradus/tests/kernels/math_cases.h"

namespace gradus {
namespace {

using math_cases::MathCase;

/// 0, infinities, NaN, every power of two and the floats next to it, both signs.
std::vector<float> special_values() {
  std::vector<float> v{0.0f, INFINITY, NAN, 0x1.fffffep127f, 1e-45f, 88.0f, 104.0f, 1.0f / 3};
  for (int e = -149; e <= 127; ++e) {
    const float p = std::ldexp(1.0f, e);
    v.insert(v.end(), {p, std::nextafter(p, 0.0f), std::nextafter(p, INFINITY), 1.5f * p});
  }
  for (std::size_t i = 0, n = v.size(); i < n; ++i) v.push_back(-v[i]);
  return v;
}

/// ASSERTs on the worst error of one function; the message says where it is.
void expect_within_bound(const MathCase& c, const std::vector<float>& x) {
  double worst = -1;
  float where = 0;
  for (const float v : x) {
    const double error = math_cases::ulp_error(c, v, c.f(v), c.reference(v));
    if (error > worst) worst = error, where = v;
  }
  EXPECT_LE(worst, c.bound) << c.name << "(" << where << ") = " << c.f(where) << ", exactly "
                            << c.reference(where);
}

TEST(Math, SpecialValuesAreWithinBounds) {
  const std::vector<float> x = special_values();
  for (const MathCase& c : math_cases::cases) expect_within_bound(c, x);
}

#ifdef NDEBUG
constexpr unsigned kStride = 6007, kDense = 250'000;
#else
constexpr unsigned kStride = 100'003, kDense = 20'000;  // sanitizers are twenty times slower
#endif

/// A prime stride through all bit patterns: about 700 thousand inputs a function.
TEST(Math, SampleOfAllFloatsIsWithinBounds) {
  std::vector<float> x;
  for (std::uint64_t u = 0; u < (1ull << 32); u += kStride) {
    x.push_back(math::from_bits(static_cast<std::uint32_t>(u)));
  }
  for (const MathCase& c : math_cases::cases) expect_within_bound(c, x);
}

/// Where functions bend: a dense sample of [-20, 20].
TEST(Math, DenseSampleNearZeroIsWithinBounds) {
  std::mt19937 random(1);
  std::uniform_real_distribution<float> draw(-20, 20);
  std::vector<float> x(kDense);
  for (float& v : x) v = draw(random);
  for (const MathCase& c : math_cases::cases) expect_within_bound(c, x);
}

TEST(Math, ErrorMeasureSeesWhatItMust) {
  const MathCase c{"one", [](float) { return 1.0f; }, [](double) { return 1.0; }, 1.0};
  EXPECT_EQ(math_cases::ulp_error(c, 1, 1.0f, 1.0), 0);
  EXPECT_EQ(math_cases::ulp_error(c, 1, std::nextafter(1.0f, 2.0f), 1.0), 1);
  EXPECT_EQ(math_cases::ulp_error(c, 1, 0x1p-149f, 0x1p-148), 1);
  EXPECT_EQ(math_cases::ulp_error(c, 1, NAN, 1.0), INFINITY);
  EXPECT_EQ(math_cases::ulp_error(c, 1, 1.0f, NAN), INFINITY);
  EXPECT_EQ(math_cases::ulp_error(c, 1, 0.0f, 1e-44), INFINITY);
  EXPECT_EQ(math_cases::ulp_error(c, 1, INFINITY, 3e38), INFINITY);
  EXPECT_EQ(math_cases::ulp_error(c, 1, 3e38f, 1e39), INFINITY);
  EXPECT_EQ(math_cases::ulp_error(c, 0, 0.0f, -0.0), INFINITY);
}

TEST(Math, TailsKeepTheirDigits) {
  EXPECT_FLOAT_EQ(math::sigmoid(-100.0f), 3.720076e-44f);
  EXPECT_FLOAT_EQ(math::silu(-100.0f), -3.720076e-42f);
  EXPECT_FLOAT_EQ(math::gelu(-12.0f), -12.0f * 1.7764821e-33f);
  EXPECT_FLOAT_EQ(math::log1p(2e38f), 88.19136f);
  EXPECT_EQ(math::bits(math::gelu(-INFINITY)), math::bits(-0.0f));
  EXPECT_EQ(math::bits(math::silu(-INFINITY)), math::bits(-0.0f));
  EXPECT_EQ(math::bits(math::mish(-INFINITY)), math::bits(-0.0f));
  EXPECT_EQ(math::softplus(-INFINITY), 0.0f);
  EXPECT_EQ(math::logsigmoid(-INFINITY), -INFINITY);
}

TEST(Math, SoftplusTakesBetaAndThreshold) {
  EXPECT_FLOAT_EQ(math::softplus(1.0f, 2.0f), std::log1p(std::exp(2.0)) / 2);
  EXPECT_FLOAT_EQ(math::softplus(-3.0f, 0.5f), std::log1p(std::exp(-1.5)) / 0.5);
  EXPECT_EQ(math::softplus(5.0f, 1.0f, 4.0f), 5.0f);
  EXPECT_NE(math::softplus(3.0f, 1.0f, 4.0f), 3.0f);
  EXPECT_DOUBLE_EQ(math::softplus(1.0, 2.0), std::log1p(std::exp(2.0)) / 2);
}

TEST(Math, ExtremesPropagateNaN) {
  EXPECT_TRUE(std::isnan(math::max(NAN, 1.0f)) && std::isnan(math::max(1.0f, NAN)));
  EXPECT_TRUE(std::isnan(math::min(NAN, 1.0f)) && std::isnan(math::min(1.0f, NAN)));
  EXPECT_TRUE(std::isnan(math::clamp(NAN, 0.0f, 1.0f)));
  EXPECT_EQ(math::max(2.0f, 1.0f), 2.0f);
  EXPECT_EQ(math::max(1.0, 2.0), 2.0);
  EXPECT_EQ(math::min(2.0f, 1.0f), 1.0f);
  EXPECT_EQ(math::clamp(5.0f, 0.0f, 1.0f), 1.0f);
}

}  // namespace
}  // namespace gradus
