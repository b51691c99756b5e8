#include "gradus/kernels/embedding.h"

#include <algorithm>
#include <cstring>

#include "gradus/kernels/cpu/scratch.h"
#include "gradus/tensor/parallel.h"

namespace gradus::cpu {
namespace {

/// Half types: the rows that are touched are summed in float, each from what the table holds, and
/// rounded once. `first` and `next` chain the places of equal indices, in order.
template <class T>
void backward_half(const std::int64_t* index, std::int64_t n, std::int64_t d, const T* dy,
                   std::int64_t padding, float alpha, std::int64_t rows, T* to) {
  const Scratch<std::int64_t> places(rows + n);
  std::int64_t *first = places.data(), *next = first + rows;
  std::fill_n(first, rows, std::int64_t{-1});
  for (std::int64_t i = n - 1; i >= 0; --i) {
    next[i] = first[index[i]];
    first[index[i]] = i;
  }
  parallel_for(rows, std::max<std::int64_t>(1, pointwise_grain / 4 / std::max<std::int64_t>(1, d)),
               [=](std::int64_t begin, std::int64_t end) {
                 for (std::int64_t r = begin; r < end; ++r) {
                   if (first[r] < 0 || r == padding) continue;
                   for (std::int64_t c = 0; c < d; ++c) {
                     float sum = float(to[r * d + c]);
                     for (std::int64_t i = first[r]; i >= 0; i = next[i]) {
                       sum += alpha * float(dy[i * d + c]);
                     }
                     to[r * d + c] = T(sum);
                   }
                 }
               });
}

}  // namespace

void embedding(const Tensor& weight, const Tensor& indices, const Tensor& y) {
  const std::int64_t rows = weight.shape()[0], n = indices.numel();
  const std::size_t bytes = static_cast<std::size_t>(weight.shape()[1]) * size_of(weight.dtype());
  const std::int64_t* index = indices.data<std::int64_t>();
  const char* from = static_cast<const char*>(weight.data());
  char* to = static_cast<char*>(y.data());
  const auto grain = static_cast<std::int64_t>(4 * pointwise_grain / (bytes + 16)) + 1;
  parallel_for(n, grain, [=](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      check(index[i] >= 0 && index[i] < rows, ErrorKind::argument, "embedding: index ", index[i],
            " at place ", i, " is out of range for a table of ", rows, " rows");
      if (bytes > 0) {
        std::memcpy(to + static_cast<std::size_t>(i) * bytes,
                    from + static_cast<std::size_t>(index[i]) * bytes, bytes);
      }
    }
  });
}

void embedding_backward(const Tensor& indices, const Tensor& dy, std::int64_t padding_index,
                        double alpha, const Tensor& dweight) {
  const std::int64_t n = indices.numel(), d = dweight.shape()[1];
  const std::int64_t* index = indices.data<std::int64_t>();
  visit_floating(dweight.dtype(), "embedding", [&]<class T> {
    using C = compute_t<T>;
    const T* from = static_cast<const T*>(dy.data());
    T* to = static_cast<T*>(dweight.data());
    const C a = static_cast<C>(alpha);
    if constexpr (!std::is_same_v<T, C>) {
      backward_half(index, n, d, from, padding_index, a, dweight.shape()[0], to);
    } else {
      // Threads take columns, so that each element is summed by one of them.
      const std::int64_t width = std::max<std::int64_t>(16, pointwise_grain / (n + 1));
      parallel_for(d, width, [=](std::int64_t begin, std::int64_t end) {
        for (std::int64_t i = 0; i < n; ++i) {
          if (index[i] == padding_index) continue;
          T* row = to + index[i] * d;
          const T* g = from + i * d;
          for (std::int64_t c = begin; c < end; ++c) row[c] += a * g[c];
        }
      });
    }
  });
}

}  // namespace gradus::cpu
