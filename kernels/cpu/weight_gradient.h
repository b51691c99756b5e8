// The engine under the gradients of a convolution's weights and bias, described by strides alone.
#pragma once

#include <cstdint>

#include "gradus/kernels/cpu/sliding.h"

namespace gradus::cpu {

/// dw[o, c, tap] (+)= alpha sum over (n, i) of dy[n, o, i] x[n, c, i stride + shift(tap)], the
/// chain over n, then i in row order. Channels are those of one group; S in memory, T in
/// arithmetic.
template <class T, class S>
struct WeightGradient {
  Axis axis[3];
  std::int64_t n = 0, groups = 1, in_channels = 0, out_channels = 0;
  const S* x = nullptr;
  Layout x_at;
  const S* dy = nullptr;
  Layout dy_at;
  S* dw = nullptr;  // (groups * out_channels, in_channels, taps), row-major
  bool add = false;
  T alpha = 1;
};

template <class T, class S>
void weight_gradient(const WeightGradient<T, S>& g);

/// db[o] (+)= alpha sum over (n, i) of dy[n, o, i], the same chain. axis: outputs only.
template <class T, class S>
void bias_gradient(const WeightGradient<T, S>& g, S* db);

}  // namespace gradus::cpu
