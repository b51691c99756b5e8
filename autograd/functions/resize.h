// Public functions: images of another size.
#pragma once

#include <optional>
#include <string_view>

#include "gradus/autograd/functions/pair.h"
#include "gradus/tensor/tensor.h"

namespace gradus {

/// (..., C r^2, H, W) to (..., C, H r, W r): channel c r^2 + i r + j gives the pixels (i, j) of
/// each r by r tile.
Tensor pixel_shuffle(const Tensor& x, std::int64_t upscale_factor);

/// The windows of x (N, C, H, W) or (C, H, W) as columns: (N, C KH KW, windows), windows in row
/// order. What convolution multiplies the weights with.
Tensor unfold(const Tensor& x, Pair kernel_size, Pair dilation = 1, Pair padding = 0,
              Pair stride = 1);

/// x (N, C, H, W) at the given size, or at floor(scale_factor H) by floor(scale_factor W): one of
/// the two. mode: "nearest", which takes (N, C, L) and (N, C, D, H, W) and any dtype as well, or
/// "bilinear", of a floating dtype, or of u8, which is rounded along W and then along H, halves up;
/// `align_corners` (bilinear) maps corner pixels to corner pixels, else pixels are areas.
Tensor interpolate(const Tensor& x, std::optional<Sides> size,
                   std::optional<double> scale_factor = {}, std::string_view mode = "nearest",
                   bool align_corners = false);

}  // namespace gradus
