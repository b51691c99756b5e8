// Softmax of every row of x (R, N): y = exp(x - max) / sum(exp(x - max)). Memory decides: x read
// once, y written once is the floor; the rungs go from four passes over memory to two.
//
//   rung           x is read   where a row is held      what it removes
//   thread a row   3 times     nowhere                  -
//   block a row    3 times     nowhere                  loads that lie N elements apart in a warp
//   online         2 times     nowhere                  the pass for the maximum
//   registers      once        in the block's registers  the second read
//   vectors        once        in the block's registers  3 of 4 load and store instructions
#include "gradus/bench/ladder/ladder.h"
#include "gradus/kernels/create.h"
#include "gradus/kernels/cuda/block_reduce.cuh"
#include "gradus/kernels/cuda/vector.cuh"
#include "gradus/kernels/fold.h"
#include "gradus/kernels/math.h"
#include "gradus/kernels/random.h"

namespace gradus::ladder {
namespace {

using namespace cuda;

constexpr int threads = 256, per_thread = 16, widest = threads * per_thread;

__global__ void thread_a_row(const float* x, std::int64_t rows, std::int64_t n, float* y) {
  const std::int64_t r = std::int64_t{blockIdx.x} * threads + threadIdx.x;
  if (r >= rows) return;
  x += r * n;
  y += r * n;
  float max = x[0], sum = 0;
  for (std::int64_t i = 1; i < n; ++i) max = math::max(max, x[i]);
  for (std::int64_t i = 0; i < n; ++i) sum += math::exp(x[i] - max);
  for (std::int64_t i = 0; i < n; ++i) y[i] = math::exp(x[i] - max) / sum;
}

/// Lanes side by side read numbers side by side: a warp's load is one or two lines of memory.
__global__ void block_a_row(const float* x, std::int64_t, std::int64_t n, float* y) {
  x += std::int64_t{blockIdx.x} * n;
  y += std::int64_t{blockIdx.x} * n;
  float max = fold::Max::start<float>(), sum = 0;
  for (std::int64_t i = threadIdx.x; i < n; i += threads) max = math::max(max, x[i]);
  max = block_reduce<threads, fold::Max>(max);
  for (std::int64_t i = threadIdx.x; i < n; i += threads) sum += math::exp(x[i] - max);
  sum = block_reduce<threads, fold::Sum>(sum);
  for (std::int64_t i = threadIdx.x; i < n; i += threads) y[i] = math::exp(x[i] - max) / sum;
}

/// A maximum and a sum of exponentials relative to it. Two of them join: the smaller maximum's sum
/// shrinks by the exponential of the difference (Milakov and Gimelshein, 2018).
struct Running {
  float max, sum;
};
struct JoinRunning {
  template <class T>
  static __device__ T start() {
    return {fold::Max::start<float>(), 0.0f};
  }
  static __device__ Running join(Running a, Running b) {
    const float max = math::max(a.max, b.max);
    return {max, a.sum * shrink(a.max, max) + b.sum * shrink(b.max, max)};
  }
  /// exp(-inf - -inf) would be NaN: nothing was added yet.
  static __device__ float shrink(float from, float to) {
    return from == to ? 1.0f : math::exp(from - to);
  }
};

__device__ Running shuffled_down(Running v, unsigned by) {
  return {__shfl_down_sync(all_lanes, v.max, by), __shfl_down_sync(all_lanes, v.sum, by)};
}

__device__ Running block_join(Running v) {
  GRADUS_SHARED(Running, parts, [threads / lanes]);
  const int lane = static_cast<int>(threadIdx.x) % lanes,
            warp = static_cast<int>(threadIdx.x) / lanes;
  for (unsigned half = lanes / 2; half > 0; half /= 2)
    v = JoinRunning::join(v, shuffled_down(v, half));
  if (lane == 0) parts[warp] = v;
  __syncthreads();
  v = parts[0];
  for (int w = 1; w < threads / lanes; ++w) v = JoinRunning::join(v, parts[w]);
  return v;
}

__global__ void online(const float* x, std::int64_t, std::int64_t n, float* y) {
  x += std::int64_t{blockIdx.x} * n;
  y += std::int64_t{blockIdx.x} * n;
  Running v = JoinRunning::start<Running>();
  for (std::int64_t i = threadIdx.x; i < n; i += threads) v = JoinRunning::join(v, {x[i], 1.0f});
  v = block_join(v);
  for (std::int64_t i = threadIdx.x; i < n; i += threads) y[i] = math::exp(x[i] - v.max) / v.sum;
}

/// The row stays in registers between the passes: loops of a fixed length, fully unrolled, or the
/// array would lie in memory after all. `width` elements side by side belong to one thread.
template <int width>
__global__ void in_registers(const float* x, std::int64_t, std::int64_t n, float* y) {
  x += std::int64_t{blockIdx.x} * n;
  y += std::int64_t{blockIdx.x} * n;
  constexpr int loads = per_thread / width;
  Vector<float, width> v[loads];
  float max = fold::Max::start<float>(), sum = 0;
  GRADUS_UNROLL
  for (int l = 0; l < loads; ++l) {
    const std::int64_t i = (std::int64_t{l} * threads + threadIdx.x) * width;
    if (i < n) v[l] = load<width>(x + i);  // n is a multiple of width
    GRADUS_UNROLL
    for (int e = 0; e < width; ++e) {
      if (i >= n) v[l][e] = fold::Max::start<float>();
      max = math::max(max, v[l][e]);
    }
  }
  max = block_reduce<threads, fold::Max>(max);
  GRADUS_UNROLL
  for (int l = 0; l < loads; ++l) {
    GRADUS_UNROLL
    for (int e = 0; e < width; ++e) sum += v[l][e] = math::exp(v[l][e] - max);
  }
  sum = block_reduce<threads, fold::Sum>(sum);
  GRADUS_UNROLL
  for (int l = 0; l < loads; ++l) {
    const std::int64_t i = (std::int64_t{l} * threads + threadIdx.x) * width;
    GRADUS_UNROLL
    for (int e = 0; e < width; ++e) v[l][e] /= sum;
    if (i < n) store(y + i, v[l]);
  }
}

template <auto kernel, int rows_a_block>
void run(const Work& w) {
  const Tensor& x = w.in[0];
  check(x.size(1) <= widest && x.size(1) % 4 == 0, ErrorKind::shape,
        "ladder softmax: rows have at most ", widest, " columns, a multiple of 4; got ", x.size(1));
  launch<kernel>(pieces(x.size(0), rows_a_block), threads, 0, compute_stream(0),
                 static_cast<const float*>(x.data<float>()), x.size(0), x.size(1),
                 w.out[0].data<float>());
}

Work make(bool small) {
  const Shape shape = small ? Shape{5, 1012} : Shape{16384, 4096};
  const TensorOptions on{Dtype::f32, Device::cuda()};
  Generator g{8};
  return {
      .in = {randn(shape, on, g)}, .out = {empty(shape, on)}, .bytes = 8.0 * double(shape.numel())};
}

std::vector<Tensor> expected(const Work& w) {
  const Tensor x = w.in[0].to(Device::cpu()), y = empty(x.shape(), {Dtype::f64});
  const std::int64_t n = x.size(1);
  for (std::int64_t r = 0; r < x.size(0); ++r) {
    const float* from = x.data<float>() + r * n;
    double max = from[0], sum = 0;
    for (std::int64_t i = 1; i < n; ++i) max = from[i] > max ? from[i] : max;
    for (std::int64_t i = 0; i < n; ++i) sum += math::exp(from[i] - max);
    for (std::int64_t i = 0; i < n; ++i)
      y.data<double>()[r * n + i] = math::exp(from[i] - max) / sum;
  }
  return {y};
}

}  // namespace

Ladder softmax_of_rows() {
  return {"softmax",
          make,
          expected,
          {{"thread a row", "three loops, as one would write them for one processor",
            run<thread_a_row, threads>},
           {"block a row", "a warp's lanes read side by side", run<block_a_row, 1>},
           {"online", "maximum and sum in one pass", run<online, 1>},
           {"registers", "the row is kept between the passes", run<in_registers<1>, 1>},
           {"vectors", "16 bytes a load and store", run<in_registers<4>, 1>}}};
}

}  // namespace gradus::ladder
