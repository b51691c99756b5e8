// The optimizer step by itself: bytes moved against this machine's copy bandwidth, and the time of
// a step of a tiny model.
#include <benchmark/benchmark.h>

#include <cstring>
#include <vector>

#include "gradus/autograd/functions.h"
#include "gradus/optim/optim.h"
#include "gradus/tensor/parallel.h"

namespace gradus {
namespace {

struct Threads {
  explicit Threads(std::int64_t n) : before(num_threads()) {
    if (n > 0) set_num_threads(static_cast<int>(n));  // 0: all cores
  }
  ~Threads() { set_num_threads(before); }
  int before;
};

/// y = x, both far beyond the caches: the bandwidth that a pass over memory can have.
void copy_bandwidth(benchmark::State& state) {
  const std::int64_t n = state.range(0), grain = 65536;
  const Threads threads(state.range(1));
  const Tensor x = full({n}, 1), y = full({n}, 2);
  for (auto _ : state) {
    parallel_for(n, grain, [&](std::int64_t begin, std::int64_t end) {
      std::memcpy(y.data<float>() + begin, x.data<float>() + begin,
                  static_cast<std::size_t>(end - begin) * sizeof(float));
    });
    benchmark::ClobberMemory();
  }
  state.SetBytesProcessed(state.iterations() * n * 8);
}

/// a += b over five arrays as AdamW with an average walks them, without its arithmetic: the ceiling
/// for reading and writing in place.
void update_bandwidth(benchmark::State& state) {
  const std::int64_t n = state.range(0), grain = 16384;
  const Threads threads(state.range(1));
  const Tensor g = full({n}, 1);
  std::vector<Tensor> streams;
  for (int k = 0; k < 4; ++k) streams.push_back(full({n}, k));
  for (auto _ : state) {
    parallel_for(n, grain, [&](std::int64_t begin, std::int64_t end) {
      const float* x = g.data<float>();
      float* __restrict p = streams[0].data<float>();
      float* __restrict m = streams[1].data<float>();
      float* __restrict v = streams[2].data<float>();
      float* __restrict a = streams[3].data<float>();
      for (std::int64_t i = begin; i < end; ++i) {
        p[i] += x[i];
        m[i] += x[i];
        v[i] += x[i];
        a[i] += x[i];
      }
    });
    benchmark::ClobberMemory();
  }
  state.SetBytesProcessed(state.iterations() * n * 36);
}

std::vector<Tensor> model(std::int64_t n, std::int64_t parts) {
  std::vector<Tensor> parameters;
  for (std::int64_t i = 0; i < parts; ++i) {
    parameters.push_back(full({n / parts}, 0.5).set_requires_grad(true));
    parameters.back().set_grad(full({n / parts}, 1e-4 * static_cast<double>(i + 1)));
  }
  return parameters;
}

/// 4 (stats) + 4 (gradient) + 4 x 8 bytes a parameter.
void adamw_clip_ema(benchmark::State& state) {
  const std::int64_t n = state.range(0);
  const Threads threads(state.range(2));
  optim::AdamW opt(model(n, state.range(1)), {.max_grad_norm = 1, .ema_decay = 0.999});
  for (auto _ : state) opt.step();
  state.SetBytesProcessed(state.iterations() * n * 40);
}

/// 4 (gradient) x 2 + 8 (weight) bytes a parameter.
void sgd(benchmark::State& state) {
  const std::int64_t n = state.range(0);
  const Threads threads(state.range(2));
  optim::SGD opt(model(n, state.range(1)), {.lr = 1e-3});
  for (auto _ : state) opt.step();
  state.SetBytesProcessed(state.iterations() * n * 16);
}

constexpr std::int64_t large = 32'000'000, tiny = 25'450;
void both(benchmark::internal::Benchmark* b, std::vector<std::int64_t> args) {
  for (const std::int64_t threads : {0, 1}) {
    args.push_back(threads);
    b->Args(args)->UseRealTime();
    args.pop_back();
  }
}
void whole(benchmark::internal::Benchmark* b) { both(b->Unit(benchmark::kMillisecond), {large}); }
void one_part(benchmark::internal::Benchmark* b) {
  both(b->Unit(benchmark::kMillisecond), {large, 1});
}
void many_parts(benchmark::internal::Benchmark* b) {
  both(b->Unit(benchmark::kMillisecond), {large, 200});
}
void small(benchmark::internal::Benchmark* b) {
  for (const std::int64_t parts : {4, 150}) both(b->Unit(benchmark::kMicrosecond), {tiny, parts});
  both(b, {400, 4});
}
BENCHMARK(copy_bandwidth)->Apply(whole);
BENCHMARK(update_bandwidth)->Apply(whole);
BENCHMARK(adamw_clip_ema)->Apply(one_part)->Apply(many_parts);
BENCHMARK(sgd)->Apply(one_part);
BENCHMARK(adamw_clip_ema)->Apply(small)->Name("adamw_clip_ema_small");
BENCHMARK(sgd)->Apply(small)->Name("sgd_small");

}  // namespace
}  // namespace gradus
