// The loops around the micro-kernel: which tiles, which panels, which thread. A product is told to
// them by two packers, so that a convolution can copy its patches straight into the panels.
//
//   A: bool by_row;  void pack(i, rows, k0, kc, T* panel) const: one panel, laid out as by_row says
//   B: bool direct(), const T* at(k, j), step(): b as it lies in memory, if its rows are contiguous
//      void pack(j, columns, k0, kc, T* panels) const: all panels of these columns
#pragma once

#include <algorithm>
#include <cstdint>
#include <numeric>

#include "gradus/kernels/cpu/bias_activation.h"
#include "gradus/kernels/cpu/micro_kernel.h"
#include "gradus/kernels/cpu/scratch.h"
#include "gradus/tensor/parallel.h"

namespace gradus::cpu {

template <class T>
struct Result {
  T* c;
  std::int64_t c_row;
  bool add;
  BiasActivation<T> finish;
};

/// A range of rows or columns.
struct Range {
  std::int64_t begin, end;
  std::int64_t size() const { return end - begin; }
};

/// Part i of [0, n) cut into `parts` all but equal ones at multiples of `unit`.
inline Range part_of(std::int64_t n, std::int64_t parts, std::int64_t i, std::int64_t unit = 1) {
  const std::int64_t units = (n + unit - 1) / unit, size = units / parts, larger = units % parts;
  const std::int64_t begin = size * i + std::min(i, larger);
  return {begin * unit, std::min(n, (begin + size + (i < larger)) * unit)};
}

/// The panels of b over kc steps of k: panel p begins at p * kc * columns and holds `width` columns
/// a step, Blocking<T>::columns but for the last one, which is one vector wide if that suffices.
template <class T>
constexpr int panel_width(std::int64_t columns_left) {
  return columns_left > Blocking<T>::width ? Blocking<T>::columns : Blocking<T>::width;
}

/// Asks for the tile of c that comes next, while the present one is computed.
template <class T>
inline void prefetch_tile(const T* c, std::int64_t c_row, std::int64_t rows) {
  for (std::int64_t r = 0; r < rows; ++r, c += c_row) {
    __builtin_prefetch(c, 1);
    __builtin_prefetch(c + Blocking<T>::columns - 1, 1);
  }
}

/// Rows [rows.begin, rows.end) by columns [cols.begin, cols.end) of a product, on this thread.
template <class T, class A, class B>
void multiply_block(const A& a, const B& b, Range rows, Range cols, std::int64_t k,
                    const Result<T>& out) {
  using Size = Blocking<T>;
  const std::int64_t blocks = (rows.size() + Size::block_rows - 1) / Size::block_rows;
  const std::int64_t panels = (cols.size() + Size::columns - 1) / Size::columns;
  // Steps of k all but equal, so that none is short.
  const std::int64_t k_blocks = (k + Size::depth - 1) / Size::depth;
  const std::int64_t depth = k == 0 ? 0 : ((k + k_blocks - 1) / k_blocks + 3) / 4 * 4;
  const std::int64_t most_groups = (rows.size() + blocks - 1) / blocks / Size::rows + 1;
  // Reading b in place pays while few rows use it, or where a panel of it stays in the L1 cache: 64
  // sets of lines, of which rows at a distance of 2^x lines meet only some. A partly filled last
  // panel is packed.
  const std::int64_t lines = b.step() * std::int64_t{sizeof(T)} % 64 == 0
                                 ? std::gcd(b.step() * std::int64_t{sizeof(T)} / 64, 64)
                                 : 1;
  const bool direct = b.direct() && (rows.size() <= 2 * Size::rows ||
                                     (blocks == 1 && std::min(depth, k) * lines <= 512));
  const std::int64_t packed = direct ? cols.size() % Size::columns : cols.size();
  const std::int64_t packed_panels = (packed + Size::columns - 1) / Size::columns;
  const Scratch<T> scratch(most_groups * Size::panel_size + Size::columns +
                           packed_panels * depth * Size::columns);
  T* const packed_a = scratch.data();
  T* const packed_b = packed_a + most_groups * Size::panel_size + Size::columns;

  std::int64_t k0 = 0;
  do {
    const std::int64_t kc = std::min(depth, k - k0);
    const bool load = out.add || k0 > 0, finish = k0 + kc == k && !out.finish.empty();
    for (std::int64_t block = 0; block < blocks; ++block) {
      const Range in_block = part_of(rows.size(), blocks, block);
      const std::int64_t groups = (in_block.size() + Size::rows - 1) / Size::rows;
      for (std::int64_t g = 0; g < groups; ++g) {
        const Range group = part_of(in_block.size(), groups, g);
        a.pack(rows.begin + in_block.begin + group.begin, static_cast<int>(group.size()), k0, kc,
               packed_a + g * Size::panel_size);
      }
      if (block == 0 && packed > 0) b.pack(cols.end - packed, packed, k0, kc, packed_b);
      for (std::int64_t g = 0; g < groups; ++g) {
        const Range group = part_of(in_block.size(), groups, g);
        const std::int64_t i = rows.begin + in_block.begin + group.begin;
        for (std::int64_t p = 0; p < panels; ++p) {
          const std::int64_t j = cols.begin + p * Size::columns, left = cols.end - j;
          const int w = static_cast<int>(std::min<std::int64_t>(Size::columns, left));
          const int step = panel_width<T>(w), vectors = step / Size::width;
          const bool in_place = left > packed;
          const T* const b_at = in_place ? b.at(k0, j) : packed_b + (j - cols.end + packed) * kc;
          T* const c = out.c + i * out.c_row + j;
          if (p + 1 < panels) prefetch_tile(c + Size::columns, out.c_row, group.size());
          tile_function<T>(a.by_row, vectors, static_cast<int>(group.size()))(
              kc, packed_a + g * Size::panel_size, b_at, in_place ? b.step() : step, c, out.c_row,
              load, w - (vectors - 1) * Size::width);
          if (finish) apply_bias_activation(out.finish, c, out.c_row, i, j, group.size(), w);
        }
      }
    }
    k0 += kc;
  } while (k0 < k);
}

/// How one product is cut into pieces that threads take.
struct Grid {
  std::int64_t rows = 1, columns = 1;
};

/// Work below this is not worth another thread: 1 Mflop, about 10 us.
inline constexpr double least_flops = 1e6;

/// Pieces small enough for the L2 cache, and enough of them for `threads`. Never affects bits.
template <class T>
Grid plan_grid(std::int64_t m, std::int64_t n, std::int64_t k, std::int64_t threads) {
  using Size = Blocking<T>;
  Grid grid{(m + 1023) / 1024, (n + 1023) / 1024};
  const double flops =
      2.0 * static_cast<double>(m) * static_cast<double>(n) * static_cast<double>(k);
  // With plenty to do, smaller pieces even out threads of different speed.
  const std::int64_t wanted = static_cast<std::int64_t>(std::min(
      flops / least_flops, static_cast<double>(flops > 32e6 * threads ? 4 * threads : threads)));
  if (threads == 1) return grid;
  while (grid.rows * grid.columns < wanted) {
    // Columns first: packing b costs more than packing a.
    const std::int64_t height = m / grid.rows, width = n / grid.columns;
    const bool can_columns = width >= 2 * Size::width, can_rows = height >= 2;
    if (can_columns && (width >= height || width >= 4 * Size::columns || !can_rows)) {
      ++grid.columns;
    } else if (can_rows) {
      ++grid.rows;
    } else {
      break;
    }
  }
  return grid;
}

/// Calls block(batch item, rows, columns) for all pieces of `batch` products of one size.
template <class T, class F>
void for_each_block(std::int64_t batch, std::int64_t m, std::int64_t n, std::int64_t k, F&& block) {
  const std::int64_t threads = num_threads();
  const Grid grid = plan_grid<T>(m, n, k, batch >= 2 * threads ? 1 : threads);
  const std::int64_t pieces = grid.rows * grid.columns, total = batch * pieces;
  const double flops = 2.0 * static_cast<double>(m) * static_cast<double>(n) *
                       static_cast<double>(k) / static_cast<double>(pieces);
  const std::int64_t grain = static_cast<std::int64_t>(least_flops / std::max(flops, 1.0)) + 1;
  parallel_for(total, grain, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t t = begin; t < end; ++t) {
      const std::int64_t p = t % pieces;
      block(t / pieces, part_of(m, grid.rows, p % grid.rows),
            part_of(n, grid.columns, p / grid.rows, Blocking<T>::width));
    }
  });
}

}  // namespace gradus::cpu
