// Images in memory: row-major (N, C, H, W), or channels last. Ops that know both bring their inputs
// into one of them with these, and give back what they got.
#pragma once

#include "gradus/kernels/create.h"
#include "gradus/tensor/views.h"

namespace gradus {

/// `t` as (N, C, H, W): (N, C, L) and, for `batched` false, tensors without N get what is missing.
/// `sides` is 2 for images and 1 for sequences. Not recorded.
inline Tensor as_images(const Tensor& t, int sides, bool batched) {
  const Tensor n = batched ? t : views::unsqueeze(t, 0);
  return sides == 2 ? n : views::unsqueeze(n, 2);
}

/// True if (N, C, H, W) lies densely as (N, H, W, C) and not also row-major.
inline bool is_channels_last(const Tensor& t) {
  if (t.is_contiguous()) return false;
  const Shape& n = t.shape();
  const Strides& s = t.strides();
  const std::int64_t c = n[1];
  return s[1] == 1 && (n[3] == 1 || s[3] == c) && (n[2] == 1 || s[2] == n[3] * c) &&
         (n[0] == 1 || s[0] == n[2] * n[3] * c);
}

/// The strides of a dense channels-last block, for (N, C, H, W), (C, H, W), (N, C, L) or (C, L).
inline Strides channels_last_strides(const Shape& shape, bool batched) {
  Strides strides = contiguous_strides(shape);
  const int at = batched ? 1 : 0;
  for (int i = at + 1; i < shape.size(); ++i) strides[i] *= shape[at];
  strides[at] = 1;
  return strides;
}

/// A new tensor in one of the two orders; the strides of an image shape.
inline Tensor empty_images(const Shape& shape, TensorOptions options, bool channels_last,
                           bool batched = true) {
  if (!channels_last) return empty(shape, options);
  return empty_strided(shape, channels_last_strides(shape, batched), options);
}

/// Uninitialised, of shape (N, C, H, W), in x's memory format: channels-last in, channels-last out.
inline Tensor empty_images_like(const Tensor& x, const Shape& shape) {
  const bool channels_last = x.dim() == 4 && !x.is_contiguous() && x.strides()[1] == 1;
  return empty_images(shape, x.options(), channels_last);
}

/// (N, C, H, W) in the order asked for; a copy unless it lies so.
inline Tensor in_order(const Tensor& t, bool channels_last) {
  if (!channels_last) return as_contiguous(t);
  if (is_channels_last(t)) return t;
  const Tensor y = empty_images(t.shape(), t.options(), true);
  copy_into(t, y);
  return y;
}

}  // namespace gradus
