// Convolution, forward and gradients, in GFLOP/s: the layers of the two small CNNs of BENCH.md and
// some of a ResNet, in both memory formats.
#include "gradus/kernels/conv.h"

#include <benchmark/benchmark.h>

#include "gradus/kernels/random.h"
#include "gradus/tensor/parallel.h"
#include "gradus/tensor/views.h"

namespace gradus {
namespace {

struct Layer {
  Tensor x, w, y;
  ConvOptions options;
  double flops;

  /// Arguments: N, C, H (= W), O, kernel, padding, stride, groups, channels last.
  explicit Layer(const benchmark::State& s) {
    const std::int64_t n = s.range(0), c = s.range(1), h = s.range(2), o = s.range(3);
    const std::int64_t k = s.range(4), groups = s.range(7);
    for (int d = 0; d < 2; ++d) options.padding[d] = s.range(5), options.stride[d] = s.range(6);
    options.groups = groups;
    w = rand({o, c / groups, k, k});
    x = s.range(8) != 0 ? channels_first(rand({n, h, h, c})) : rand({n, c, h, h});
    const Shape shape = conv_shape("conv", x, w, options);
    y = s.range(8) != 0 ? channels_first(rand({n, shape[2], shape[3], o})) : rand(shape);
    flops = 2.0 * static_cast<double>(y.numel()) * static_cast<double>(w.numel() / o);
  }
  /// (N, H, W, C) shown as (N, C, H, W).
  static Tensor channels_first(const Tensor& t) {
    const int order[] = {0, 3, 1, 2};
    return views::permute(t, order);
  }
};

template <class F>
void measure(benchmark::State& state, F f) {
  const Layer layer(state);
  for (auto _ : state) {
    f(layer);
    benchmark::ClobberMemory();
  }
  state.counters["GFLOP/s"] =
      benchmark::Counter(layer.flops * static_cast<double>(state.iterations()),
                         benchmark::Counter::kIsRate, benchmark::Counter::kIs1000);
}

void conv_forward(benchmark::State& state) {
  measure(state, [](const Layer& l) { cpu::conv(l.x, l.w, l.y, l.options); });
}
void conv_input_gradient(benchmark::State& state) {
  measure(state, [](const Layer& l) { cpu::conv_input_gradient(l.y, l.w, l.x, l.options); });
}
void conv_weight_gradient(benchmark::State& state) {
  measure(state, [](const Layer& l) { cpu::conv_weight_gradient(l.x, l.y, l.w, l.options); });
}

void layers(benchmark::internal::Benchmark* b) {
  b->ArgNames({"N", "C", "H", "O", "kernel", "padding", "stride", "groups", "nhwc"})->UseRealTime();
  for (const int nhwc : {0, 1}) {
    b->Args({128, 1, 28, 32, 3, 1, 1, 1, nhwc})->Args({128, 32, 14, 64, 3, 1, 1, 1, nhwc});
    b->Args({64, 1, 28, 16, 5, 2, 1, 1, nhwc})->Args({64, 16, 14, 32, 5, 2, 1, 1, nhwc});
    b->Args({16, 64, 56, 64, 3, 1, 1, 1, nhwc})->Args({16, 64, 56, 128, 1, 0, 2, 1, nhwc});
    b->Args({16, 256, 14, 256, 3, 1, 1, 1, nhwc})->Args({16, 32, 56, 32, 3, 1, 1, 32, nhwc});
  }
}

BENCHMARK(conv_forward)->Apply(layers);
BENCHMARK(conv_input_gradient)->Apply(layers);
BENCHMARK(conv_weight_gradient)->Apply(layers);

}  // namespace
}  // namespace gradus
