// Matrix products over the shapes of BENCH.md, in GFLOP/s and as a share of the FMA peak that the
// same run measures. Names say which operand is transposed: NN, NT (a linear layer forward), TN
// (its weight gradient).
#include "gradus/kernels/cpu/gemm.h"

#include <benchmark/benchmark.h>

#include <vector>

#include "gradus/kernels/cpu/simd.h"
#include "gradus/kernels/random.h"
#include "gradus/tensor/parallel.h"

namespace gradus {
namespace {

/// Sets the thread count (0: all cores) for one benchmark.
struct Threads {
  const int before = num_threads();
  explicit Threads(std::int64_t n) {
    if (n > 0) set_num_threads(static_cast<int>(n));
  }
  ~Threads() { set_num_threads(before); }
};

void count(benchmark::State& state, double flops) {
  state.counters["GFLOP/s"] =
      benchmark::Counter(flops * static_cast<double>(state.iterations()),
                         benchmark::Counter::kIsRate, benchmark::Counter::kIs1000);
}

/// Independent chains in registers, nothing loaded: what the multipliers can do.
void fma_peak(benchmark::State& state) {
  using V = cpu::Simd<float>;
  constexpr int chains = cpu::vector_registers < 32 ? 12 : 24, steps = 1000;
  const Threads threads(state.range(0));
  std::vector<V::Vec> sums(static_cast<std::size_t>(num_threads()) * 16);
  for (auto _ : state) {
    parallel_chunks(num_threads(), [&](std::int64_t chunk) {
      V::Vec acc[chains], x = V::Vec{} + 1.0f;
      for (int j = 0; j < chains; ++j) acc[j] = x * static_cast<float>(j);  // no two chains alike
      const float s = 0.5f;
      for (int i = 0; i < steps; ++i) {
        GRADUS_UNROLL
        for (int j = 0; j < chains; ++j) acc[j] = V::fma(x, s, acc[j]);
      }
      for (int j = 1; j < chains; ++j) acc[0] += acc[j];
      sums[static_cast<std::size_t>(chunk) * 16] = acc[0];
    });
    benchmark::ClobberMemory();
  }
  count(state, 2.0 * steps * chains * V::width * num_threads());
}

void product(benchmark::State& state, bool turn_a, bool turn_b) {
  const std::int64_t m = state.range(0), n = state.range(1), k = state.range(2);
  const Threads threads(state.range(3));
  const Tensor a = rand({m, k}), b = rand({k, n}), c = rand({m, n});
  cpu::Gemm<float> g;
  g.m = m, g.n = n, g.k = k;
  g.a = a.data<float>(), g.a_row = turn_a ? 1 : k, g.a_col = turn_a ? m : 1;
  g.b = b.data<float>(), g.b_row = turn_b ? 1 : n, g.b_col = turn_b ? k : 1;
  g.c = c.data<float>(), g.c_row = n;
  for (auto _ : state) {
    cpu::gemm(g);
    benchmark::ClobberMemory();
  }
  count(state, 2.0 * static_cast<double>(m * n) * static_cast<double>(k));
}
void gemm_nn(benchmark::State& state) { product(state, false, false); }
void gemm_nt(benchmark::State& state) { product(state, false, true); }
void gemm_tn(benchmark::State& state) { product(state, true, false); }

void shapes(benchmark::internal::Benchmark* b) {
  b->ArgNames({"m", "n", "k", "threads"})->UseRealTime();
  for (const int threads : {1, 0}) {
    for (const int n : {64, 128, 256, 512, 1024, 2048}) b->Args({n, n, n, threads});
    b->Args({64, 128, 784, threads})->Args({64, 10, 128, threads});
    b->Args({1024, 3072, 768, threads})->Args({128, 2304, 768, threads});
    b->Args({1, 32, 784, threads})->Args({1, 784, 32, threads});  // one sample of a small MLP
  }
}

BENCHMARK(fma_peak)->ArgName("threads")->Arg(1)->Arg(0)->UseRealTime();
BENCHMARK(gemm_nn)->Apply(shapes);
BENCHMARK(gemm_nt)->Apply(shapes);
BENCHMARK(gemm_tn)->Apply(shapes);

}  // namespace
}  // namespace gradus
