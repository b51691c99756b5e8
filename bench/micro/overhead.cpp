// What an operation costs beside its arithmetic: small tensors, where all of the time is handles,
// memory and the graph.
#include <benchmark/benchmark.h>

#include "gradus/autograd/functions.h"
#include "gradus/autograd/node.h"

namespace gradus {
namespace {

void allocate(benchmark::State& state) {
  for (auto _ : state) benchmark::DoNotOptimize(empty({8, 8}));
}

void add_8x8(benchmark::State& state) {
  const Tensor a = ones({8, 8}), b = ones({8, 8});
  for (auto _ : state) benchmark::DoNotOptimize(a + b);
}

void add_8x8_in_place(benchmark::State& state) {
  const Tensor a = ones({8, 8}), b = zeros({8, 8});
  for (auto _ : state) benchmark::DoNotOptimize(a.add_(b));
}

void mul_scalar_8x8(benchmark::State& state) {
  const Tensor a = ones({8, 8});
  for (auto _ : state) benchmark::DoNotOptimize(a * 2.0);
}

void select_row(benchmark::State& state) {
  const Tensor a = ones({8, 8});
  for (auto _ : state) benchmark::DoNotOptimize(a[3]);
}

void sum_8x8(benchmark::State& state) {
  const Tensor a = ones({8, 8});
  for (auto _ : state) benchmark::DoNotOptimize(sum(a));
}

/// A chain of nodes, forward and backward; time is per node.
template <class Step>
void chain(benchmark::State& state, Step step) {
  constexpr int nodes = 100;
  const Tensor x = ones({8, 8}).set_requires_grad(true), dy = ones({8, 8});
  for (auto _ : state) {
    Tensor y = x;
    for (int i = 0; i < nodes; ++i) y = step(y, x);
    y.backward(dy);
    x.zero_grad();
  }
  state.counters["per_node"] = benchmark::Counter(
      nodes, benchmark::Counter::kIsIterationInvariantRate | benchmark::Counter::kInvert);
}
void node_neg(benchmark::State& state) {
  chain(state, [](const Tensor& y, const Tensor&) { return -y; });
}
void node_tanh(benchmark::State& state) {
  chain(state, [](const Tensor& y, const Tensor&) { return tanh(y); });
}
void node_add(benchmark::State& state) {  // its gradient goes to two places
  chain(state, [](const Tensor& y, const Tensor& x) { return y + x; });
}

BENCHMARK(allocate);
BENCHMARK(add_8x8);
BENCHMARK(add_8x8_in_place);
BENCHMARK(mul_scalar_8x8);
BENCHMARK(select_row);
BENCHMARK(sum_8x8);
BENCHMARK(node_neg);
BENCHMARK(node_tanh);
BENCHMARK(node_add);

}  // namespace
}  // namespace gradus
