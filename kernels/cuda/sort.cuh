// Sorting in our own code. Every key goes with the place it came from, so no two elements are
// equal, and any way of sorting them is stable. A block sorts a tile in shared memory (a bitonic
// network: Batcher, "Sorting networks and their applications", AFIPS 1968). Then runs are merged
// two and two: each element finds its place from its own and from how many elements of the other
// run come before it, which is a binary search; no thread waits for another.
#pragma once

#include <algorithm>
#include <bit>

#include "gradus/kernels/create.h"
#include "gradus/kernels/cuda/launch.cuh"
#include "gradus/tensor/tensor.h"

namespace gradus::cuda {

// Named, not deduced: where nvcc compiles for the host, device functions have no bodies.
template <class C>
using SortKey = std::conditional_t<sizeof(C) == 8, std::uint64_t, std::uint32_t>;

/// An unsigned number in the order of `v`: zeros are equal, NaN is the largest.
template <class C>
__device__ SortKey<C> sort_key(C v) {
  using Key = SortKey<C>;
  if constexpr (std::is_floating_point_v<C>) {
    constexpr Key sign = Key{1} << (8 * sizeof(C) - 1);
    if (v != v) return static_cast<Key>(~Key{0});
    const Key bits = __builtin_bit_cast(Key, v == C(0) ? C(0) : v);
    return static_cast<Key>((bits & sign) != 0 ? ~bits : bits | sign);
  } else {
    constexpr Key sign = std::is_signed_v<C> ? Key{1} << (8 * sizeof(C) - 1) : Key{0};
    return static_cast<Key>(static_cast<Key>(v) ^ sign);
  }
}

template <class Key>
struct Placed {
  Key key;
  std::uint32_t place;
  __device__ bool before(const Placed& other) const {
    return key < other.key || (key == other.key && place < other.place);
  }
};

/// A block sorts elements [tile b, tile (b + 1)) of a line of n, `tiles` to a line. `tile` is a
/// power of two; what is missing to it counts as larger than everything.
template <class Key, class Read>
__global__ void __launch_bounds__(512)
    sort_tiles(Read read, std::int64_t n, std::int64_t tiles, int tile, Placed<Key>* to) {
  Placed<Key>* const e = dynamic_shared<Placed<Key>>();
  const std::int64_t line = blockIdx.x / tiles, first = blockIdx.x % tiles * tile;
  const int thread = static_cast<int>(threadIdx.x), threads = static_cast<int>(blockDim.x);
  for (int k = thread; k < tile; k += threads) {
    const std::int64_t place = first + k;
    e[k] = place < n ? Placed<Key>{read(line, place), static_cast<std::uint32_t>(place)}
                     : Placed<Key>{static_cast<Key>(~Key{0}), ~0u};
  }
  for (int size = 2; size <= tile; size *= 2) {
    for (int step = size / 2; step > 0; step /= 2) {
      __syncthreads();
      for (int k = thread; k < tile / 2; k += threads) {
        const int low = 2 * k - (k & (step - 1)), high = low + step;
        const bool rising = (low & size) == 0;
        const Placed<Key> a = e[low], b = e[high];
        if (b.before(a) == rising) {
          e[low] = b;
          e[high] = a;
        }
      }
    }
  }
  __syncthreads();
  for (int k = thread; k < tile && first + k < n; k += threads) to[line * n + first + k] = e[k];
}

/// Runs of `run` elements of lines of n become runs of twice that; a thread for each element.
template <class Key>
__global__ void __launch_bounds__(256)
    merge_runs(const Placed<Key>* from, std::int64_t n, std::int64_t count, std::int64_t run,
               Placed<Key>* to) {
  const std::int64_t k = std::int64_t{blockIdx.x} * 256 + threadIdx.x;
  if (k >= count) return;
  const std::int64_t i = k % n, own = i / run * run, other = (i / run ^ 1) * run;
  const Placed<Key>* line = from + (k - i);
  const Placed<Key> e = line[i];
  std::int64_t low = other, high = other + run < n ? other + run : n;
  while (low < high) {
    const std::int64_t middle = (low + high) / 2;
    if (line[middle].before(e))
      low = middle + 1;
    else
      high = middle;
  }
  to[k - i + (own < other ? own : other) + (i - own) + (low - other)] = e;
}

/// Elements (line, i) in the order of their keys; equals in their old order.
template <class Key>
struct Sorted {
  Tensor memory;
  const Placed<Key>* data() const { return static_cast<const Placed<Key>*>(memory.data()); }
};

/// Sorts `lines` lines of n elements, whose keys are read(line, i): called once for each.
template <class Key, class Read>
Sorted<Key> sort_lines(Read read, std::int64_t lines, std::int64_t n, Device device) {
  check(n < std::int64_t{0xffffffff}, ErrorKind::unsupported, "cuda: cannot sort ", n,
        " elements, at most 2^32 - 2");
  const std::int64_t count = lines * n;
  const auto memory = [&] {
    return empty({count * static_cast<std::int64_t>(sizeof(Placed<Key>))}, {Dtype::u8, device});
  };
  const auto in = [](const Tensor& t) { return static_cast<Placed<Key>*>(t.data()); };
  Tensor now = memory();
  if (count == 0) return {now};
  const Stream stream = compute_stream(device.index());
  const auto tile = static_cast<int>(
      std::bit_ceil(static_cast<std::uint64_t>(std::clamp<std::int64_t>(n, 2, 1024))));
  const std::int64_t tiles = pieces(n, tile);
  launch<sort_tiles<Key, Read>>(lines * tiles, std::max(32, tile / 2),
                                static_cast<std::size_t>(tile) * sizeof(Placed<Key>), stream, read,
                                n, tiles, tile, in(now));
  Tensor next = tile < n ? memory() : Tensor();
  for (std::int64_t run = tile; run < n; run *= 2) {
    launch<merge_runs<Key>>(pieces(count, 256), 256, 0, stream,
                            static_cast<const Placed<Key>*>(in(now)), n, count, run, in(next));
    std::swap(now, next);
  }
  return {now};
}

}  // namespace gradus::cuda
