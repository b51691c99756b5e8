// Gradients of products of a row, a chain each, for a thread of the CPU or of a GPU. No division:
// zeros are fine.
#pragma once

#include <cstdint>

#include "gradus/tensor/dtype.h"

namespace gradus {

/// d[i] = dy times the product of all v but v[i]: products from the left, stored, times those from
/// the right.
template <class T>
GRADUS_HD inline void prod_gradient(const T* v, compute_t<T> dy, std::int64_t n, T* d) {
  using C = compute_t<T>;
  C left = 1, right = 1;
  for (std::int64_t i = 0; i < n; ++i) {
    d[i] = T(left);
    left *= C(v[i]);
  }
  for (std::int64_t i = n - 1; i >= 0; --i) {
    d[i] = T(dy * (C(d[i]) * right));
    right *= C(v[i]);
  }
}

/// Of running products: with P[i] = v[0..i-1] and S[i] = dy[i] + v[i+1] S[i+1], d[i] = P[i] S[i].
template <class T>
GRADUS_HD inline void cumulative_prod_gradient(const T* v, const T* dy, std::int64_t n, T* d) {
  using C = compute_t<T>;
  C before = 1, after = 0;
  for (std::int64_t i = 0; i < n; ++i) {
    d[i] = T(before);
    before *= C(v[i]);
  }
  for (std::int64_t i = n - 1; i >= 0; --i) {
    after = C(dy[i]) + (i + 1 < n ? C(v[i + 1]) * after : C(0));
    d[i] = T(C(d[i]) * after);
  }
}

}  // namespace gradus
