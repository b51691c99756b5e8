// Running sums and products of lines, in an order that the line's length alone decides. Lines of up
// to 512 elements are one chain in one thread, as on the CPU. Longer ones are cut into tiles, one
// block each: a thread chains four elements, a warp joins its threads by doubling steps (Hillis and
// Steele, "Data parallel algorithms", CACM 1986), warps are one chain. What comes before a tile is
// found first, from the tiles' totals: the line is read twice, and all tiles run side by side.
#pragma once

#include "gradus/kernels/cuda/fold.cuh"

namespace gradus::cuda {

/// The lines of x[outer][n][inner] along n, from the end if `reverse`.
struct ScanLines {
  std::int64_t n, inner, count;
  bool reverse;
  __device__ std::int64_t at(std::int64_t line, std::int64_t i) const {
    return (line / inner * n + (reverse ? n - 1 - i : i)) * inner + line % inner;
  }
};

template <class Op, class T, class C>
__global__ void __launch_bounds__(128) scan_chains(ScanLines lines, const T* x, C* y) {
  const std::int64_t line = std::int64_t{blockIdx.x} * 128 + threadIdx.x;
  if (line >= lines.count) return;
  C a = read<C>(x[lines.at(line, 0)]);
  y[lines.at(line, 0)] = a;
  for (std::int64_t i = 1; i < lines.n; ++i) {
    a = Op::join(a, read<C>(x[lines.at(line, i)]));
    y[lines.at(line, i)] = a;
  }
}

inline constexpr int scan_threads = 256, scan_mine = 4, scan_tile = scan_threads * scan_mine;
inline constexpr std::int64_t longest_chain = 512;

/// v becomes the running join over the block; `before` comes in front of it all. Returns the whole.
template <class Op, class C>
__device__ C scan_block(C before, C (&v)[scan_mine]) {
  constexpr int warps = scan_threads / lanes;
  GRADUS_SHARED(C, totals, [warps]);
  const int lane = static_cast<int>(threadIdx.x) % lanes;
  const int warp = static_cast<int>(threadIdx.x) / lanes;
  for (int u = 1; u < scan_mine; ++u) v[u] = Op::join(v[u - 1], v[u]);
  C sum = v[scan_mine - 1];
  for (int step = 1; step < lanes; step *= 2) {
    const C other = __shfl_up_sync(all_lanes, sum, static_cast<unsigned>(step));
    if (lane >= step) sum = Op::join(other, sum);
  }
  C left = __shfl_up_sync(all_lanes, sum, 1u);
  if (lane == 0) left = Op::template start<C>();
  __syncthreads();  // nobody still reads the totals of an earlier call
  if (lane == lanes - 1) totals[warp] = sum;
  __syncthreads();
  C whole = before;
  for (int w = 0; w < warps; ++w) {
    if (w == warp) left = Op::join(whole, left);
    whole = Op::join(whole, totals[w]);
  }
  for (int u = 0; u < scan_mine; ++u) v[u] = Op::join(left, v[u]);
  return whole;
}

/// This thread's elements of tile `tile` of a line; what lies beyond the end changes nothing.
template <class Op, class T, class C>
__device__ void load_tile(const ScanLines& lines, const T* x, std::int64_t line, std::int64_t tile,
                          C (&v)[scan_mine]) {
  const std::int64_t first = tile * scan_tile + threadIdx.x * scan_mine;
  for (int u = 0; u < scan_mine; ++u) {
    v[u] = first + u < lines.n ? read<C>(x[lines.at(line, first + u)]) : Op::template start<C>();
  }
}

/// totals[line][tile], a block for each.
template <class Op, class T, class C>
__global__ void __launch_bounds__(scan_threads)
    total_tiles(ScanLines lines, const T* x, std::int64_t tiles, C* totals) {
  C v[scan_mine];
  load_tile<Op>(lines, x, blockIdx.x / tiles, blockIdx.x % tiles, v);
  const C whole = scan_block<Op>(Op::template start<C>(), v);
  if (threadIdx.x == 0) totals[blockIdx.x] = whole;
}

/// totals[line][tile] becomes what comes before the tile: a block for each line.
template <class Op, class C>
__global__ void __launch_bounds__(scan_threads) scan_totals(std::int64_t tiles, C* totals) {
  const ScanLines row{tiles, 1, 1, false};
  C* const p = totals + blockIdx.x * tiles;
  C before = Op::template start<C>();
  for (std::int64_t tile = 0; tile * scan_tile < tiles; ++tile) {
    C v[scan_mine];
    load_tile<Op>(row, p, 0, tile, v);
    const C own = before;
    before = scan_block<Op>(before, v);
    // Thread t has the joins up to its elements; those before an element end one to the left.
    const std::int64_t first = tile * scan_tile + threadIdx.x * scan_mine;
    if (threadIdx.x == 0) p[first] = own;
    for (int u = 0; u < scan_mine; ++u) {
      const bool inside = first + u + 1 < tiles;
      const bool own_tile = threadIdx.x * scan_mine + u + 1 < scan_tile;
      if (inside && own_tile) p[first + u + 1] = v[u];
    }
  }
}

template <class Op, class T, class C>
__global__ void __launch_bounds__(scan_threads)
    scan_tiles(ScanLines lines, const T* x, std::int64_t tiles, const C* before, C* y) {
  const std::int64_t line = blockIdx.x / tiles, tile = blockIdx.x % tiles;
  C v[scan_mine];
  load_tile<Op>(lines, x, line, tile, v);
  scan_block<Op>(before[blockIdx.x], v);
  const std::int64_t first = tile * scan_tile + threadIdx.x * scan_mine;
  for (int u = 0; u < scan_mine; ++u) {
    if (first + u < lines.n) y[lines.at(line, first + u)] = v[u];
  }
}

/// y = the running joins of x, both of the layout of `lines`.
template <class Op, class T, class C>
void scan_lines(const ScanLines& lines, const T* x, C* y, Device device) {
  const Stream stream = compute_stream(device.index());
  if (lines.n <= longest_chain) {
    return launch<scan_chains<Op, T, C>>(pieces(lines.count, 128), 128, 0, stream, lines, x, y);
  }
  const std::int64_t tiles = pieces(lines.n, scan_tile);
  const Tensor totals = empty({lines.count * tiles}, {dtype_of<C>, device});
  C* const p = totals.data<C>();
  launch<total_tiles<Op, T, C>>(lines.count * tiles, scan_threads, 0, stream, lines, x, tiles, p);
  launch<scan_totals<Op, C>>(lines.count, scan_threads, 0, stream, tiles, p);
  launch<scan_tiles<Op, T, C>>(lines.count * tiles, scan_threads, 0, stream, lines, x, tiles,
                               static_cast<const C*>(p), y);
}

}  // namespace gradus::cuda
