// The engine under convolution and its input gradient: y[n, o, i] = sum over (c, taps) of
// w[o, c, tap] x[n, c, i stride + shift(tap)], described by strides alone.
#pragma once

#include <cstdint>

#include "gradus/kernels/cpu/bias_activation.h"
#include "gradus/kernels/cpu/sliding.h"

namespace gradus::cpu {

/// S: the type in memory, T that of the arithmetic. Channels are those of one group; group g begins
/// g * channels later in x and y and g * group_w later in w.
template <class T, class S>
struct Correlation {
  Axis axis[3];  // depth, height, width
  std::int64_t n = 0, groups = 1, in_channels = 0, out_channels = 0;
  const S* x = nullptr;
  Layout x_at;
  const S* w = nullptr;  // element (in, out, tap) at in * w_in + out * w_out + tap
  std::int64_t w_in = 0, w_out = 0, w_group = 0;
  std::int64_t kernel_h = 1, kernel_w = 1;  // tap = (td * kernel_h + th) * kernel_w + tw
  S* y = nullptr;
  Layout y_at;
  BiasActivation<T> finish;  // bias of channel g * out_channels + o
};

/// (T, S): (f32, f32), (f64, f64), (f32, bf16), (f32, f16) by packed products; i32, i64 and u8
/// alone by correlate_integers.cpp.
template <class T, class S>
void correlate(const Correlation<T, S>& c);
template <>
void correlate(const Correlation<std::int32_t, std::int32_t>& c);
template <>
void correlate(const Correlation<std::int64_t, std::int64_t>& c);
template <>
void correlate(const Correlation<std::uint8_t, std::uint8_t>& c);

}  // namespace gradus::cpu
