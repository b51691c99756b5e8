// Pointwise ops and reductions: time an element, and bytes moved, in cache and beyond it.
#include <benchmark/benchmark.h>

#include "gradus/autograd/functions.h"
#include "gradus/kernels/create.h"
#include "gradus/kernels/random.h"
#include "gradus/tensor/parallel.h"

namespace gradus {
namespace {

constexpr std::int64_t in_cache = 16384, beyond = 16 << 20;

template <class F>
void measure(benchmark::State& state, int operands, F f) {
  const std::int64_t n = state.range(0);
  const Tensor x = randn({n}), z = randn({n});
  for (auto _ : state) benchmark::DoNotOptimize(f(x, z));
  state.SetBytesProcessed(state.iterations() * n * 4 * operands);
  state.counters["ns"] = benchmark::Counter(
      static_cast<double>(n) * 1e-9,
      benchmark::Counter::kIsIterationInvariantRate | benchmark::Counter::kInvert);
}

void add(benchmark::State& s) {
  measure(s, 3, [](auto& x, auto& z) { return x + z; });
}
void relu(benchmark::State& s) {
  measure(s, 2, [](auto& x, auto&) { return relu(x); });
}
void relu_in_place(benchmark::State& s) {
  measure(s, 2, [](auto& x, auto&) { return x.relu_(); });
}
void exp(benchmark::State& s) {
  measure(s, 2, [](auto& x, auto&) { return exp(x); });
}
void sigmoid(benchmark::State& s) {
  measure(s, 2, [](auto& x, auto&) { return sigmoid(x); });
}
void gelu(benchmark::State& s) {
  measure(s, 2, [](auto& x, auto&) { return gelu(x); });
}
void greater(benchmark::State& s) {
  measure(s, 2, [](auto& x, auto& z) { return x > z; });
}
void sum_all(benchmark::State& s) {
  measure(s, 1, [](auto& x, auto&) { return sum(x); });
}
void sum_rows(benchmark::State& s) {
  measure(s, 1, [](auto& x, auto&) { return sum(x.reshape({-1, 256}), 1); });
}
void sum_columns(benchmark::State& s) {
  measure(s, 1, [](auto& x, auto&) { return sum(x.reshape({-1, 256}), 0); });
}
void argmax_rows(benchmark::State& s) {
  measure(s, 1, [](auto& x, auto&) { return argmax(x.reshape({-1, 256}), 1); });
}

BENCHMARK(add)->Arg(in_cache)->Arg(beyond)->UseRealTime();
BENCHMARK(relu)->Arg(in_cache)->Arg(beyond)->UseRealTime();
BENCHMARK(relu_in_place)->Arg(in_cache)->Arg(beyond)->UseRealTime();
BENCHMARK(exp)->Arg(in_cache)->Arg(beyond)->UseRealTime();
BENCHMARK(sigmoid)->Arg(in_cache)->Arg(beyond)->UseRealTime();
BENCHMARK(gelu)->Arg(in_cache)->Arg(beyond)->UseRealTime();
BENCHMARK(greater)->Arg(in_cache)->Arg(beyond)->UseRealTime();
BENCHMARK(sum_all)->Arg(in_cache)->Arg(beyond)->UseRealTime();
BENCHMARK(sum_rows)->Arg(in_cache)->Arg(beyond)->UseRealTime();
BENCHMARK(sum_columns)->Arg(in_cache)->Arg(beyond)->UseRealTime();
BENCHMARK(argmax_rows)->Arg(in_cache)->Arg(beyond)->UseRealTime();

}  // namespace
}  // namespace gradus
