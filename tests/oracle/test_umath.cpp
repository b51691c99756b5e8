// NumPy's validation sets (correctly rounded results, chosen where they are hard) through the
// public functions, at the bounds of tests/kernels/math_cases.h.
#include <gtest/gtest.h>

#include <cmath>
#include <cstdio>
#include <map>

#include "gradus/autograd/functions.h"
#include "gradus/tensor/safetensors.h"
#include "gradus/tests/kernels/math_cases.h"
#include "gradus/tests/oracle/compare.h"
#include "gradus/tests/oracle/device.h"

namespace gradus::oracle {
namespace {

using Unary = Tensor (*)(const Tensor&);
const std::map<std::string, Unary> functions = {
    {"acos", acos}, {"asin", asin},   {"atan", atan},   {"cos", cos},
    {"cosh", cosh}, {"exp", exp},     {"exp2", exp2},   {"expm1", expm1},
    {"log", log},   {"log10", log10}, {"log1p", log1p}, {"log2", log2},
    {"sin", sin},   {"sinh", sinh},   {"tan", tan},     {"tanh", tanh}};

double bound_of(const std::string& name) {
  for (const auto& c : math_cases::cases) {
    if (name == c.name) return c.bound;
  }
  return 0;
}

TEST(OracleUmath, RowsAreWithinBounds) {
  const TensorMap rows = load_safetensors(GRADUS_SOURCE_DIR "/tests/oracle/umath.safetensors");
  std::int64_t count = 0;
  for (const auto& [name, f] : functions) {
    for (const std::string dtype : {"f32", "f64"}) {
      const auto it = rows.find(name + "." + dtype + ".x");
      if (it == rows.end()) continue;
      const Tensor& x = it->second;
      const Tensor want = rows.at(name + "." + dtype + ".y"), got = f(on_device(x));
      const auto a = got.to_vector<double>(), b = want.to_vector<double>();
      // f64 functions promise 1e-15 relative: five units.
      const double bound = dtype == "f32" ? bound_of(name) + 0.5 : 5;
      double worst = 0;
      std::size_t where = 0;
      for (std::size_t i = 0; i < a.size(); ++i) {
        const double units = units_between(a[i], b[i], x.dtype());
        if (units > worst) worst = units, where = i;
      }
      EXPECT_LE(worst, bound) << name << "(" << x.to_vector<double>()[where] << ") of " << dtype
                              << " is " << a[where] << ", exactly " << b[where];
      count += x.numel();
    }
  }
  std::printf("%-10s %6lld rows\n", "umath", static_cast<long long>(count));
  EXPECT_GT(count, 15'000);
}

}  // namespace
}  // namespace gradus::oracle
