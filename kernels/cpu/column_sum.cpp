#include "gradus/kernels/column_sum.h"

#include <algorithm>

#include "gradus/kernels/create.h"
#include "gradus/tensor/parallel.h"

namespace gradus::cpu {
namespace {

constexpr std::int64_t strip = 256;  // columns whose sums stay in registers and the nearest cache

/// Columns [j, j + w) of row-major x, added to acc in row order.
template <class T, class C>
void add_rows(const T* x, std::int64_t rows, std::int64_t row_stride, std::int64_t j,
              std::int64_t w, C alpha, C* acc) {
  for (std::int64_t i = 0; i < rows; ++i) {
    const T* row = x + i * row_stride + j;
    if (alpha == 1) {
      for (std::int64_t c = 0; c < w; ++c) acc[c] += C(row[c]);
    } else {
      for (std::int64_t c = 0; c < w; ++c) acc[c] += alpha * C(row[c]);
    }
  }
}

}  // namespace

void column_sum(const Tensor& x, const Tensor& y, bool add, double alpha) {
  const Tensor rows = x.strides()[1] == 1 ? x : as_contiguous(x);
  const std::int64_t n = x.size(0), m = x.size(1);
  visit_floating(x.dtype(), "column_sum", [&]<class T> {
    using C = compute_t<T>;
    const T* from = static_cast<const T*>(rows.data());
    const auto into = [&]<class Y>(Y* to) {
      // Threads share the columns, never the rows: each sum is one chain.
      parallel_for((m + strip - 1) / strip,
                   std::max<std::int64_t>(1, pointwise_grain / (n * strip + 1)),
                   [&](std::int64_t begin, std::int64_t end) {
                     for (std::int64_t s = begin; s < end; ++s) {
                       const std::int64_t j = s * strip, w = std::min(strip, m - j);
                       C acc[strip];
                       for (std::int64_t c = 0; c < w; ++c) acc[c] = add ? C(to[j + c]) : C(0);
                       add_rows(from, n, rows.strides()[0], j, w, C(alpha), acc);
                       for (std::int64_t c = 0; c < w; ++c) to[j + c] = Y(acc[c]);
                     }
                   });
    };
    if (y.dtype() == x.dtype())
      into(static_cast<T*>(y.data()));
    else
      into(y.data<C>());
  });
}

}  // namespace gradus::cpu
