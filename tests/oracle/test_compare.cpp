// The oracle's comparisons, and tests that they can fail.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "gradus/kernels/create.h"
#include "gradus/tests/oracle/compare.h"

namespace gradus::oracle {
namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();

struct Format {
  int bits, lowest;  // of the significand; exponent of the smallest normal number
  double largest;
};
Format format_of(Dtype dtype) {
  if (dtype == Dtype::f32) return {24, -126, std::numeric_limits<float>::max()};
  if (dtype == Dtype::bf16) return {8, -126, 0x1.fep127};
  if (dtype == Dtype::f16) return {11, -14, 65504};
  return {53, -1022, std::numeric_limits<double>::max()};
}

/// The distance between neighbours of `dtype` at v.
double spacing(double v, const Format& format) {
  int exponent = 0;
  if (v == 0)
    exponent = format.lowest + 1;
  else
    std::frexp(v, &exponent);
  return std::ldexp(1.0, std::max(exponent - 1, format.lowest) - format.bits + 1);
}

std::vector<double> numbers(const Tensor& t) {
  return t.detach().to(Dtype::f64).to_vector<double>();
}

std::string at(std::size_t i, double got, double expected) {
  char text[160];
  std::snprintf(text, sizeof(text), "element %zu is %.17g, expected %.17g (off by %.3g)", i, got,
                expected, got - expected);
  return text;
}

}  // namespace

double unit_roundoff(Dtype dtype) { return std::ldexp(1.0, -format_of(dtype).bits); }

double units_between(double got, double expected, Dtype dtype) {
  if (got == expected || (std::isnan(got) && std::isnan(expected))) return 0;
  if (std::isnan(got) || std::isnan(expected)) return infinity;
  const Format format = format_of(dtype);
  const auto held = [&](double v) {  // beyond the largest number: as if it were infinite
    return std::abs(v) > format.largest ? std::copysign(infinity, v) : v;
  };
  got = held(got);
  const double limit = held(expected);
  if (got == limit) return 0;
  // The largest number and infinity are neighbours.
  if (std::isinf(got)) got = std::copysign(format.largest + spacing(format.largest, format), got);
  if (std::isinf(limit)) {
    if (!std::isinf(expected)) expected = std::copysign(format.largest, expected);
    if (std::isinf(expected)) return infinity;
  }
  return std::abs(got - expected) / spacing(expected, format);
}

std::string difference(const Tensor& got, const Tensor& expected, const Tolerance& tolerance) {
  if (got.shape() != expected.shape()) {
    return "the shape is " + to_string(got.shape()) + ", expected " + to_string(expected.shape());
  }
  const std::vector<double> a = numbers(got), b = numbers(expected);
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (units_between(a[i], b[i], got.dtype()) <= tolerance.units) continue;
    const auto& m = tolerance.magnitude;
    const double scale = std::max(std::abs(b[i]), m.empty() ? 0 : m[m.size() == 1 ? 0 : i]);
    if (std::abs(a[i] - b[i]) <= tolerance.relative * scale && std::isfinite(scale)) continue;
    return at(i, a[i], b[i]);
  }
  return "";
}

std::string bit_difference(const Tensor& a, const Tensor& b) {
  if (a.dtype() != b.dtype() || a.shape() != b.shape()) return "dtype or shape differ";
  const std::vector<double> u = numbers(a), v = numbers(b);
  for (std::size_t i = 0; i < u.size(); ++i) {
    const bool same = std::isnan(u[i]) ? std::isnan(v[i])
                                       : u[i] == v[i] && std::signbit(u[i]) == std::signbit(v[i]);
    if (!same) return at(i, u[i], v[i]);
  }
  return "";
}

namespace {

Tensor of(std::vector<double> v, Dtype dtype = Dtype::f64) {
  return from_data(v.data(), {static_cast<std::int64_t>(v.size())}, {Dtype::f64}).to(dtype);
}

TEST(OracleComparison, FindsWhatIsOutsideItsBounds) {
  EXPECT_EQ(difference(of({1, 2}), of({1, 2}), {}), "");
  EXPECT_NE(difference(of({1, 2}), of({1, 2 + 1e-11}), {1e-12, 0, {}}), "");
  EXPECT_EQ(difference(of({1e-11, 2}), of({0, 2}), {1e-11, 0, {2.0}}), "");
  EXPECT_NE(difference(of({1, 2}), of({1}), {}), "");
  EXPECT_NE(difference(of({std::nan("")}), of({1}), {1, 9, {}}), "");
  EXPECT_NE(difference(of({infinity}), of({-infinity}), {1, 9, {}}), "");
  EXPECT_NE(bit_difference(of({0.0}), of({-0.0})), "");
  EXPECT_EQ(bit_difference(of({std::nan("")}), of({std::nan("")})), "");
}

TEST(OracleComparison, CountsUnitsOfTheDtype) {
  EXPECT_EQ(units_between(1 + 0x1p-23, 1, Dtype::f32), 1);
  EXPECT_EQ(units_between(1 + 0x1p-7, 1, Dtype::bf16), 1);
  EXPECT_EQ(units_between(0x1p-149, 0, Dtype::f32), 1);  // subnormal numbers count, too
  EXPECT_EQ(units_between(infinity, 1e39, Dtype::f32), 0);
  EXPECT_EQ(units_between(infinity, 65504, Dtype::f16), 1);
  EXPECT_EQ(units_between(infinity, 1, Dtype::f32) > 1e30, true);
}

}  // namespace
}  // namespace gradus::oracle
