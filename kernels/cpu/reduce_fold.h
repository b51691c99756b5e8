// The fixed tree of a reduction over r of x[outer][r][inner], row-major.
//
// r is cut into pieces of 4096. In a piece, if inner is 1, lane l of 32 takes r = l, l + 32, ...
// and the lanes are joined by halves; else blocks of 128 rows are chains, one after another, for
// many columns at once. Pieces are joined as a binary tree. Errors grow with 128, not with r.
#pragma once

#include <algorithm>

#include "gradus/kernels/create.h"
#include "gradus/kernels/fold.h"
#include "gradus/tensor/parallel.h"
#include "gradus/tensor/tensor.h"

namespace gradus::cpu::fold {

using namespace gradus::fold;

/// x, row-major and in a type that reductions are compiled for: half types as f32, i32 as i64,
/// booleans as u8.
inline Tensor prepared(const Tensor& x) {
  switch (x.dtype()) {
    case Dtype::bf16:
    case Dtype::f16: return as_contiguous(as_dtype(x, Dtype::f32));
    case Dtype::i32: return as_contiguous(as_dtype(x, Dtype::i64));
    case Dtype::boolean: return as_contiguous(as_dtype(x, Dtype::u8));
    default: return as_contiguous(x);
  }
}
template <class F>
void visit_prepared(const Tensor& x, F&& f) {
  switch (x.dtype()) {
    case Dtype::f32: return f.template operator()<float>();
    case Dtype::f64: return f.template operator()<double>();
    case Dtype::i64: return f.template operator()<std::int64_t>();
    case Dtype::u8: return f.template operator()<std::uint8_t>();
    default: raise(ErrorKind::internal, {"reduce: dtype ", x.dtype()});
  }
}

inline constexpr std::int64_t panel = 64;  // columns at once

/// One contiguous run of at most `piece` elements.
template <class Op, class T>
[[gnu::noinline]] T run(const T* x, std::int64_t n) {
  if (n < lane_count) {
    T a = n > 0 ? x[0] : Op::template start<T>();
    for (std::int64_t i = 1; i < n; ++i) a = Op::join(a, x[i]);
    return a;
  }
  T lanes[lane_count];
  for (int l = 0; l < lane_count; ++l) lanes[l] = x[l];
  std::int64_t i = lane_count;
  for (; i + lane_count <= n; i += lane_count) {
    for (int l = 0; l < lane_count; ++l) lanes[l] = Op::join(lanes[l], x[i + l]);
  }
  for (int l = 0; i + l < n; ++l) lanes[l] = Op::join(lanes[l], x[i + l]);
  for (int half = lane_count / 2; half > 0; half /= 2) {
    for (int l = 0; l < half; ++l) lanes[l] = Op::join(lanes[l], lanes[l + half]);
  }
  return lanes[0];
}

/// `width` columns of at most `piece` rows, `stride` elements apart.
template <class Op, class T>
[[gnu::noinline]] void columns(const T* x, std::int64_t rows, std::int64_t stride,
                               std::int64_t width, T* y) {
  for (std::int64_t from = 0; from < width; from += panel) {
    const std::int64_t w = std::min(panel, width - from);
    const auto chain = [&](std::int64_t begin, std::int64_t end, T* acc) {
      const T* row = x + begin * stride + from;
      for (std::int64_t j = 0; j < w; ++j) acc[j] = row[j];
      for (std::int64_t r = begin + 1; r < end; ++r) {
        row += stride;
        for (std::int64_t j = 0; j < w; ++j) acc[j] = Op::join(acc[j], row[j]);
      }
    };
    T total[panel], block[panel];
    chain(0, std::min(rows, block_rows), total);
    for (std::int64_t r = block_rows; r < rows; r += block_rows) {
      chain(r, std::min(rows, r + block_rows), block);
      for (std::int64_t j = 0; j < w; ++j) total[j] = Op::join(total[j], block[j]);
    }
    std::copy_n(total, w, y + from);
  }
}

/// y[outer][inner] of x[outer][n][inner].
template <class Op, class T>
void fold(const T* x, std::int64_t outer, std::int64_t n, std::int64_t inner, T* y) {
  if (n == 0) {
    std::fill_n(y, outer * inner, Op::template start<T>());
    return;
  }
  if (outer * inner == 0) return;
  const std::int64_t pieces = (n - 1) / piece + 1;
  Tensor scratch;  // one result of each piece, where there are several
  T* parts = y;
  if (pieces > 1) {
    scratch = empty({outer * pieces * inner}, {dtype_of<T>});
    parts = scratch.data<T>();
  }
  const auto fold_piece = [&](std::int64_t k) {
    const std::int64_t o = k / pieces, begin = k % pieces * piece;
    const std::int64_t m = std::min(piece, n - begin);
    const T* from = x + (o * n + begin) * inner;
    if (inner == 1)
      parts[k] = run<Op>(from, m);
    else
      columns<Op>(from, m, inner, inner, parts + k * inner);
  };
  const std::int64_t work = std::min(piece, n) * inner;
  parallel_for(outer * pieces, std::max<std::int64_t>(1, pointwise_grain / work),
               [&](std::int64_t begin, std::int64_t end) {
                 for (std::int64_t k = begin; k < end; ++k) fold_piece(k);
               });
  if (pieces == 1) return;
  for (std::int64_t o = 0; o < outer; ++o) {
    T* p = parts + o * pieces * inner;
    for (std::int64_t step = 1; step < pieces; step *= 2) {
      for (std::int64_t k = 0; k + step < pieces; k += 2 * step) {
        for (std::int64_t j = 0; j < inner; ++j) {
          p[k * inner + j] = Op::join(p[k * inner + j], p[(k + step) * inner + j]);
        }
      }
    }
    std::copy_n(p, inner, y + o * inner);
  }
}

}  // namespace gradus::cpu::fold
