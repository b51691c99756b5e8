// Reductions along a row. Lane l of sixteen takes the elements l, l + 16, l + 32 ... and the lanes
// are joined by a fixed tree: the bits of a sum follow from the row alone.
//
// A row is worked on in chunks that lie in a local array, in the type of the arithmetic and padded
// to a multiple of sixteen: plain loops over a chunk vectorise, and the end of a row costs one more
// vector step instead of up to fifteen single ones.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>

#include "gradus/kernels/math.h"
#include "gradus/tensor/dtype.h"

namespace gradus::cpu {

inline constexpr int lanes = 16, row_chunk = 256;

/// Sixteen running sums or maxima, in vectors of this processor's width.
template <class C>
class Lanes {
 public:
  explicit Lanes(C value = 0) {
    for (int p = 0; p < parts; ++p) v_[p] = value - Vector{};
  }
  /// lane l += v[l] + v[l + 16] + ...; n is a multiple of 16.
  GRADUS_MATH void add(const C* v, int n) {
    for (int i = 0; i < n; i += lanes) {
      for (int p = 0; p < parts; ++p) v_[p] += load(v + i, p);
    }
  }
  /// The largest instead of the sum; NaN if there is one.
  GRADUS_MATH void max(const C* v, int n) {
    for (int i = 0; i < n; i += lanes) {
      for (int p = 0; p < parts; ++p) {
        const Vector x = load(v + i, p);
        v_[p] = (x > v_[p]) | (x != x) ? x : v_[p];
      }
    }
  }
  GRADUS_MATH C sum() const {
    return join([](C a, C b) { return a + b; });
  }
  GRADUS_MATH C max() const {
    return join([](C a, C b) { return math::max(a, b); });
  }

 private:
#if defined(__AVX512F__)
  static constexpr int bytes = 64;
#elif defined(__AVX__)
  static constexpr int bytes = 32;
#else
  static constexpr int bytes = 16;
#endif
  typedef C Vector __attribute__((vector_size(bytes)));
  static constexpr int width = bytes / static_cast<int>(sizeof(C)), parts = lanes / width;

  static GRADUS_MATH Vector load(const C* v, int part) {
    Vector x;
    std::memcpy(&x, v + part * width, sizeof(x));
    return x;
  }
  // Halves onto halves.
  template <class F>
  GRADUS_MATH C join(F f) const {
    C all[lanes];
    std::memcpy(all, v_, sizeof(all));
    return fold(all, f);
  }
  template <int n, class F>
  static GRADUS_MATH C fold(const C (&v)[n], F f) {
    if constexpr (n == 1) {
      return v[0];
    } else {
      C half[n / 2];
      for (int l = 0; l < n / 2; ++l) half[l] = f(v[l], v[l + n / 2]);
      return fold(half, f);
    }
  }
  Vector v_[parts];
};

/// Calls f(i, chunk, used, padded) for every chunk of [0, n): its elements are load(i), the padding
/// behind the used ones is `padding`.
template <class C, class Load, class F>
GRADUS_MATH void for_each_chunk(std::int64_t n, C padding, Load load, F f) {
  alignas(64) C v[row_chunk];
  for (std::int64_t i = 0; i < n; i += row_chunk) {
    const int used = static_cast<int>(std::min<std::int64_t>(row_chunk, n - i));
    const int padded = (used + lanes - 1) & -lanes;
    for (int j = 0; j < used; ++j) v[j] = load(i + j);
    for (int j = used; j < padded; ++j) v[j] = padding;
    f(i, v, used, padded);
  }
}

/// f(0) + ... + f(n - 1).
template <class C, class F>
GRADUS_MATH C sum_row(std::int64_t n, F f) {
  Lanes<C> acc;
  for_each_chunk(n, C(0), f,
                 [&](std::int64_t, const C* v, int, int padded) { acc.add(v, padded); });
  return acc.sum();
}

/// The largest element, NaN if there is one, -inf if there is none.
template <class C, class T>
GRADUS_MATH C max_row(const T* x, std::int64_t n) {
  const C least(-math::kInf);
  Lanes<C> acc(least);
  for_each_chunk(
      n, least, [=](std::int64_t i) { return C(x[i]); },
      [&](std::int64_t, const C* v, int, int padded) { acc.max(v, padded); });
  return acc.max();
}

/// The sum of e^(x - m) over a row; calls each(i, chunk, used) with the summands.
template <class C, class T, class F>
GRADUS_MATH C sum_exp_row(const T* x, std::int64_t n, C m, F each) {
  Lanes<C> acc;
  for_each_chunk(
      n, C(0), [=](std::int64_t i) { return C(x[i]); },
      [&](std::int64_t i, C* v, int used, int padded) {
        for (int j = 0; j < padded; ++j) v[j] = math::exp(v[j] - m);
        each(i, static_cast<const C*>(v), used);
        for (int j = used; j < padded; ++j) v[j] = 0;
        acc.add(v, padded);
      });
  return acc.sum();
}
template <class C, class T>
GRADUS_MATH C sum_exp_row(const T* x, std::int64_t n, C m) {
  return sum_exp_row(x, n, m, [](std::int64_t, const C*, int) {});
}

/// y[i] = g(i, f(x[i])) along a row, in place or not, for an f that is worth a padded last vector.
template <class T, class F, class G>
GRADUS_MATH void map_row(const T* x, T* y, std::int64_t n, F f, G g) {
  using C = compute_t<T>;
  for_each_chunk(
      n, C(0), [=](std::int64_t i) { return C(x[i]); },
      [&](std::int64_t i, C* v, int used, int padded) {
        for (int j = 0; j < padded; ++j) v[j] = f(v[j]);
        for (int j = 0; j < used; ++j) y[i + j] = T(g(i + j, v[j]));
      });
}
template <class T, class F>
GRADUS_MATH void map_row(const T* x, T* y, std::int64_t n, F f) {
  map_row(x, y, n, f, [](std::int64_t, compute_t<T> v) { return v; });
}

}  // namespace gradus::cpu
