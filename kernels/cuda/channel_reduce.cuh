// Sums over everything but the channels, K at a time: what the affine gradients of norms and the
// statistics of batch norm are. Two stages in a fixed order: blocks of positions, then the blocks'
// results, in f64.
//
// Elements are (image n, channel c, position l). Where neighbours in memory are channels (row-major
// matrices, NHWC images) a block is 32 channels by 32 rows; where they are positions (NCHW), a
// block is one channel.
#pragma once

#include "gradus/kernels/cuda/block_reduce.cuh"
#include "gradus/kernels/fold.h"
#include "gradus/tensor/tensor.h"

namespace gradus::cuda {

struct Channels {
  std::int64_t images, channels, positions;
  bool channels_last;  // of an element (n, c, l): at (n L + l) C + c, else at (n C + c) L + l
  GRADUS_HD std::int64_t count() const { return images * positions; }
};

/// The f of a plain sum.
template <class T>
struct ElementItself {
  const T* x;
  __device__ void operator()(std::int64_t at, std::int64_t, std::int64_t,
                             compute_t<T> (&v)[1]) const {
    v[0] = compute_t<T>(x[at]);
  }
};

inline constexpr int a_slice = 4096;  // elements of a channel that one block adds up

/// partial[slice][k][channel] = sums of f(place, n, c, v[K]) over the slice's rows.
template <int K, class C, class F>
__global__ void __launch_bounds__(1024) sum_channels_last(Channels s, F f, C* partial) {
  GRADUS_SHARED(C, sums, [32][33]);
  const std::int64_t c = std::int64_t{blockIdx.x} * 32 + threadIdx.x;
  const std::int64_t rows = s.count();
  for (std::int64_t slice = blockIdx.y; slice * a_slice < rows; slice += gridDim.y) {
    const std::int64_t begin = slice * a_slice;
    const std::int64_t end = begin + a_slice < rows ? begin + a_slice : rows;
    C total[K] = {};
    if (c < s.channels) {
      for (std::int64_t r = begin + threadIdx.y; r < end; r += 32) {
        C v[K];
        f(r * s.channels + c, r / s.positions, c, v);
        for (int k = 0; k < K; ++k) total[k] += v[k];
      }
    }
    for (int k = 0; k < K; ++k) {
      sums[threadIdx.y][threadIdx.x] = total[k];
      __syncthreads();
      for (unsigned half = 16; half > 0; half /= 2) {
        if (threadIdx.y < half)
          sums[threadIdx.y][threadIdx.x] += sums[threadIdx.y + half][threadIdx.x];
        __syncthreads();
      }
      if (threadIdx.y == 0 && c < s.channels)
        partial[(slice * K + k) * s.channels + c] = sums[0][threadIdx.x];
      __syncthreads();
    }
  }
}

template <int K, class C, class F>
__global__ void __launch_bounds__(256) sum_channels_first(Channels s, F f, C* partial) {
  const std::int64_t c = blockIdx.x, all = s.count();
  for (std::int64_t slice = blockIdx.y; slice * a_slice < all; slice += gridDim.y) {
    const std::int64_t begin = slice * a_slice;
    const std::int64_t end = begin + a_slice < all ? begin + a_slice : all;
    C total[K] = {};
    for (std::int64_t i = begin + threadIdx.x; i < end; i += 256) {
      const std::int64_t n = i / s.positions, l = i % s.positions;
      C v[K];
      f((n * s.channels + c) * s.positions + l, n, c, v);
      for (int k = 0; k < K; ++k) total[k] += v[k];
    }
    for (int k = 0; k < K; ++k) {
      const C sum = block_reduce<256, fold::Sum>(total[k]);
      if (threadIdx.x == 0) partial[(slice * K + k) * s.channels + c] = sum;
    }
  }
}

/// One thread a channel: adds the slices up and calls g(c, sums[K]).
template <int K, class C, class G>
__global__ void __launch_bounds__(128)
    join_slices(const C* partial, std::int64_t slices, std::int64_t channels, G g) {
  const std::int64_t c = std::int64_t{blockIdx.x} * 128 + threadIdx.x;
  if (c >= channels) return;
  double sums[K] = {};
  for (std::int64_t s = 0; s < slices; ++s) {
    for (int k = 0; k < K; ++k) sums[k] += static_cast<double>(partial[(s * K + k) * channels + c]);
  }
  g(c, sums);
}

/// g(c, sums) for each channel, the sums being those of f(place, n, c, v) over all n and l.
template <int K, class C, class F, class G>
void channel_sums(const Channels& s, F f, G g, Device device) {
  if (s.channels == 0) return;
  const Stream stream = compute_stream(device.index());
  const std::int64_t slices = pieces(s.count(), a_slice);
  const Tensor partial = empty({slices * K * s.channels}, {dtype_of<C>, device});
  C* to = static_cast<C*>(partial.data());
  const std::int64_t rows = std::min(slices, most_blocks_y);
  if (s.channels_last) {
    launch<sum_channels_last<K, C, F>>(Size3(pieces(s.channels, 32), rows), Size3(32, 32), 0,
                                       stream, s, f, to);
  } else {
    launch<sum_channels_first<K, C, F>>(Size3(s.channels, rows), 256, 0, stream, s, f, to);
  }
  launch<join_slices<K, C, G>>(pieces(s.channels, 128), 128, 0, stream, static_cast<const C*>(to),
                               slices, s.channels, g);
}

}  // namespace gradus::cuda
