// Vectors of the compiler's own kind, as wide as this processor's registers, for kernels whose data
// flow is laid out by hand. Plain loops need none of this: the compiler vectorises them.
#pragma once

#include <cmath>
#include <cstring>

#if defined(__AVX__)
#include <immintrin.h>
#endif

namespace gradus::cpu {

#if defined(__AVX512F__)
inline constexpr int vector_bytes = 64, vector_registers = 32;
#elif defined(__AVX__)
inline constexpr int vector_bytes = 32, vector_registers = 16;
#elif defined(__aarch64__)
inline constexpr int vector_bytes = 16, vector_registers = 32;
#else
inline constexpr int vector_bytes = 16, vector_registers = 16;
#endif

#if defined(__clang__)
#define GRADUS_UNROLL _Pragma("clang loop unroll(full)")
#else
#define GRADUS_UNROLL _Pragma("GCC unroll 64")
#endif
#define GRADUS_INLINE inline __attribute__((always_inline))

template <class T, int bytes = vector_bytes>
struct Simd {
  static constexpr int width = bytes / static_cast<int>(sizeof(T));
  typedef T Vec __attribute__((vector_size(bytes)));
  typedef T Loose __attribute__((vector_size(bytes), aligned(alignof(T)), may_alias));

  static GRADUS_INLINE Vec load(const T* p) { return *reinterpret_cast<const Loose*>(p); }
  static GRADUS_INLINE void store(T* p, Vec v) { *reinterpret_cast<Loose*>(p) = v; }

  /// acc + a * s, rounded once. Written out, for what a compiler contracts depends on its options.
  static GRADUS_INLINE Vec fma(Vec a, T s, Vec acc) {
#if defined(__AVX512F__)
    if constexpr (bytes == 64 && sizeof(T) == 4) return _mm512_fmadd_ps(a, _mm512_set1_ps(s), acc);
    if constexpr (bytes == 64 && sizeof(T) == 8) return _mm512_fmadd_pd(a, _mm512_set1_pd(s), acc);
#endif
#if defined(__FMA__)
    if constexpr (bytes == 32 && sizeof(T) == 4) return _mm256_fmadd_ps(a, _mm256_set1_ps(s), acc);
    if constexpr (bytes == 32 && sizeof(T) == 8) return _mm256_fmadd_pd(a, _mm256_set1_pd(s), acc);
#endif
    for (int i = 0; i < width; ++i) acc[i] = std::fma(a[i], s, acc[i]);
    return acc;
  }
};

#if defined(__AVX__) && !defined(__AVX512F__)
/// The mask whose first n lanes are set, for n in [0, lanes].
template <class Int>
GRADUS_INLINE __m256i first_lanes(int n) {
  constexpr int lanes = 32 / sizeof(Int);
  alignas(64) static constexpr auto table = [] {
    struct {
      Int v[2 * lanes];
    } t{};
    for (int i = 0; i < lanes; ++i) t.v[i] = -1;
    return t;
  }();
  return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(table.v + lanes - n));
}
#endif

/// The first n elements at p, 0 <= n <= width; the other lanes are 0. Nothing behind them is read.
template <class T>
GRADUS_INLINE typename Simd<T>::Vec load_first(const T* p, int n) {
#if defined(__AVX512F__)
  if constexpr (sizeof(T) == 4) {
    return _mm512_maskz_loadu_ps(static_cast<__mmask16>((1u << n) - 1), p);
  } else {
    return _mm512_maskz_loadu_pd(static_cast<__mmask8>((1u << n) - 1), p);
  }
#elif defined(__AVX__)
  if constexpr (sizeof(T) == 4) {
    return _mm256_maskload_ps(p, first_lanes<int>(n));
  } else {
    return _mm256_maskload_pd(p, first_lanes<long long>(n));
  }
#else
  typename Simd<T>::Vec v{};
  std::memcpy(&v, p, sizeof(T) * static_cast<unsigned>(n));
  return v;
#endif
}

/// Writes the first n lanes, 0 <= n <= width, and nothing else.
template <class T>
GRADUS_INLINE void store_first(T* p, typename Simd<T>::Vec v, int n) {
#if defined(__AVX512F__)
  if constexpr (sizeof(T) == 4) {
    _mm512_mask_storeu_ps(p, static_cast<__mmask16>((1u << n) - 1), v);
  } else {
    _mm512_mask_storeu_pd(p, static_cast<__mmask8>((1u << n) - 1), v);
  }
#elif defined(__AVX__)
  if constexpr (sizeof(T) == 4) {
    _mm256_maskstore_ps(p, first_lanes<int>(n), v);
  } else {
    _mm256_maskstore_pd(p, first_lanes<long long>(n), v);
  }
#else
  std::memcpy(p, &v, sizeof(T) * static_cast<unsigned>(n));
#endif
}

/// The same for an n that is mostly the full width: masks cost nothing with AVX-512, else a branch
/// is cheaper.
template <class T>
GRADUS_INLINE typename Simd<T>::Vec load_last(const T* p, int n) {
  return vector_bytes < 64 && n == Simd<T>::width ? Simd<T>::load(p) : load_first(p, n);
}
template <class T>
GRADUS_INLINE void store_last(T* p, typename Simd<T>::Vec v, int n) {
  if (vector_bytes < 64 && n == Simd<T>::width) {
    Simd<T>::store(p, v);
  } else {
    store_first(p, v, n);
  }
}

/// Transposes `rows` rows of 4 (f32) or 2 (f64) columns in registers: in[r] holds row r in its
/// lower and row r + in_count in its upper half; out[c] receives column c. The unit of every
/// packing of data that runs along k: 256-bit shuffles, which most processors do two a cycle.
template <class T>
struct Transpose {
  static constexpr int rows = 32 / static_cast<int>(sizeof(T));
  static constexpr int columns = rows / 2;
  using Half = typename Simd<T, 16>::Vec;
  using Wide = typename Simd<T, 32>::Vec;

  /// Row j begins at p + j * stride.
  template <class RowPointer>
  static GRADUS_INLINE void load(RowPointer row, Wide (&out)[columns]) {
    Wide in[columns];
    GRADUS_UNROLL
    for (int r = 0; r < columns; ++r) {
      const Half low = Simd<T, 16>::load(row(r)), high = Simd<T, 16>::load(row(r + columns));
      if constexpr (columns == 4) {
        in[r] = __builtin_shufflevector(low, high, 0, 1, 2, 3, 4, 5, 6, 7);
      } else {
        in[r] = __builtin_shufflevector(low, high, 0, 1, 2, 3);
      }
    }
    if constexpr (columns == 4) {
      const Wide a = __builtin_shufflevector(in[0], in[1], 0, 8, 1, 9, 4, 12, 5, 13);
      const Wide b = __builtin_shufflevector(in[0], in[1], 2, 10, 3, 11, 6, 14, 7, 15);
      const Wide c = __builtin_shufflevector(in[2], in[3], 0, 8, 1, 9, 4, 12, 5, 13);
      const Wide d = __builtin_shufflevector(in[2], in[3], 2, 10, 3, 11, 6, 14, 7, 15);
      out[0] = __builtin_shufflevector(a, c, 0, 1, 8, 9, 4, 5, 12, 13);
      out[1] = __builtin_shufflevector(a, c, 2, 3, 10, 11, 6, 7, 14, 15);
      out[2] = __builtin_shufflevector(b, d, 0, 1, 8, 9, 4, 5, 12, 13);
      out[3] = __builtin_shufflevector(b, d, 2, 3, 10, 11, 6, 7, 14, 15);
    } else {
      out[0] = __builtin_shufflevector(in[0], in[1], 0, 4, 2, 6);
      out[1] = __builtin_shufflevector(in[0], in[1], 1, 5, 3, 7);
    }
  }
};

}  // namespace gradus::cpu
