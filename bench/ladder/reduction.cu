// The sum of n numbers. It reads each once and adds: memory decides, so the goal is the bandwidth
// of a copy. Every rung but the first adds in a fixed order; none uses atomics.
//
//   rung          a block of 256 threads reads    barriers a block   what it removes
//   one thread    n (there is one thread)         0                  -
//   tree          256 numbers, one a thread       9, lanes diverge   the queue behind one thread
//   halves        256                             9                  idle lanes inside busy warps
//   many a thread 16,384                          9                  7 of 8 launches' worth of
//   trees shuffles      16,384                          1                  shared memory and
//   barriers vectors       16,384, 16 bytes at a time      1                  3 of 4 load
//   instructions
#include "gradus/bench/ladder/ladder.h"
#include "gradus/kernels/create.h"
#include "gradus/kernels/cuda/launch.cuh"
#include "gradus/kernels/cuda/vector.cuh"
#include "gradus/kernels/random.h"

namespace gradus::ladder {
namespace {

using namespace cuda;

constexpr int threads = 256, per_thread = 64;

/// In double: a chain of floats would stop growing at 2^24, where adding less than 1 changes
/// nothing.
__global__ void one_thread(const float* x, std::int64_t n, float* y) {
  double sum = 0;
  for (std::int64_t i = 0; i < n; ++i) sum += x[i];
  *y = static_cast<float>(sum);
}

/// Neighbours first: in round r only every 2^r-th thread works, so every warp stays busy to the
/// end.
__global__ void tree(const float* x, std::int64_t n, float* y) {
  GRADUS_SHARED(float, part, [threads]);
  const int t = static_cast<int>(threadIdx.x);
  const std::int64_t i = std::int64_t{blockIdx.x} * threads + t;
  part[t] = i < n ? x[i] : 0.0f;
  __syncthreads();
  for (int step = 1; step < threads; step *= 2) {
    if (t % (2 * step) == 0) part[t] += part[t + step];
    __syncthreads();
  }
  if (t == 0) y[blockIdx.x] = part[0];
}

/// The lower half adds the upper half: whole warps fall idle, and banks are read in order.
__device__ float sum_by_halves(float v, float* part) {
  const int t = static_cast<int>(threadIdx.x);
  part[t] = v;
  __syncthreads();
  for (int half = threads / 2; half > 0; half /= 2) {
    if (t < half) part[t] += part[t + half];
    __syncthreads();
  }
  return part[0];
}

__global__ void halves(const float* x, std::int64_t n, float* y) {
  GRADUS_SHARED(float, part, [threads]);
  const std::int64_t i = std::int64_t{blockIdx.x} * threads + threadIdx.x;
  const float sum = sum_by_halves(i < n ? x[i] : 0.0f, part);
  if (threadIdx.x == 0) y[blockIdx.x] = sum;
}

/// What thread t of a block adds up on its own: elements t, t + 256 ... of the block's piece.
__device__ float own_sum(const float* x, std::int64_t n) {
  const std::int64_t begin = std::int64_t{blockIdx.x} * threads * per_thread;
  const std::int64_t end = begin + threads * per_thread < n ? begin + threads * per_thread : n;
  float sum = 0;
  for (std::int64_t i = begin + threadIdx.x; i < end; i += threads) sum += x[i];
  return sum;
}

__global__ void many_a_thread(const float* x, std::int64_t n, float* y) {
  GRADUS_SHARED(float, part, [threads]);
  const float sum = sum_by_halves(own_sum(x, n), part);
  if (threadIdx.x == 0) y[blockIdx.x] = sum;
}

/// Registers of a warp's lanes are read by each other directly; only the eight warps' sums go
/// through shared memory.
__device__ float sum_by_shuffles(float v, float* part) {
  const int lane = static_cast<int>(threadIdx.x) % 32, warp = static_cast<int>(threadIdx.x) / 32;
  for (unsigned half = 16; half > 0; half /= 2) v += __shfl_down_sync(0xffffffffu, v, half);
  if (lane == 0) part[warp] = v;
  __syncthreads();
  v = lane < threads / 32 ? part[lane] : 0.0f;
  for (unsigned half = 16; half > 0; half /= 2) v += __shfl_down_sync(0xffffffffu, v, half);
  return v;  // in lane 0
}

__global__ void shuffles(const float* x, std::int64_t n, float* y) {
  GRADUS_SHARED(float, part, [threads / 32]);
  const float sum = sum_by_shuffles(own_sum(x, n), part);
  if (threadIdx.x == 0) y[blockIdx.x] = sum;
}

/// Four numbers a load, and four sums a thread: no addition waits for the one before.
__global__ void vectors(const float* x, std::int64_t n, float* y) {
  GRADUS_SHARED(float, part, [threads / 32]);
  constexpr int width = 4;
  const std::int64_t begin = std::int64_t{blockIdx.x} * threads * per_thread;
  const std::int64_t end = begin + threads * per_thread < n ? begin + threads * per_thread : n;
  Vector<float, width> sums{};
  std::int64_t i = begin + threadIdx.x * width;
  GRADUS_UNROLL
  for (; i + width <= end; i += threads * width) {
    const auto v = load<width>(x + i);
    for (int e = 0; e < width; ++e) sums[e] += v[e];
  }
  for (int e = 0; e < width && i + e < end; ++e) sums[e] += x[i + e];
  const float sum = sum_by_shuffles((sums[0] + sums[1]) + (sums[2] + sums[3]), part);
  if (threadIdx.x == 0) y[blockIdx.x] = sum;
}

/// Blocks cannot wait for each other: the sums of all blocks are summed by the next launch, until
/// one is left.
template <auto kernel, int numbers_a_block>
void launch_until_one(const Work& w) {
  Tensor from = w.in[0];
  while (true) {
    const std::int64_t n = from.numel(), blocks = pieces(n, numbers_a_block);
    const Tensor to = blocks == 1 ? w.out[0] : empty({blocks}, w.out[0].options());
    launch<kernel>(blocks, threads, 0, compute_stream(0), static_cast<const float*>(from.data()), n,
                   to.data<float>());
    if (blocks == 1) return;
    from = to;
  }
}

Work make(bool small) {
  const std::int64_t n = small ? 40003 : std::int64_t{1} << 27;
  const TensorOptions on{Dtype::f32, Device::cuda()};
  Generator g{7};
  return {.in = {rand({n}, on, g)}, .out = {empty({1}, on)}, .bytes = 4.0 * double(n)};
}

std::vector<Tensor> expected(const Work& w) {
  double sum = 0;
  const Tensor x = w.in[0].to(Device::cpu());
  for (std::int64_t i = 0; i < x.numel(); ++i) sum += x.data<float>()[i];
  return {full({1}, sum, {Dtype::f64})};
}

}  // namespace

Ladder reduction() {
  return {"reduction",
          make,
          expected,
          {{"one thread", "one thread adds everything",
            [](const Work& w) {
              launch<one_thread>(1, 1, 0, compute_stream(0),
                                 static_cast<const float*>(w.in[0].data<float>()), w.in[0].numel(),
                                 w.out[0].data<float>());
            }},
           {"tree", "a thread a number, neighbours added in shared memory",
            launch_until_one<tree, threads>},
           {"halves", "whole warps fall idle instead of lanes", launch_until_one<halves, threads>},
           {"many a thread", "a thread adds 64 numbers before the tree",
            launch_until_one<many_a_thread, threads * per_thread>},
           {"shuffles", "a warp's sum without shared memory or barriers",
            launch_until_one<shuffles, threads * per_thread>},
           {"vectors", "16 bytes a load, four independent sums a thread",
            launch_until_one<vectors, threads * per_thread>}}};
}

}  // namespace gradus::ladder
