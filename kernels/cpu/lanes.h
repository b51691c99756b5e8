// Reductions along a row. Lane l of sixteen takes the elements l, l + 16, l + 32 ... and the lanes
// are joined by a fixed tree: the bits of a sum follow from the row alone.
//
// A row is worked on in chunks that lie in a local array, in the type of the arithmetic and padded
// to a multiple of sixteen: plain loops over a chunk vectorise, and the end of a row costs one more
// vector step instead of up to fifteen single ones.
#pragma once

#include <algorithm>
#include <cstdint>

#include "gradus/kernels/cpu/simd.h"
#include "gradus/kernels/math.h"
#include "gradus/tensor/dtype.h"

namespace gradus::cpu {

inline constexpr int lanes = 16, row_chunk = 256;

/// Sixteen running sums or maxima, in vectors of this processor's width.
template <class C>
class Lanes {
  using V = Simd<C>;
  static constexpr int parts = lanes / V::width;

 public:
  GRADUS_INLINE explicit Lanes(C value = 0) {
    for (int p = 0; p < parts; ++p) v_[p] = value - typename V::Vec{};
  }
  /// lane l += v[l] + v[l + 16] + ...; n is a multiple of 16.
  GRADUS_INLINE void add(const C* v, int n) {
    for (int i = 0; i < n; i += lanes) {
      GRADUS_UNROLL
      for (int p = 0; p < parts; ++p) v_[p] += V::load(v + i + p * V::width);
    }
  }
  /// The largest instead of the sum; NaN if there is one.
  GRADUS_INLINE void max(const C* v, int n) {
    for (int i = 0; i < n; i += lanes) {
      GRADUS_UNROLL
      for (int p = 0; p < parts; ++p) {
        const typename V::Vec x = V::load(v + i + p * V::width);
        v_[p] = (x > v_[p]) | (x != x) ? x : v_[p];
      }
    }
  }
  GRADUS_INLINE C sum() const {
    return join([](C a, C b) { return a + b; });
  }
  GRADUS_INLINE C max() const {
    return join([](C a, C b) { return math::max(a, b); });
  }

 private:
  // Halves onto halves.
  template <class F>
  GRADUS_INLINE C join(F f) const {
    C all[lanes];
    for (int p = 0; p < parts; ++p) V::store(all + p * V::width, v_[p]);
    return fold(all, f);
  }
  template <int n, class F>
  static GRADUS_INLINE C fold(const C (&v)[n], F f) {
    if constexpr (n == 1) {
      return v[0];
    } else {
      C half[n / 2];
      for (int l = 0; l < n / 2; ++l) half[l] = f(v[l], v[l + n / 2]);
      return fold(half, f);
    }
  }
  typename V::Vec v_[parts];
};

/// Copies `used` elements of x to v, in the type of the arithmetic, and fills v to a multiple of
/// 16, which it returns.
template <class C, class T>
GRADUS_INLINE int load_chunk(const T* x, int used, C padding, C* v) {
  const int padded = (used + lanes - 1) & -lanes;
  if constexpr (std::is_same_v<T, C>) {  // whole vectors: reading back a partly written one stalls
    constexpr int width = Simd<C>::width;
    typename Simd<C>::Vec place;
    for (int l = 0; l < width; ++l) place[l] = C(l);
    for (int j = 0; j < padded; j += width) {
      const int left = used - j;
      if (left >= width) {
        Simd<C>::store(v + j, Simd<C>::load(x + j));
      } else {
        const auto last = load_first(x + j, left > 0 ? left : 0);
        Simd<C>::store(v + j, place < C(left) ? last : padding - typename Simd<C>::Vec{});
      }
    }
  } else {
    for (int j = 0; j < used; ++j) v[j] = C(x[j]);
    for (int j = used; j < padded; ++j) v[j] = padding;
  }
  return padded;
}

/// Calls f(i, chunk, used, padded) for every chunk of x[0, n): used elements, then padding.
template <class C, class T, class F>
GRADUS_INLINE void for_each_chunk(const T* x, std::int64_t n, C padding, F f) {
  alignas(64) C v[row_chunk];
  for (std::int64_t i = 0; i < n; i += row_chunk) {
    const int used = static_cast<int>(std::min<std::int64_t>(row_chunk, n - i));
    f(i, v, used, load_chunk(x + i, used, padding, v));
  }
}

/// f(0) + ... + f(n - 1).
template <class C, class F>
GRADUS_INLINE C sum_row(std::int64_t n, F f) {
  Lanes<C> acc;
  alignas(64) C v[row_chunk];
  for (std::int64_t i = 0; i < n; i += row_chunk) {
    const int used = static_cast<int>(std::min<std::int64_t>(row_chunk, n - i));
    const int padded = (used + lanes - 1) & -lanes;
    for (int j = 0; j < used; ++j) v[j] = f(i + j);
    for (int j = used; j < padded; ++j) v[j] = 0;
    acc.add(v, padded);
  }
  return acc.sum();
}

/// x[0] + ... + x[n - 1].
template <class C, class T>
GRADUS_INLINE C sum_row(const T* x, std::int64_t n) {
  Lanes<C> acc;
  for_each_chunk(x, n, C(0),
                 [&](std::int64_t, const C* v, int, int padded) { acc.add(v, padded); });
  return acc.sum();
}

/// The largest element, NaN if there is one, -inf if there is none.
template <class C, class T>
GRADUS_INLINE C max_row(const T* x, std::int64_t n) {
  const C least(-math::kInf);
  Lanes<C> acc(least);
  for_each_chunk(x, n, least,
                 [&](std::int64_t, const C* v, int, int padded) { acc.max(v, padded); });
  return acc.max();
}

/// The sum of e^(x - m) over a row; calls each(i, chunk, used) with the summands.
template <class C, class T, class F>
GRADUS_INLINE C sum_exp_row(const T* x, std::int64_t n, C m, F each) {
  Lanes<C> acc;
  // Padding of -inf adds nothing, but where m is -inf too: there the sum is NaN as it must be.
  for_each_chunk(x, n, C(-math::kInf), [&](std::int64_t i, C* v, int used, int padded) {
    for (int j = 0; j < padded; ++j) v[j] = math::exp(v[j] - m);
    each(i, static_cast<const C*>(v), used);
    acc.add(v, padded);
  });
  return acc.sum();
}
template <class C, class T>
GRADUS_INLINE C sum_exp_row(const T* x, std::int64_t n, C m) {
  return sum_exp_row(x, n, m, [](std::int64_t, const C*, int) {});
}

/// y[i] = g(i, f(x[i])) along a row, in place or not, for an f that is worth a padded last vector.
template <class T, class F, class G>
GRADUS_INLINE void map_row(const T* x, T* y, std::int64_t n, F f, G g) {
  using C = compute_t<T>;
  for_each_chunk(x, n, C(0), [&](std::int64_t i, C* v, int used, int padded) {
    for (int j = 0; j < padded; ++j) v[j] = f(v[j]);
    for (int j = 0; j < used; ++j) y[i + j] = T(g(i + j, v[j]));
  });
}
template <class T, class F>
GRADUS_INLINE void map_row(const T* x, T* y, std::int64_t n, F f) {
  map_row(x, y, n, f, [](std::int64_t, compute_t<T> v) { return v; });
}

}  // namespace gradus::cpu
