// The packers of strided matrices for packed_product.h: S in memory, T in the panels.
#pragma once

#include <algorithm>
#include <cstdint>
#include <numeric>
#include <type_traits>

#include "gradus/kernels/cpu/micro_kernel.h"
#include "gradus/kernels/cpu/packed_product.h"
#include "gradus/kernels/cpu/simd.h"

namespace gradus::cpu {

/// alpha a: (m, k) at any strides.
template <class T, class S>
struct PackA {
  const S* a;
  std::int64_t row, col;
  T alpha;
  bool by_row;  // a panel keeps the direction in which memory runs

  PackA(const S* a_, std::int64_t row_, std::int64_t col_, T alpha_)
      : a(a_), row(row_), col(col_), alpha(alpha_), by_row(row_ != 1) {}

  /// Rows that run along k and lie in different sets of the L1 cache.
  bool direct() const {
    const std::int64_t bytes = row * std::int64_t{sizeof(T)};
    return std::is_same_v<T, S> && col == 1 && by_row && alpha == T(1) &&
           (bytes % 64 != 0 || std::gcd(bytes / 64, std::int64_t{64}) <= 8);
  }
  std::int64_t step() const { return row; }
  const T* at(std::int64_t i, std::int64_t k) const {
    return reinterpret_cast<const T*>(a + i * row + k);
  }

  void pack(Range rows, std::int64_t groups, std::int64_t k0, std::int64_t kc, T* to) const {
    const S* const from = a + rows.begin * row + k0 * col;
    if (!by_row) return pack_along_rows(from, rows.size(), groups, kc, to);
    const std::int64_t step = Blocking<T>::row_step(kc);
    for (std::int64_t g = 0; g < groups; ++g, to += Blocking<T>::rows * step) {
      const Range group = part_of(rows.size(), groups, g);
      for (std::int64_t r = group.begin; r < group.end; ++r)
        pack_row(from + r * row, kc, to + (r - group.begin) * step);
    }
  }

  void pack_row(const S* from, std::int64_t kc, T* to) const {
    if (col == 1) {
      for (std::int64_t k = 0; k < kc; ++k) to[k] = alpha * static_cast<T>(from[k]);
    } else {
      for (std::int64_t k = 0; k < kc; ++k) to[k] = alpha * static_cast<T>(from[k * col]);
    }
  }

  /// Where memory runs along the rows: all panels of a step of k together, so that each line of the
  /// cache is read once.
  void pack_along_rows(const S* from, std::int64_t rows, std::int64_t groups, std::int64_t kc,
                       T* to) const {
    const std::int64_t panel = Blocking<T>::rows * Blocking<T>::row_step(kc);
    const std::int64_t size = rows / groups, larger = rows % groups;  // as part_of() cuts them
    for (std::int64_t k = 0; k < kc; ++k, from += col, to += Blocking<T>::rows) {
      const S* at = from;
      for (std::int64_t g = 0; g < groups; ++g) {
        const int n = static_cast<int>(size + (g < larger));
        pack_step(at, n, to + g * panel);
        at += n;
      }
    }
  }

  /// One step of k of one panel, by vectors; what is written past `rows` is the next step's, or
  /// room after the panel.
  void pack_step(const S* from, int rows, T* to) const {
    if constexpr (std::is_same_v<T, S>) {
      using V = Simd<T>;
      for (int r = 0; r < rows; r += V::width)
        V::store(to + r, load_first(from + r, std::min(V::width, rows - r)) * alpha);
    } else {
      for (int r = 0; r < rows; ++r) to[r] = alpha * static_cast<T>(from[r]);
    }
  }
};

/// b: (k, n) at any strides.
template <class T, class S>
struct PackB {
  const S* b;
  std::int64_t row, col;

  bool direct() const { return std::is_same_v<T, S> && col == 1; }
  std::int64_t step() const { return row; }
  const T* at(std::int64_t k, std::int64_t j) const {
    return reinterpret_cast<const T*>(b + k * row + j);
  }

  void pack(std::int64_t j, std::int64_t columns, std::int64_t k0, std::int64_t kc, T* to) const {
    constexpr int full = Blocking<T>::columns;
    const S* from = b + k0 * row + j * col;
    if (std::is_same_v<T, S> && col == 1) {
      // Several panels at a time: long pieces of a row, as the memory system likes them.
      for (; columns >= 8 * full; columns -= 8 * full, from += 8 * full, to += 8 * full * kc) {
        copy_full_panels(from, 8, kc, to);
      }
      for (; columns >= full; columns -= full, from += full, to += full * kc) {
        copy_full_panels(from, 1, kc, to);
      }
    }
    for (; columns > 0; columns -= full, from += full * col, to += full * kc) {
      const int w = static_cast<int>(std::min<std::int64_t>(columns, full));
      pack_panel(from, w, kc, to, panel_width<T>(w));
    }
  }

  void copy_full_panels(const S* from, int panels, std::int64_t kc, T* to) const {
    using V = Simd<T>;
    constexpr int full = Blocking<T>::columns;
    for (std::int64_t k = 0; k < kc; ++k, from += row, to += full) {
      for (int p = 0; p < panels; ++p) {
        const T* const source = reinterpret_cast<const T*>(from) + p * full;
        T* const target = to + p * full * kc;
        V::store(target, V::load(source));
        V::store(target + V::width, V::load(source + V::width));
      }
    }
  }

  void pack_panel(const S* from, int columns, std::int64_t kc, T* to, int width) const {
    if (row == 1 && col != 1) return transpose(from, columns, kc, to, width);
    for (std::int64_t k = 0; k < kc; ++k, from += row, to += width) {
      if (std::is_same_v<T, S> && col == 1) {
        using V = Simd<T>;
        const T* const source = reinterpret_cast<const T*>(from);
        const int first = std::min(columns, V::width);
        V::store(to, load_first(source, first));
        if (width > V::width)
          V::store(to + V::width, load_first(source + V::width, columns - first));
      } else {
        for (int c = 0; c < width; ++c) to[c] = c < columns ? static_cast<T>(from[c * col]) : T(0);
      }
    }
  }

  /// Columns whose elements lie one after another along k. Columns that do not exist repeat the
  /// last one: what they give is never stored.
  void transpose(const S* from, int columns, std::int64_t kc, T* to, int width) const {
    using Unit = Transpose<T>;
    constexpr std::int64_t strip = 64;
    T converted[std::is_same_v<T, S> ? 1 : Unit::rows * strip];
    for (int c = 0; c < width; c += Unit::rows) {
      for (std::int64_t k0 = 0; k0 < kc; k0 += strip) {
        const std::int64_t kn = std::min(strip, kc - k0);
        const T* rows[Unit::rows];
        for (int r = 0; r < Unit::rows; ++r) {
          const S* source = from + std::min(c + r, columns - 1) * col + k0;
          if constexpr (std::is_same_v<T, S>) {
            rows[r] = source;
          } else {
            for (std::int64_t k = 0; k < kn; ++k) {
              converted[r * strip + k] = static_cast<T>(source[k]);
            }
            rows[r] = converted + r * strip;
          }
        }
        T* panel = to + k0 * width + c;
        std::int64_t k = 0;
        for (; k + Unit::columns <= kn; k += Unit::columns) {
          typename Unit::Wide out[Unit::columns];
          Unit::load([&](int r) { return rows[r] + k; }, out);
          for (int u = 0; u < Unit::columns; ++u) {
            Simd<T, 32>::store(panel + (k + u) * width, out[u]);
          }
        }
        for (; k < kn; ++k) {
          for (int r = 0; r < Unit::rows; ++r) panel[k * width + r] = rows[r][k];
        }
      }
    }
  }
};

}  // namespace gradus::cpu
