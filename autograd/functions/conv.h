// Public functions: convolution. Integers (x, w and bias of one dtype) are convolved on the CPU, by
// sums that wrap; they have no gradient.
#pragma once

#include "gradus/autograd/functions/pair.h"
#include "gradus/tensor/tensor.h"

namespace gradus {

/// Cross-correlation of x (N, C, L) or (C, L) with w (O, C / groups, K), plus bias (O) if there is
/// one. `padding` is zeros: a number, or "same" (for a stride of 1) or "valid".
Tensor conv1d(const Tensor& x, const Tensor& w, const Tensor& bias = {}, std::int64_t stride = 1,
              Padding<std::int64_t> padding = 0, std::int64_t dilation = 1,
              std::int64_t groups = 1);
/// The same for images: x (N, C, H, W) or (C, H, W), w (O, C / groups, KH, KW).
Tensor conv2d(const Tensor& x, const Tensor& w, const Tensor& bias = {}, Pair stride = 1,
              Padding<Pair> padding = 0, Pair dilation = 1, std::int64_t groups = 1);
/// The same for volumes: x (N, C, D, H, W) or (C, D, H, W), w (O, C / groups, KD, KH, KW).
Tensor conv3d(const Tensor& x, const Tensor& w, const Tensor& bias = {}, Triple stride = 1,
              Padding<Triple> padding = 0, Triple dilation = 1, std::int64_t groups = 1);

/// The transposed convolution: what the gradient of conv1d with these options does to x (N, C, L)
/// or (C, L), with w (C, O / groups, K); bias (O). The result has (L - 1) stride - 2 padding +
/// dilation (K - 1) + output_padding + 1 elements; output_padding is less than stride or dilation.
Tensor conv_transpose1d(const Tensor& x, const Tensor& w, const Tensor& bias = {},
                        std::int64_t stride = 1, std::int64_t padding = 0,
                        std::int64_t output_padding = 0, std::int64_t groups = 1,
                        std::int64_t dilation = 1);
/// The same for images: x (N, C, H, W) or (C, H, W), w (C, O / groups, KH, KW).
Tensor conv_transpose2d(const Tensor& x, const Tensor& w, const Tensor& bias = {}, Pair stride = 1,
                        Pair padding = 0, Pair output_padding = 0, std::int64_t groups = 1,
                        Pair dilation = 1);

}  // namespace gradus
