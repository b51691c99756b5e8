// Nanoseconds an element of kernels/math in a plain loop over 8,192 floats (in the first cache): a
// column for inputs near zero, one for inputs far out, where a slow path would show, and the C
// library's function where it has one.
//
//   math_speed [NAME ...]
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <string_view>
#include <vector>

#include "gradus/kernels/math.h"

namespace {

namespace math = gradus::math;
int wanted_count;
char** wanted;

template <class F>
__attribute__((noinline)) void loop(const float* __restrict x, float* __restrict y, long n, F f) {
  for (long i = 0; i < n; ++i) y[i] = f(x[i]);
}

/// The best of 60 runs over inputs spread evenly, in mixed order, over [lo, hi].
template <class F>
double nanoseconds(float lo, float hi, F f) {
  constexpr int n = 8192;
  std::vector<float> x(n), y(n);
  for (int i = 0; i < n; ++i) {
    x[i] = lo + (hi - lo) * static_cast<float>((i * 7919) % n) / n;
  }
  double best = 1e9;
  for (int run = 0; run < 60; ++run) {
    const auto start = std::chrono::steady_clock::now();
    for (int k = 0; k < 8; ++k) loop(x.data(), y.data(), n, f);
    const std::chrono::duration<double, std::nano> time = std::chrono::steady_clock::now() - start;
    best = std::min(best, time.count() / (8.0 * n));
  }
  return best;
}

template <class F, class S>
void row(const char* name, float lo, float hi, float far_lo, float far_hi, F ours, S theirs) {
  const auto is_name = [name](std::string_view s) { return s == name; };
  if (wanted_count > 0 && std::none_of(wanted, wanted + wanted_count, is_name)) return;
  std::printf("%-14s %8.3f %8.3f", name, nanoseconds(lo, hi, ours),
              nanoseconds(far_lo, far_hi, ours));
  if constexpr (std::is_invocable_v<S, float>) std::printf(" %8.3f", nanoseconds(lo, hi, theirs));
  std::printf("\n");
  std::fflush(stdout);
}

}  // namespace

#define BOTH(f, ...) \
  row(               \
      #f, __VA_ARGS__, [](float x) { return math::f(x); }, [](float x) { return std::f(x); })
#define OURS(f, ...) \
  row(               \
      #f, __VA_ARGS__, [](float x) { return math::f(x); }, 0)
#define TWO(f, ...)                                              \
  row(                                                           \
      #f, __VA_ARGS__, [](float x) { return math::f(x, 1.7f); }, \
      [](float x) { return std::f(x, 1.7f); })

int main(int argc, char** argv) {
  wanted_count = argc - 1, wanted = argv + 1;
  std::printf("ns an element      near      far    C lib\n");
  BOTH(exp, -9, 9, -1000, -200);
  BOTH(exp2, -9, 9, -1000, -200);
  BOTH(expm1, -9, 9, -1000, -200);
  BOTH(log, 0.1f, 9, 1e10f, 1e30f);
  BOTH(log2, 0.1f, 9, 1e10f, 1e30f);
  BOTH(log10, 0.1f, 9, 1e10f, 1e30f);
  BOTH(log1p, -0.9f, 9, 1e10f, 1e30f);
  BOTH(tanh, -9, 9, -1000, 1000);
  OURS(sigmoid, -9, 9, -1000, -200);
  OURS(silu, -9, 9, -1000, -200);
  OURS(silu_dx, -9, 9, -1000, -200);
  OURS(softplus, -9, 9, -1000, -200);
  OURS(logsigmoid, -9, 9, -1000, -200);
  OURS(mish, -9, 9, -1000, -200);
  OURS(mish_dx, -9, 9, -1000, -200);
  BOTH(erf, -9, 9, -1000, 1000);
  BOTH(erfc, -9, 9, -1000, -200);
  OURS(gelu, -9, 9, -1000, -200);
  OURS(gelu_dx, -9, 9, -1000, -200);
  OURS(gelu_tanh, -9, 9, -1000, -200);
  OURS(gelu_tanh_dx, -9, 9, -1000, -200);
  BOTH(sin, -9, 9, 1e10f, 1e30f);
  BOTH(cos, -9, 9, 1e10f, 1e30f);
  BOTH(tan, -9, 9, 1e10f, 1e30f);
  BOTH(asin, -1, 1, -1, 1);
  BOTH(acos, -1, 1, -1, 1);
  BOTH(atan, -9, 9, -1000, 1000);
  BOTH(sinh, -9, 9, -1000, 1000);
  BOTH(cosh, -9, 9, -1000, 1000);
  BOTH(sqrt, 0, 9, 1e10f, 1e30f);
  OURS(rsqrt, 0.1f, 9, 1e10f, 1e30f);
  BOTH(floor, -9, 9, -1e10f, 1e10f);
  OURS(round, -9, 9, -1e10f, 1e10f);
  TWO(pow, 0.1f, 9, 1e10f, 1e30f);
  TWO(atan2, -9, 9, 1e10f, 1e30f);
  TWO(hypot, -9, 9, 1e10f, 1e30f);
  TWO(fmod, -9, 9, 1e10f, 1e30f);
}
