// The loops around the micro-kernel: which tiles, which panels, which thread. A product is told to
// them by two packers (pack.h):
//
//   A: bool by_row;  how its panels are laid out
//      bool direct(), const T* at(i, k), step(): a as it lies in memory, if its rows may be read so
//      void pack(rows, groups, k0, kc, T* panels) const: a panel for each group of these rows
//   B: bool direct(), const T* at(k, j), step(): b as it lies in memory, if its rows are contiguous
//      void pack(j, columns, k0, kc, T* panels) const: all panels of these columns
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>
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

/// The panels of b during kc steps of k from k0 on: packed ones from column `first_packed`, before
/// it b as it lies in memory.
template <class T, class B>
struct Panels {
  const B& b;
  const T* packed;
  std::int64_t first_packed, k0, kc;
};

/// One block of rows (at most Blocking::block_rows) by columns `cols`, over the panels' steps of k.
/// `packed_a` has room for packed_a_size(rows.size(), kc) elements.
template <class T, class A, class B>
void multiply_rows(const A& a, const Panels<T, B>& panels, Range rows, Range cols, bool finish,
                   const Result<T>& out, T* packed_a) {
  using Size = Blocking<T>;
  const std::int64_t k0 = panels.k0, kc = panels.kc;
  const std::int64_t groups = (rows.size() + Size::rows - 1) / Size::rows;
  const bool load = out.add || k0 > 0;
  const bool a_in_place = a.direct();
  const std::int64_t row_step = Size::row_step(kc);
  const std::int64_t a_step = a_in_place ? a.step() : a.by_row ? row_step : Size::rows;
  if (!a_in_place) a.pack(rows, groups, k0, kc, packed_a);
  for (std::int64_t g = 0; g < groups; ++g) {
    const Range group = part_of(rows.size(), groups, g);
    const std::int64_t i = rows.begin + group.begin;
    const T* const a_at = a_in_place ? a.at(i, k0) : packed_a + g * Size::rows * row_step;
    for (std::int64_t j = cols.begin; j < cols.end; j += Size::columns) {
      const int w = static_cast<int>(std::min<std::int64_t>(Size::columns, cols.end - j));
      const int step = panel_width<T>(w), vectors = step / Size::width;
      const bool in_place = j < panels.first_packed;
      const T* const b_at =
          in_place ? panels.b.at(k0, j) : panels.packed + (j - panels.first_packed) * kc;
      T* const c = out.c + i * out.c_row + j;
      if (j + Size::columns < cols.end) prefetch_tile(c + Size::columns, out.c_row, group.size());
      tile_function<T>(a.by_row, vectors, static_cast<int>(group.size()))(
          kc, a_at, a_step, b_at, in_place ? panels.b.step() : step, c, out.c_row, load,
          w - (vectors - 1) * Size::width);
      if (finish) apply_bias_activation(out.finish, c, out.c_row, i, j, group.size(), w);
    }
  }
}

/// Steps of k all but equal, so that none is short. Two of half a step's depth would read and write
/// c twice for little.
template <class T>
std::int64_t step_of_k(std::int64_t k) {
  constexpr std::int64_t depth = Blocking<T>::depth;
  const std::int64_t steps = k <= depth * 3 / 2 ? 1 : (k + depth - 1) / depth;
  return k == 0 ? 0 : ((k + steps - 1) / steps + 3) / 4 * 4;
}

template <class T>
std::int64_t packed_a_size(std::int64_t rows, std::int64_t kc) {
  using Size = Blocking<T>;
  return (rows + Size::rows - 1) / Size::rows * Size::rows * Size::row_step(kc);
}

/// Rows [rows.begin, rows.end) by columns [cols.begin, cols.end) of a product, on this thread.
template <class T, class A, class B>
void multiply_block(const A& a, const B& b, Range rows, Range cols, std::int64_t k,
                    const Result<T>& out) {
  using Size = Blocking<T>;
  const std::int64_t blocks = (rows.size() + Size::block_rows - 1) / Size::block_rows;
  const std::int64_t depth = step_of_k<T>(k);
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
  const std::int64_t a_size = packed_a_size<T>((rows.size() + blocks - 1) / blocks, depth);
  const Scratch<T> scratch(a_size + packed_panels * depth * Size::columns);
  T* const packed_b = scratch.data() + a_size;

  std::int64_t k0 = 0;
  do {
    const std::int64_t kc = std::min(depth, k - k0);
    if (packed > 0) b.pack(cols.end - packed, packed, k0, kc, packed_b);
    for (std::int64_t block = 0; block < blocks; ++block) {
      const Range in_block = part_of(rows.size(), blocks, block);
      multiply_rows<T>(a, Panels<T, B>{b, packed_b, cols.end - packed, k0, kc},
                       Range{rows.begin + in_block.begin, rows.begin + in_block.end}, cols,
                       k0 + kc == k && !out.finish.empty(), out, scratch.data());
    }
    k0 += kc;
  } while (k0 < k);
}

/// How one product is cut into pieces that threads take.
struct Grid {
  std::int64_t rows = 1, columns = 1;
};

/// Work below this is not worth a thread of its own: a quarter of a Mflop, 2 us, where the other
/// thread still polls.
inline constexpr double least_flops = 0.25e6;

/// A piece for each thread, two where they are long, with the least to pack: b in each row of
/// pieces and a, which counts twice, in each column. Every thread packs for itself: one packed b
/// for all of them was up to a fifth slower. Never affects bits.
template <class T>
Grid plan_grid(std::int64_t m, std::int64_t n, std::int64_t k, std::int64_t threads) {
  constexpr std::int64_t most_columns = 2048;  // bounds the memory of packed panels
  const double flops =
      2.0 * static_cast<double>(m) * static_cast<double>(n) * static_cast<double>(k);
  const bool longs = threads > 1 && flops > 1e9 * static_cast<double>(threads);
  const auto wanted = static_cast<std::int64_t>(
      std::clamp(flops / least_flops, 1.0, static_cast<double>(longs ? 2 * threads : threads)));
  const std::int64_t least_columns = (n + most_columns - 1) / most_columns;
  Grid best{1, least_columns};
  double least_packed = std::numeric_limits<double>::infinity();
  for (std::int64_t columns = least_columns; columns <= std::max(wanted, least_columns);
       ++columns) {
    const std::int64_t rows = (wanted + columns - 1) / columns;
    if (rows > m || (columns > least_columns && n / columns < Blocking<T>::width)) continue;
    const auto pieces = static_cast<double>(rows * columns);  // more than wanted are uneven
    double packed = pieces * static_cast<double>(2 * columns * m + rows * n);
    if (rows > 1 && m / rows < 4 * Blocking<T>::rows) packed *= 2;  // low pieces use b too little
    if (packed >= least_packed) continue;
    least_packed = packed;
    best = {rows, columns};
  }
  return best;
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
