// The worst error of a float function of kernels/math over every one of the 2^32 inputs, against
// the double functions of the C library.
//
//   math_sweep NAME [NAME ...]    one line a function: the worst error in ULP, where, and the time
//   math_sweep all                every function of tests/kernels/math_cases.h, about a minute each
//   math_sweep -STRIDE NAME ...   every STRIDE-th input only
//
// Exit status 1 if a function exceeds its bound.
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string_view>

#include "gradus/tests/kernels/math_cases.h"

using namespace gradus::math_cases;

namespace {

bool sweep(const MathCase& c, std::uint64_t stride) {
  const auto start = std::chrono::steady_clock::now();
  double worst = 0;
  float where = 0;
  for (std::uint64_t u = 0; u < (1ull << 32); u += stride) {
    const float x = gradus::math::from_bits(static_cast<std::uint32_t>(u));
    const double error = ulp_error(c, x, c.f(x), c.reference(x));
    if (error > worst) worst = error, where = x;
  }
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
  const bool good = worst <= c.bound;
  std::printf("%-12s %8.4f ULP at %-16a (%.9g): %.9g, exactly %.17g; bound %.4g%s  %.0f s\n",
              c.name, worst, where, where, c.f(where), c.reference(where), c.bound,
              good ? "" : "  EXCEEDED", seconds.count());
  std::fflush(stdout);
  return good;
}

}  // namespace

int main(int argc, char** argv) {
  std::uint64_t stride = 1;
  bool good = true, found = false;
  for (int i = 1; i < argc; ++i) {
    const std::string_view name = argv[i];
    if (name.starts_with('-')) stride = std::strtoull(argv[i] + 1, nullptr, 10);
    for (const MathCase& c : cases) {
      if (stride == 0 || (name != c.name && name != "all")) continue;
      found = true;
      good = sweep(c, stride) && good;
    }
  }
  if (!found) std::fprintf(stderr, "usage: math_sweep [-STRIDE] NAME ... | all\n");
  return found && good ? 0 : 1;
}
