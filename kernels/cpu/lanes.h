// Rows in blocks of sixteen lanes, for kernels that reduce along a row. Lane l takes the elements
// l, l + 16, l + 32 ... and the lanes are joined by a fixed tree: the bits of a sum follow from the
// row alone. Blocks are local arrays of constant size, which compilers keep in vector registers;
// the last, shorter block is padded, so that it costs one vector step too.
#pragma once

#include <algorithm>
#include <cstdint>

#include "gradus/kernels/math.h"
#include "gradus/tensor/dtype.h"

namespace gradus::cpu {

inline constexpr int lanes = 16;

/// v[0] + ... + v[15]: halves onto halves.
template <class C>
GRADUS_MATH C join_sum(C (&v)[lanes]) {
  for (int w = lanes / 2; w > 0; w /= 2) {
    for (int l = 0; l < w; ++l) v[l] += v[l + w];
  }
  return v[0];
}

template <class C>
GRADUS_MATH C join_max(C (&v)[lanes]) {
  for (int w = lanes / 2; w > 0; w /= 2) {
    for (int l = 0; l < w; ++l) v[l] = math::max(v[l], v[l + w]);
  }
  return v[0];
}

/// Adds f(0) ... f(n - 1) to the lanes.
template <class C, class F>
GRADUS_MATH void add_lanes(C (&acc)[lanes], std::int64_t n, F f) {
  std::int64_t i = 0;
  for (; i + lanes <= n; i += lanes) {
    for (int l = 0; l < lanes; ++l) acc[l] += f(i + l);
  }
  for (int l = 0; i + l < n; ++l) acc[l] += f(i + l);
}

/// f(0) + ... + f(n - 1).
template <class C, class F>
GRADUS_MATH C sum_row(std::int64_t n, F f) {
  C acc[lanes] = {};
  add_lanes(acc, n, f);
  return join_sum(acc);
}

/// The largest element, NaN if there is one, -inf if there is none.
template <class C, class T>
GRADUS_MATH C max_row(const T* x, std::int64_t n) {
  C m[lanes];
  for (int l = 0; l < lanes; ++l) m[l] = C(-math::kInf);
  std::int64_t i = 0;
  for (; i + lanes <= n; i += lanes) {
    for (int l = 0; l < lanes; ++l) m[l] = math::max(C(x[i + l]), m[l]);
  }
  for (int l = 0; i + l < n; ++l) m[l] = math::max(C(x[i + l]), m[l]);
  return join_max(m);
}

/// Calls f(i, block, used) for every block of a row, its lanes loaded from x; lanes that the last
/// block does not use are 0. All of a block is read before f may write its place: f may work in
/// place.
template <class C, class T, class F>
GRADUS_MATH void for_each_block(const T* x, std::int64_t n, F f) {
  C block[lanes];
  std::int64_t i = 0;
  for (; i + lanes <= n; i += lanes) {
    for (int l = 0; l < lanes; ++l) block[l] = C(x[i + l]);
    f(i, block, lanes);
  }
  const int rest = static_cast<int>(n - i);
  if (rest == 0) return;
  for (int l = 0; l < lanes; ++l) block[l] = l < rest ? C(x[i + l]) : C(0);
  f(i, block, rest);
}

/// y[0 .. used) = block.
template <class T, class C>
GRADUS_MATH void store_block(T* y, const C (&block)[lanes], int used) {
  if (used == lanes) {
    for (int l = 0; l < lanes; ++l) y[l] = T(block[l]);
  } else {
    for (int l = 0; l < used; ++l) y[l] = T(block[l]);
  }
}

/// y[i] = f(x[i]) along a row, in place or not, for an f that is worth a padded last block.
template <class T, class F>
GRADUS_MATH void map_blocks(const T* x, T* y, std::int64_t n, F f) {
  using C = compute_t<T>;
  for_each_block<C>(x, n, [&](std::int64_t i, C(&v)[lanes], int used) {
    for (int l = 0; l < lanes; ++l) v[l] = f(v[l]);
    store_block(y + i, v, used);
  });
}

/// The sum of e^(x - m) over a row: at least 1 where m is the row's maximum.
template <class C, class T>
GRADUS_MATH C sum_exp_row(const T* x, std::int64_t n, C m) {
  C acc[lanes] = {};
  for_each_block<C>(x, n, [&](std::int64_t, C(&v)[lanes], int used) {
    for (int l = 0; l < lanes; ++l) v[l] = math::exp(v[l] - m);
    for (int l = 0; l < lanes; ++l) acc[l] += l < used ? v[l] : C(0);
  });
  return join_sum(acc);
}

}  // namespace gradus::cpu
