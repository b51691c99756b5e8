// What a matrix product or a convolution does to its result while it is still in the cache.
#pragma once

#include <cstdint>

#include "gradus/kernels/activation.h"

namespace gradus::cpu {

/// y = act(y + bias). The bias belongs to columns, or to rows (channels of an NCHW convolution).
template <class T>
struct BiasActivation {
  const T* bias = nullptr;
  bool bias_per_row = false;
  Activation activation = Activation::none;
  bool empty() const { return bias == nullptr && activation == Activation::none; }
};

/// Applies it to rows [i, i + m) and columns [j, j + n) of a result; y points at element (i, j).
/// The activations are those of the pointwise ops, bit for bit.
template <class T>
void apply_bias_activation(const BiasActivation<T>& e, T* y, std::int64_t y_row, std::int64_t i,
                           std::int64_t j, std::int64_t m, std::int64_t n);

}  // namespace gradus::cpu
