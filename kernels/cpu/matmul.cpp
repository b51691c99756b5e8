// The micro-kernels, products with one row, and gemm() itself.
#include "gradus/kernels/cpu/gemm.h"
#include "gradus/kernels/cpu/pack.h"
#include "gradus/kernels/cpu/packed_product.h"
#include "gradus/kernels/cpu/simd.h"
#include "gradus/tensor/half.h"

namespace gradus::cpu {
namespace {

template <class T, bool by_row, int vectors, int rows>
void tile(std::int64_t kc, const T* a, std::int64_t a_step, const T* b, std::int64_t b_step, T* c,
          std::int64_t c_row, bool load, int last) {
  using V = Simd<T>;
  constexpr int end = (vectors - 1) * V::width;
  typename V::Vec acc[rows][vectors];
  if (load) {
    GRADUS_UNROLL
    for (int r = 0; r < rows; ++r) {
      T* const row = c + r * c_row;
      if (vectors == 2) acc[r][0] = V::load(row);
      acc[r][vectors - 1] = load_last(row + end, last);
    }
  } else {
    GRADUS_UNROLL
    for (int r = 0; r < rows; ++r) {
      GRADUS_UNROLL
      for (int v = 0; v < vectors; ++v) acc[r][v] = typename V::Vec{};
    }
  }
  // By row, an address is one of three pointers and at most four steps: few registers hold them
  // all.
  const T* fifth[3] = {a, a + 5 * a_step, a + 10 * a_step};
  static_assert(rows <= 15);
  const std::int64_t steps[5] = {0, a_step, 2 * a_step, 3 * a_step, 4 * a_step};
  for (std::int64_t k = 0; k < kc; ++k) {
    typename V::Vec bv[vectors];
    GRADUS_UNROLL
    for (int v = 0; v < vectors; ++v) {
      bv[v] = V::load(b + v * V::width);
      __builtin_prefetch(b + v * V::width + 24 * b_step);
    }
    GRADUS_UNROLL
    for (int r = 0; r < rows; ++r) {
      const T s = by_row ? fifth[r / 5][steps[r % 5]] : a[r];
      GRADUS_UNROLL
      for (int v = 0; v < vectors; ++v) acc[r][v] = V::fma(bv[v], s, acc[r][v]);
    }
    a += a_step;
    for (const T*& row : fifth) ++row;
    b += b_step;
  }
  GRADUS_UNROLL
  for (int r = 0; r < rows; ++r) {
    T* const row = c + r * c_row;
    if (vectors == 2) V::store(row, acc[r][0]);
    store_last(row + end, acc[r][vectors - 1], last);
  }
}

template <class T>
struct Tiles {
  static constexpr int most = Blocking<T>::rows;
  TileFunction<T> f[2][2][most + 1] = {};
  template <int rows = 1>
  constexpr void fill() {
    f[0][0][rows] = tile<T, false, 1, rows>;
    f[0][1][rows] = tile<T, false, 2, rows>;
    f[1][0][rows] = tile<T, true, 1, rows>;
    f[1][1][rows] = tile<T, true, 2, rows>;
    if constexpr (rows < most) fill<rows + 1>();
  }
  constexpr Tiles() { fill(); }
};
template <class T>
constexpr Tiles<T> tiles;

/// c[0..n) of one row times a matrix whose rows are contiguous, n <= vectors * width, the last
/// vector with `last` lanes.
template <class T, int vectors>
void row_by_rows(std::int64_t k, const T* a, std::int64_t a_col, T alpha, const T* b,
                 std::int64_t b_row, T* c, bool load, int last) {
  using V = Simd<T>;
  constexpr int end = (vectors - 1) * V::width;
  typename V::Vec acc[vectors] = {};
  if (load) {
    for (int v = 0; v + 1 < vectors; ++v) acc[v] = V::load(c + v * V::width);
    acc[vectors - 1] = load_first(c + end, last);
  }
  for (std::int64_t i = 0; i < k; ++i, b += b_row) {
    const T s = alpha * a[i * a_col];
    GRADUS_UNROLL
    for (int v = 0; v + 1 < vectors; ++v) acc[v] = V::fma(V::load(b + v * V::width), s, acc[v]);
    acc[vectors - 1] = V::fma(load_last(b + end, last), s, acc[vectors - 1]);
  }
  for (int v = 0; v + 1 < vectors; ++v) V::store(c + v * V::width, acc[v]);
  store_first(c + end, acc[vectors - 1], last);
}

/// c[0..n) of one row times a matrix whose columns are contiguous, for up to 4 units of columns.
template <class T>
void row_by_columns(std::int64_t k, const T* a, std::int64_t a_col, T alpha, const T* b,
                    std::int64_t b_col, T* c, bool load, int n) {
  using Unit = Transpose<T>;
  using V = Simd<T, 32>;
  constexpr int units = 4;
  T begin[units * Unit::rows] = {};
  if (load) std::copy(c, c + n, begin);
  typename V::Vec acc[units];
  const T* column[units * Unit::rows];
  for (int j = 0; j < units * Unit::rows; ++j) column[j] = b + std::min(j, n - 1) * b_col;
  for (int u = 0; u < units; ++u) acc[u] = V::load(begin + u * Unit::rows);
  const int used = (n + Unit::rows - 1) / Unit::rows;
  std::int64_t i = 0;
  for (; i + Unit::columns <= k; i += Unit::columns) {
    T s[Unit::columns];
    for (int x = 0; x < Unit::columns; ++x) s[x] = alpha * a[(i + x) * a_col];
    GRADUS_UNROLL
    for (int u = 0; u < units; ++u) {
      if (u >= used) break;
      typename Unit::Wide out[Unit::columns];
      Unit::load([&](int r) { return column[u * Unit::rows + r] + i; }, out);
      for (int x = 0; x < Unit::columns; ++x) acc[u] = V::fma(out[x], s[x], acc[u]);
    }
  }
  for (; i < k; ++i) {
    const T s = alpha * a[i * a_col];
    for (int u = 0; u < used; ++u) {
      typename V::Vec row;
      for (int r = 0; r < Unit::rows; ++r) row[r] = column[u * Unit::rows + r][i];
      acc[u] = V::fma(row, s, acc[u]);
    }
  }
  for (int u = 0; u < units; ++u) V::store(begin + u * Unit::rows, acc[u]);
  std::copy(begin, begin + n, c);
}

/// One row, on columns [j, j + n).
template <class T>
void one_row(const Gemm<T>& g, const T* a, const T* b, T* c, std::int64_t j, std::int64_t n) {
  constexpr int width = Simd<T>::width;
  const std::int64_t end = j + n;
  while (j < end) {
    const std::int64_t left = end - j;
    const T* const at = b + j * g.b_col;
    std::int64_t done;
    if (g.b_col != 1) {
      done = std::min<std::int64_t>(left, 4 * Transpose<T>::rows);
      row_by_columns(g.k, a, g.a_col, g.alpha, at, g.b_col, c + j, g.add, static_cast<int>(done));
    } else if (left > 7 * width) {
      done = std::min<std::int64_t>(left, 8 * width);
      row_by_rows<T, 8>(g.k, a, g.a_col, g.alpha, at, g.b_row, c + j, g.add,
                        static_cast<int>(done - 7 * width));
    } else {
      done = std::min<std::int64_t>(left, 2 * width);
      const int last = static_cast<int>(done > width ? done - width : done);
      (done > width ? row_by_rows<T, 2> : row_by_rows<T, 1>)(g.k, a, g.a_col, g.alpha, at, g.b_row,
                                                             c + j, g.add, last);
    }
    if (!g.finish.empty()) apply_bias_activation(g.finish, c + j, 0, 0, j, 1, done);
    j += done;
  }
}

template <class T>
void one_row(const Gemm<T>& g) {
  // A piece reads (k, piece) of b, so that bandwidth rather than arithmetic decides its size.
  const std::int64_t unit = 8 * Simd<T>::width;
  const std::int64_t grain =
      std::max<std::int64_t>(1, 65536 / (unit * std::max<std::int64_t>(g.k, 1)));
  const std::int64_t per_item = (g.n + grain * unit - 1) / (grain * unit);
  const std::int64_t together =
      std::max<std::int64_t>(1, grain * unit / std::max<std::int64_t>(g.n, 1));
  parallel_for(g.batch.count() * per_item, together, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t t = begin; t < end; ++t) {
      const std::int64_t j = t % per_item * grain * unit;
      const auto [a, b, c] = g.batch.offsets(t / per_item);
      one_row(g, g.a + a, g.b + b, g.c + c, j, std::min(grain * unit, g.n - j));
    }
  });
}

}  // namespace

template <class T>
TileFunction<T> tile_function(bool by_row, int vectors, int rows) {
  return tiles<T>.f[by_row][vectors - 1][rows];
}
template TileFunction<float> tile_function<float>(bool, int, int);
template TileFunction<double> tile_function<double>(bool, int, int);

template <class T, class S>
void gemm(const Gemm<T, S>& g) {
  if (g.m <= 0 || g.n <= 0 || g.batch.count() <= 0) return;
  if constexpr (std::is_same_v<T, S>) {
    if (g.m == 1 && (g.b_col == 1 || g.b_row == 1)) return one_row(g);
  }
  const std::int64_t batch = g.batch.count();
  const auto multiply = [&](std::int64_t item, auto how) {
    const auto [a, b, c] = g.batch.offsets(item);
    how(PackA<T, S>(g.a + a, g.a_row, g.a_col, g.alpha), PackB<T, S>{g.b + b, g.b_row, g.b_col},
        Result<T>{g.c + c, g.c_row, g.add, g.finish});
  };
  for_each_block<T>(batch, g.m, g.n, g.k, [&](std::int64_t item, Range rows, Range columns) {
    multiply(item, [&](const auto& a, const auto& b, const Result<T>& out) {
      multiply_block(a, b, rows, columns, g.k, out);
    });
  });
}
template void gemm(const Gemm<float>&);
template void gemm(const Gemm<double>&);
template void gemm(const Gemm<float, bf16>&);
template void gemm(const Gemm<float, f16>&);

}  // namespace gradus::cpu
