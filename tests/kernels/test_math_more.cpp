// kernels/math beyond the table of math_cases.h: functions of two arguments against C's, and the
// double versions against long double.
#include <gtest/gtest.h>

#include <random>
#include <vector>

#include "gradus/tests/kernels/math_cases.h"

namespace gradus {
namespace {

using math_cases::MathCase;
using math_cases::ulp_error;

std::vector<float> corner_values() {
  std::vector<float> v{0.0f,     0.5f,   1.0f, 1.5f,   2.0f,       3.0f,       0x1.fffffep-1f,
                       1e-45f,   1e-38f, 7.0f, 1e10f,  16777215.f, 16777216.f, 3e38f,
                       INFINITY, NAN,    0.1f, 1e-20f, 127.0f,     150.0f};
  for (std::size_t i = 0, n = v.size(); i < n; ++i) v.push_back(-v[i]);
  return v;
}

/// Every pair of corner values, bit patterns at random, and magnitudes near 1.
std::vector<std::pair<float, float>> pairs() {
  std::vector<std::pair<float, float>> all;
  for (const float x : corner_values()) {
    for (const float y : corner_values()) all.emplace_back(x, y);
  }
  std::mt19937 random(3);
  std::normal_distribution<float> normal(0, 4);
  for (int i = 0; i < 50'000; ++i) {
    all.emplace_back(math::from_bits(static_cast<std::uint32_t>(random())),
                     math::from_bits(static_cast<std::uint32_t>(random())));
    all.emplace_back(std::exp(normal(random)), normal(random));
    all.emplace_back(normal(random), normal(random));
  }
  return all;
}

template <class F, class R>
void expect_pairs_within(const char* name, double bound, F f, R reference) {
  const MathCase c{name, nullptr, nullptr, bound};
  double worst = -1;
  std::pair<float, float> where;
  for (const auto& [x, y] : pairs()) {
    const float got = f(x, y);
    const double want = reference(static_cast<double>(x), static_cast<double>(y));
    double error = ulp_error(c, x, got, want);
    if (want == 0 && std::signbit(got) != std::signbit(want)) error = INFINITY;
    if (error > worst) worst = error, where = {x, y};
  }
  const auto [x, y] = where;
  EXPECT_LE(worst, bound) << name << "(" << x << ", " << y << ") = " << f(x, y) << ", exactly "
                          << reference(static_cast<double>(x), static_cast<double>(y));
}

TEST(MathOfTwo, MatchesCIncludingSpecialCases) {
  expect_pairs_within(
      "pow", 0.6, [](float x, float y) { return math::pow(x, y); },
      [](double x, double y) { return std::pow(x, y); });
  expect_pairs_within(
      "atan2", 0.6, [](float y, float x) { return math::atan2(y, x); },
      [](double y, double x) { return std::atan2(y, x); });
  expect_pairs_within(
      "hypot", 0.51, [](float x, float y) { return math::hypot(x, y); },
      [](double x, double y) { return std::hypot(x, y); });
  expect_pairs_within(
      "fmod", 0.0, [](float x, float y) { return math::fmod(x, y); },
      [](double x, double y) { return std::fmod(x, y); });
}

TEST(MathOfTwo, RemainderHasTheSignOfTheDivisor) {
  EXPECT_EQ(math::remainder(5.0f, 3.0f), 2.0f);
  EXPECT_EQ(math::remainder(-5.0f, 3.0f), 1.0f);
  EXPECT_EQ(math::remainder(5.0f, -3.0f), -1.0f);
  EXPECT_EQ(math::remainder(-5.0f, -3.0f), -2.0f);
  EXPECT_EQ(math::remainder(6.0, 3.0), 0.0);
  EXPECT_TRUE(std::isnan(math::remainder(1.0f, 0.0f)));
}

using Wide = long double;
struct WideCase {
  const char* name;
  double (*f)(double);
  Wide (*reference)(Wide);
  Wide (*terms)(Wide) = nullptr;
};
#define GRADUS_WIDE(f) #f, [](double x) { return math::f(x); }, reference::f < Wide>
const WideCase wide_cases[] = {
    {GRADUS_WIDE(sigmoid)},
    {GRADUS_WIDE(silu)},
    {GRADUS_WIDE(silu_dx), reference::silu_dx_terms<Wide>},
    {"softplus", [](double x) { return math::softplus(x); }, reference::softplus_20<Wide>},
    {GRADUS_WIDE(logsigmoid)},
    {GRADUS_WIDE(mish)},
    {GRADUS_WIDE(mish_dx), reference::mish_dx_terms<Wide>},
    {GRADUS_WIDE(normal_cdf)},
    {GRADUS_WIDE(gelu)},
    {GRADUS_WIDE(gelu_dx), reference::gelu_dx_terms<Wide>},
    {GRADUS_WIDE(gelu_tanh)},
    {GRADUS_WIDE(gelu_tanh_dx), reference::gelu_tanh_dx_terms<Wide>},
};
#undef GRADUS_WIDE

/// Relative error of the double versions, in units of 2^-52, over [-60, 60] and into the tails;
/// where a factor of the result is subnormal its last place counts.
TEST(MathInDouble, KeepsItsTails) {
  std::vector<double> points{0.0, 1e-300, -1e-300, 1e-10, -1e-10};
  std::mt19937_64 random(5);
  for (int i = 0; i < 10'000; ++i) {
    points.push_back(std::uniform_real_distribution<double>(-60, 60)(random));
    points.push_back(std::uniform_real_distribution<double>(-745, 745)(random));
  }
  for (const WideCase& c : wide_cases) {
    double worst = 0, where = 0;
    for (const double x : points) {
      const Wide want = c.reference(x), size = std::fabs(c.terms ? c.terms(x) : want);
      const Wide unit = std::fmax(size * 0x1p-52L, 0x1p-1074L * std::fmax(1.0, std::fabs(x)));
      const double error = static_cast<double>(std::fabs(c.f(x) - want) / unit);
      if (!(error <= worst)) worst = error, where = x;
    }
    EXPECT_LE(worst, 8) << c.name << "(" << where << ") = " << c.f(where) << ", exactly "
                        << c.reference(where);
  }
}

TEST(MathInDouble, LimitsAreFinite) {
  for (const WideCase& c : wide_cases) {
    EXPECT_EQ(static_cast<Wide>(c.f(-INFINITY)), c.reference(-INFINITY)) << c.name;
    EXPECT_EQ(static_cast<Wide>(c.f(INFINITY)), c.reference(INFINITY)) << c.name;
    EXPECT_TRUE(std::isnan(c.f(NAN))) << c.name;
  }
}

}  // namespace
}  // namespace gradus
