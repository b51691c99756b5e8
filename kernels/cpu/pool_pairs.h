// The most common pooling by hand: maxima of 2 x 2 tiles of row-major images. Neighbouring columns
// are taken apart in registers, and rows of any width go by whole vectors, the last one masked.
#pragma once

#include <cstring>
#include <utility>

#include "gradus/kernels/cpu/pool_walk.h"
#include "gradus/kernels/cpu/simd.h"

namespace gradus::cpu {

/// Vectors of one width: floats, integers as wide, bytes.
template <class T>
struct PairLanes {
  static constexpr int width = Simd<T>::width;
  using Int = std::conditional_t<sizeof(T) == 8, std::int64_t, std::int32_t>;
  using Vec = typename Simd<T>::Vec;
  using Which = typename Simd<Int>::Vec;
  typedef std::uint8_t Bytes __attribute__((vector_size(width)));
  using Places = std::make_integer_sequence<int, width>;

  /// Every second element of (a, b), from `first` on.
  template <int first, int... i>
  static GRADUS_INLINE Vec every_second(Vec a, Vec b, std::integer_sequence<int, i...>) {
    return __builtin_shufflevector(a, b, (2 * i + first)...);
  }
  /// a0 b0 a1 b1 ... of the lower (from 0) or upper (from width / 2) halves.
  template <int from, int... i>
  static GRADUS_INLINE Vec interleave(Vec a, Vec b, std::integer_sequence<int, i...>) {
    return __builtin_shufflevector(a, b, (from + i / 2 + (i % 2) * width)...);
  }
  /// The first 2 n elements at p as n even and n odd ones.
  static GRADUS_INLINE void load(const T* p, int n, Vec& even, Vec& odd) {
    const Vec a = load_first(p, std::min(width, 2 * n));
    const Vec b = load_first(p + width, std::max(0, 2 * n - width));
    even = every_second<0>(a, b, Places());
    odd = every_second<1>(a, b, Places());
  }
};

/// The first n <= 16 bytes of `from`, by two moves that may overlap.
inline void store_bytes(std::uint8_t* to, const std::uint8_t* from, int n) {
  if (n >= 8) {
    std::memcpy(to, from, 8);
    std::memcpy(to + n - 8, from + n - 8, 8);
  } else if (n >= 4) {
    std::memcpy(to, from, 4);
    std::memcpy(to + n - 4, from + n - 4, 4);
  } else {
    for (int i = 0; i < n; ++i) to[i] = from[i];
  }
}

/// y and, if not null, the index of max_pool2d.
template <class T>
void forward_pairs(const PoolPlan& plan, const T* x, T* y, std::uint8_t* index) {
  using L = PairLanes<T>;
  const PoolSide &h = plan.h, &w = plan.w;
  parallel_for(plan.outer * h.out, plan.row_grain(), [=](std::int64_t begin, std::int64_t end) {
    for (std::int64_t row = begin; row < end; ++row) {
      const T* top = x + (row / h.out * h.in + row % h.out * 2) * w.in;
      for (std::int64_t j = 0; j < w.out; j += L::width) {
        const int n = static_cast<int>(std::min<std::int64_t>(L::width, w.out - j));
        typename L::Vec tap[4];
        L::load(top + 2 * j, n, tap[0], tap[1]);
        L::load(top + w.in + 2 * j, n, tap[2], tap[3]);
        typename L::Vec best = tap[0];
        typename L::Which which{};
        for (int k = 1; k < 4; ++k) {
          const auto better = (tap[k] > best) | (tap[k] != tap[k]);
          best = better ? tap[k] : best;
          which = better ? typename L::Int(k) - typename L::Which{} : which;
        }
        store_first(y + row * w.out + j, best, n);
        if (index == nullptr) continue;
        const auto bytes = __builtin_convertvector(which, typename L::Bytes);
        std::uint8_t buffer[16] = {};  // what store_bytes may read, as the compiler sees it
        std::memcpy(buffer, &bytes, sizeof(bytes));
        store_bytes(index + row * w.out + j, buffer, n);
      }
    }
  });
}

/// One row of dx: to[2 j + b] = d[j] where which[j] is k + b, else 0, for j < n. `readable`
/// elements lie at `which`.
template <class T, class Index>
inline void spread_pairs(const T* d, const Index* which, std::int64_t readable, std::int64_t k,
                         std::int64_t n, T* to) {
  if constexpr (std::is_same_v<T, compute_t<T>> && std::is_same_v<Index, std::uint8_t>) {
    using L = PairLanes<T>;
    for (std::int64_t j = 0; j < n; j += L::width) {
      const int m = static_cast<int>(std::min<std::int64_t>(L::width, n - j));
      typename L::Bytes bytes{};
      std::memcpy(&bytes, which + j,
                  static_cast<std::size_t>(readable - j < L::width ? m : L::width));
      const auto at = __builtin_convertvector(bytes, typename L::Which);
      const typename L::Vec v = load_first(d + j, m), zero{};
      const auto tap = static_cast<typename L::Int>(k);
      const typename L::Vec even = at == tap ? v : zero, odd = at == tap + 1 ? v : zero;
      store_first(to + 2 * j, L::template interleave<0>(even, odd, typename L::Places()),
                  std::min(L::width, 2 * m));
      store_first(to + 2 * j + L::width,
                  L::template interleave<L::width / 2>(even, odd, typename L::Places()),
                  std::max(0, 2 * m - L::width));
    }
  } else {
    for (std::int64_t j = 0; j < n; ++j) {
      to[2 * j] = which[j] == k ? d[j] : T(0.0f);
      to[2 * j + 1] = which[j] == k + 1 ? d[j] : T(0.0f);
    }
  }
}

}  // namespace gradus::cpu
