// A kernel that slides over an input: where its taps lie, and the padded copy of the input that
// makes every read a plain one. Shared by convolution and its gradients.
#pragma once

#include <algorithm>
#include <cstdint>
#include <type_traits>

#include "gradus/kernels/cpu/scratch.h"

namespace gradus::cpu {

/// One spatial dimension. Output i, tap t reads input i * stride + shift(t), or zero outside.
/// A gradient of the input with stride s is s interleaved correlations, hence begin and step.
struct Axis {
  std::int64_t inputs = 1, outputs = 1;
  std::int64_t begin = 0, step = 1;  // output i is element begin + i * step of the result
  std::int64_t stride = 1;
  std::int64_t taps = 1, first_shift = 0, shift_step = 1;
  std::int64_t first_tap = 0, tap_step = 1;  // tap t is element first_tap + t * tap_step of w

  std::int64_t shift(std::int64_t t) const { return first_shift + t * shift_step; }
  std::int64_t tap(std::int64_t t) const { return first_tap + t * tap_step; }
  std::int64_t low() const { return taps == 0 ? 0 : std::min(shift(0), shift(taps - 1)); }
  std::int64_t high() const { return taps == 0 ? 0 : std::max(shift(0), shift(taps - 1)); }
  /// No tap of any output reads outside the input.
  bool inside() const { return low() >= 0 && (outputs - 1) * stride + high() < inputs; }
};

/// Five strides in elements: batch, channel, depth, height, width.
struct Layout {
  std::int64_t n = 0, c = 0, d = 0, h = 0, w = 0;
};

/// The padded copy: plane c holds, for every tap of depth, the input rows that a band of output
/// rows reads, each split by column modulo stride, so that neighbouring outputs read neighbouring
/// elements whatever the stride.
struct Band {
  std::int64_t rows, columns, phases, pitch, slice, plane;

  Band(const Axis* axis, std::int64_t output_rows) {
    const Axis &h = axis[1], &w = axis[2];
    rows = (output_rows - 1) * h.stride + h.high() - h.low() + 1;
    columns = w.outputs + (w.high() - w.low()) / w.stride;
    phases = w.taps > 1 && w.shift_step % w.stride != 0 ? w.stride : 1;
    pitch = phases * columns;
    slice = rows * pitch;
    plane = axis[0].taps * slice;
  }

  /// Where tap (td, th, tw) of output (row 0 of the band, column 0) lies in a plane.
  std::int64_t offset(const Axis* axis, std::int64_t td, std::int64_t th, std::int64_t tw) const {
    const std::int64_t u = axis[2].shift(tw) - axis[2].low();
    return td * slice + (axis[1].shift(th) - axis[1].low()) * pitch + u % axis[2].stride * columns +
           u / axis[2].stride;
  }
};

/// One row of the padded copy: to[i] = from[(first + i * stride) * step], zero outside [0, size).
template <class T, class S>
void pad_row(const S* from, std::int64_t step, std::int64_t size, std::int64_t first,
             std::int64_t stride, std::int64_t n, T* to) {
  const std::int64_t zeros = first >= 0 ? 0 : std::min(n, (-first + stride - 1) / stride);
  const std::int64_t end = std::clamp((size - first + stride - 1) / stride, zeros, n);
  for (std::int64_t i = 0; i < zeros; ++i) to[i] = T(0);
  const S* const source = from + (first + zeros * stride) * step;
  const std::int64_t inside = end - zeros;
  if (stride * step == 1) {
    for (std::int64_t i = 0; i < inside; ++i) to[zeros + i] = static_cast<T>(source[i]);
  } else {
    for (std::int64_t i = 0; i < inside; ++i) {
      to[zeros + i] = static_cast<T>(source[i * stride * step]);
    }
  }
  for (std::int64_t i = end; i < n; ++i) to[i] = T(0);
}

/// Fills `channels` planes for output rows [row, row + ...) at depth `depth`; x points at the first
/// channel of the image.
template <class T, class S>
void fill_band(const Band& band, const Axis* axis, const S* x, const Layout& at,
               std::int64_t channels, std::int64_t depth, std::int64_t row, T* to) {
  const Axis &d = axis[0], &h = axis[1], &w = axis[2];
  for (std::int64_t c = 0; c < channels; ++c, x += at.c) {
    for (std::int64_t t = 0; t < d.taps; ++t) {
      const std::int64_t z = depth * d.stride + d.shift(t);
      for (std::int64_t r = 0; r < band.rows; ++r, to += band.pitch) {
        const std::int64_t y = row * h.stride + h.low() + r;
        if (z < 0 || z >= d.inputs || y < 0 || y >= h.inputs) {
          std::fill(to, to + band.pitch, T(0));
          continue;
        }
        for (std::int64_t f = 0; f < band.phases; ++f) {
          pad_row(x + z * at.d + y * at.h, at.w, w.inputs, w.low() + f, w.stride, band.columns,
                  to + f * band.columns);
        }
      }
    }
  }
}

/// How a kernel reads the input: in place where no tap leaves it and rows have unit step, else from
/// a Band of it. Either way tap k = (c, td, th, tw) of output (row, column) of a band is element
/// offset(k) + row * row_step() + column of base().
template <class T, class S>
class Window {
 public:
  Window(const Axis* axis, const Layout& at, std::int64_t channels, std::int64_t band_rows)
      : axis_(axis),
        at_(at),
        band_(axis, band_rows),
        in_place_(std::is_same_v<T, S> && axis[2].stride == 1 && at.w == 1 && axis[0].inside() &&
                  axis[1].inside() && axis[2].inside()),
        taps_(axis[0].taps * axis[1].taps * axis[2].taps),
        offsets_(channels * taps_) {
    std::int64_t* to = offsets_.data();
    for (std::int64_t c = 0; c < channels; ++c) {
      for (std::int64_t d = 0; d < axis[0].taps; ++d) {
        for (std::int64_t h = 0; h < axis[1].taps; ++h) {
          for (std::int64_t w = 0; w < axis[2].taps; ++w) {
            *to++ = in_place_ ? c * at.c + axis[0].shift(d) * at.d + axis[1].shift(h) * at.h +
                                    axis[2].shift(w)
                              : c * band_.plane + band_.offset(axis, d, h, w);
          }
        }
      }
    }
  }
  std::int64_t taps() const { return taps_; }
  const std::int64_t* offsets() const { return offsets_.data(); }
  std::int64_t row_step() const { return axis_[1].stride * (in_place_ ? at_.h : band_.pitch); }
  /// Elements that base() needs for a copy of so many channels.
  std::int64_t copy_size(std::int64_t channels) const {
    return in_place_ ? 0 : channels * band_.plane;
  }
  /// The band that begins at output `row` of `depth`, of `channels` channels from x on; `copy` has
  /// copy_size() elements.
  const T* base(const S* x, std::int64_t channels, std::int64_t depth, std::int64_t row,
                T* copy) const {
    if (in_place_) {
      return reinterpret_cast<const T*>(x) + depth * axis_[0].stride * at_.d +
             row * axis_[1].stride * at_.h;
    }
    fill_band(band_, axis_, x, at_, channels, depth, row, copy);
    return copy;
  }

 private:
  const Axis* axis_;
  Layout at_;
  Band band_;
  bool in_place_;
  std::int64_t taps_;
  Scratch<std::int64_t> offsets_;
};

}  // namespace gradus::cpu
