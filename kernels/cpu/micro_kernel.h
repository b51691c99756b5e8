// The innermost part of every product: a tile of c held in registers while k runs. Compiled in
// matmul.cpp alone, called by pointer.
#pragma once

#include <cstdint>

#include "gradus/kernels/cpu/simd.h"

namespace gradus::cpu {

/// Sizes of the blocking. A tile is `rows` x `columns`: its accumulators, two vectors of b and one
/// element of a fill the registers. `depth` of k keeps a panel of b (depth x columns) in the L1
/// cache; `block_rows` rows of a packed stay in the L2 cache.
template <class T>
struct Blocking {
  static constexpr int width = Simd<T>::width;
  static constexpr int rows = vector_registers < 32 ? 6 : sizeof(T) == 4 ? 14 : 8;
  static constexpr int columns = 2 * width;
  static constexpr int depth = sizeof(T) == 4 ? 256 : 128;
  static constexpr int block_rows = 8 * rows;

  /// From one row of a packed panel of a to the next, where `kc` elements of each are in use: an
  /// odd number of lines, so that rows begin at different sets of the cache.
  static constexpr std::int64_t row_step(std::int64_t kc) {
    constexpr std::int64_t line = 64 / sizeof(T);
    return ((kc / line + 1) | 1) * line;
  }
};

/// c += a b for a tile of up to `columns` columns, over kc steps of k.
///   a   element (r, k) at r * a_step + k (by row) or k * a_step + r (by column); packed panels
///       have an a_step of row_step(kc) or rows
///   b   row k at b + k * b_step
///   load: begin at c, else at 0;  last: valid lanes of the last vector of a row of c
template <class T>
using TileFunction = void (*)(std::int64_t kc, const T* a, std::int64_t a_step, const T* b,
                              std::int64_t b_step, T* c, std::int64_t c_row, bool load, int last);

/// The kernel for 1 <= rows <= Blocking<T>::rows and 1 or 2 vectors of columns.
template <class T>
TileFunction<T> tile_function(bool by_row, int vectors, int rows);

}  // namespace gradus::cpu
