// Matrix multiplication on raw pointers: c = alpha a b (+ c), any strides, batched, with bias and
// activation fused. The engine under matmul, linear, attention and (by its parts) convolution.
//
// Every element of c is one chain of fused multiply-adds over ascending k that begins at what c
// holds (add) or at 0. Its bits therefore depend neither on threads, nor on blocking, nor on how
// rows, columns or the batch are split over calls; and k split over two calls, the second with
// `add`, gives the bits of one call.
#pragma once

#include <cstdint>

#include "gradus/kernels/cpu/bias_activation.h"

namespace gradus::cpu {

/// Up to seven dimensions of equal products, the last one running fastest.
struct Batch {
  struct Offsets {
    std::int64_t a, b, c;
  };
  int dims = 0;
  std::int64_t size[7], a[7], b[7], c[7];

  void add(std::int64_t n, std::int64_t step_a, std::int64_t step_b, std::int64_t step_c) {
    size[dims] = n, a[dims] = step_a, b[dims] = step_b, c[dims] = step_c;
    ++dims;
  }
  std::int64_t count() const {
    std::int64_t n = 1;
    for (int d = 0; d < dims; ++d) n *= size[d];
    return n;
  }
  Offsets offsets(std::int64_t item) const {
    Offsets at{0, 0, 0};
    for (int d = dims - 1; d >= 0; --d) {
      const std::int64_t i = item % size[d];
      item /= size[d];
      at.a += i * a[d], at.b += i * b[d], at.c += i * c[d];
    }
    return at;
  }
};

/// One product, or a batch of them. All strides count elements; 0 repeats, and
/// negative ones are fine. T is the type of the arithmetic and of c, S that of a and b: (f32, f32),
/// (f64, f64), (f32, bf16), (f32, f16).
template <class T, class S = T>
struct Gemm {
  std::int64_t m = 0, n = 0, k = 0;
  const S* a = nullptr;  // (m, k)
  std::int64_t a_row = 0, a_col = 1;
  const S* b = nullptr;  // (k, n)
  std::int64_t b_row = 0, b_col = 1;
  T* c = nullptr;  // (m, n), columns contiguous
  std::int64_t c_row = 0;
  Batch batch;
  T alpha = 1;                 // rounded into a once, before the chain
  bool add = false;            // begin at c instead of 0
  BiasActivation<T> finish{};  // y = act(acc + bias), after the chain
};

/// c must not overlap a or b.
template <class T, class S>
void gemm(const Gemm<T, S>& g);

}  // namespace gradus::cpu
