// The dimensions of a reduction, joined: kept and reduced groups in turn.
#pragma once

#include "gradus/tensor/tensor.h"

namespace gradus {

struct ReduceGroups {
  int n = 0;
  std::int64_t sizes[Shape::max_dims];
  bool reduced[Shape::max_dims];

  ReduceGroups(const Tensor& x, const Tensor& y) {
    for (int i = 0; i < x.dim(); ++i) {
      const std::int64_t size = x.shape()[i];
      if (size == 1) continue;
      const bool away = y.shape()[i] == 1;
      if (n > 0 && reduced[n - 1] == away) {
        sizes[n - 1] *= size;
      } else {
        sizes[n] = size;
        reduced[n++] = away;
      }
    }
  }
  bool nothing_to_do() const {
    for (int i = 0; i < n; ++i) {
      if (reduced[i]) return false;
    }
    return true;
  }
  std::int64_t product(int from, int to) const {
    std::int64_t p = 1;
    for (int i = from; i < to; ++i) p *= sizes[i];
    return p;
  }
};

/// `t`, row-major, seen as `shape`.
inline Tensor shown_as(const Tensor& t, const Shape& shape) {
  return t.shape() == shape ? t : as_view(t, shape, contiguous_strides(shape), t.raw()->offset);
}

}  // namespace gradus
