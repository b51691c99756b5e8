// Walks N tensors line by line along one dimension, several lines side by side where they are
// neighbours in memory. Lines are independent: they are what threads share out.
#pragma once

#include <algorithm>

#include "gradus/tensor/parallel.h"
#include "gradus/tensor/tensor.h"

namespace gradus::cpu {

/// Calls f(offsets, width) for every bundle of `width` lines along `dim` of `shape`. Lines of a
/// bundle follow each other along the last dimension (if `dim` is the last, width is 1); offsets
/// (elements) are where the first begins in each tensor.
template <int N, class F>
void for_each_line(const Shape& shape, int dim, const Tensor* const (&t)[N], F&& f) {
  constexpr std::int64_t bundle = 64;
  const int last = shape.size() - 1;
  const std::int64_t side_by_side = dim == last ? 1 : shape[last];
  const std::int64_t bundles = (side_by_side + bundle - 1) / bundle;
  std::int64_t others = bundles;  // everything but `dim` and, in bundles, the last dimension
  for (int d = 0; d < last; ++d) others *= d == dim ? 1 : shape[d];
  if (shape.numel() == 0) return;
  const std::int64_t work = shape[dim] * std::min(bundle, side_by_side);
  parallel_for(others, 1 + pointwise_grain / 4 / work, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t k = begin; k < end; ++k) {
      const std::int64_t from = k % bundles * bundle;
      std::int64_t offsets[N] = {}, rest = k / bundles;
      if (dim != last) {
        for (int i = 0; i < N; ++i) offsets[i] = from * t[i]->strides()[last];
      }
      for (int d = last - 1; d >= 0; --d) {
        if (d == dim) continue;
        for (int i = 0; i < N; ++i) offsets[i] += rest % shape[d] * t[i]->strides()[d];
        rest /= shape[d];
      }
      f(offsets, std::min(bundle, side_by_side - from));
    }
  });
}

/// Calls f with an unsigned type as wide as `dtype`, for code that moves elements only.
template <class F>
decltype(auto) visit_width(Dtype dtype, F&& f) {
  switch (size_of(dtype)) {
    case 1: return f.template operator()<std::uint8_t>();
    case 2: return f.template operator()<std::uint16_t>();
    case 4: return f.template operator()<std::uint32_t>();
    default: return f.template operator()<std::uint64_t>();
  }
}

}  // namespace gradus::cpu
