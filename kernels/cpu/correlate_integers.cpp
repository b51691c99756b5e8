// correlate() for integers: the sum of correlate.h as it stands there, element by element. It is
// exact, so its order is free, and it wraps as the hardware does.
#include <algorithm>

#include "gradus/kernels/cpu/correlate.h"
#include "gradus/tensor/dtype.h"
#include "gradus/tensor/parallel.h"

namespace gradus::cpu {
namespace {

/// Calls f(input, tap of w) for the taps of output i that read inside the input.
template <class F>
void for_taps(const Axis& a, std::int64_t i, F f) {
  for (std::int64_t t = 0; t < a.taps; ++t) {
    const std::int64_t at = i * a.stride + a.shift(t);
    if (at >= 0 && at < a.inputs) f(at, a.tap(t));
  }
}

/// Output (d, h, v) of the image at x with the filter at w.
template <class T>
std::make_unsigned_t<T> element(const Correlation<T, T>& g, const T* x, const T* w, std::int64_t d,
                                std::int64_t h, std::int64_t v) {
  using U = std::make_unsigned_t<T>;
  U sum = 0;
  for_taps(g.axis[0], d, [&](std::int64_t in_d, std::int64_t td) {
    for_taps(g.axis[1], h, [&](std::int64_t in_h, std::int64_t th) {
      for_taps(g.axis[2], v, [&](std::int64_t in_w, std::int64_t tw) {
        const T* from = x + in_d * g.x_at.d + in_h * g.x_at.h + in_w * g.x_at.w;
        const T* factor = w + (td * g.kernel_h + th) * g.kernel_w + tw;
        for (std::int64_t c = 0; c < g.in_channels; ++c) {
          sum = static_cast<U>(sum + static_cast<U>(from[c * g.x_at.c]) *
                                         static_cast<U>(factor[c * g.w_in]));
        }
      });
    });
  });
  return sum;
}

template <class T>
void correlate_integers(const Correlation<T, T>& g) {
  using U = std::make_unsigned_t<T>;
  check(g.finish.activation == Activation::none, ErrorKind::dtype,
        "conv: an activation needs a floating dtype, got ", dtype_of<T>);
  const Axis& depth = g.axis[0];
  const Axis& height = g.axis[1];
  const Axis& width = g.axis[2];
  const auto place = [](const Axis& a, std::int64_t i) { return a.begin + i * a.step; };
  const std::int64_t channels = g.groups * g.out_channels, rows = depth.outputs * height.outputs;
  const std::int64_t taps = depth.taps * height.taps * width.taps;
  const std::int64_t work = std::max<std::int64_t>(1, width.outputs * g.in_channels * taps);
  parallel_for(
      g.n * channels * rows, 1 + pointwise_grain / work, [&](std::int64_t row, std::int64_t end) {
        for (; row < end; ++row) {
          const std::int64_t d = row % rows / height.outputs, h = row % height.outputs;
          const std::int64_t channel = row / rows % channels, n = row / rows / channels;
          const std::int64_t group = channel / g.out_channels, o = channel % g.out_channels;
          const T* x = g.x + n * g.x_at.n + group * g.in_channels * g.x_at.c;
          const T* w = g.w + group * g.w_group + o * g.w_out;
          T* y = g.y + n * g.y_at.n + channel * g.y_at.c + place(depth, d) * g.y_at.d +
                 place(height, h) * g.y_at.h;
          const U bias = g.finish.bias == nullptr ? U(0) : static_cast<U>(g.finish.bias[channel]);
          for (std::int64_t v = 0; v < width.outputs; ++v) {
            const U sum = element(g, x, w, d, h, v);
            y[place(width, v) * g.y_at.w] = static_cast<T>(static_cast<U>(sum + bias));
          }
        }
      });
}

}  // namespace

template <>
void correlate(const Correlation<std::int32_t, std::int32_t>& g) {
  correlate_integers(g);
}
template <>
void correlate(const Correlation<std::int64_t, std::int64_t>& g) {
  correlate_integers(g);
}
template <>
void correlate(const Correlation<std::uint8_t, std::uint8_t>& g) {
  correlate_integers(g);
}

}  // namespace gradus::cpu
