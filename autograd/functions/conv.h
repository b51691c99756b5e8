// Public functions: convolution.
#pragma once

#include "gradus/autograd/functions/pair.h"
#include "gradus/tensor/tensor.h"

namespace gradus {

/// Cross-correlation of x (N, C, L) or (C, L) with w (O, C / groups, K), plus bias (O) if there is
/// one.
Tensor conv1d(const Tensor& x, const Tensor& w, const Tensor& bias = {}, std::int64_t stride = 1,
              std::int64_t padding = 0, std::int64_t dilation = 1, std::int64_t groups = 1);
/// The same for images: x (N, C, H, W) or (C, H, W), w (O, C / groups, KH, KW).
Tensor conv2d(const Tensor& x, const Tensor& w, const Tensor& bias = {}, Pair stride = 1,
              Pair padding = 0, Pair dilation = 1, std::int64_t groups = 1);

}  // namespace gradus
