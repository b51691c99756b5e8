// Public functions: pooling. Images are (N, C, H, W) or (C, H, W), sequences (N, C, L) or (C, L);
// channels-last strides are kept. A stride of 0 means the kernel's size. NaN reaches every window
// it is in. Maxima are of integers as well, averages of i64, cut towards 0; those have no gradient.
#pragma once

#include <optional>

#include "gradus/autograd/functions/pair.h"
#include "gradus/autograd/functions/reduce.h"
#include "gradus/tensor/tensor.h"

namespace gradus {

/// The largest element of each window. `padding` is at most half the window and never wins;
/// `ceil_mode` lets a last window hang over the end.
Tensor max_pool1d(const Tensor& x, std::int64_t kernel_size, std::int64_t stride = 0,
                  std::int64_t padding = 0, std::int64_t dilation = 1, bool ceil_mode = false);
Tensor max_pool2d(const Tensor& x, Pair kernel_size, Pair stride = 0, Pair padding = 0,
                  Pair dilation = 1, bool ceil_mode = false);

/// The same with the places of the largest elements (i64): h W + w in the plane that one is in, of
/// equal ones the first.
ValuesIndices max_pool1d_with_indices(const Tensor& x, std::int64_t kernel_size,
                                      std::int64_t stride = 0, std::int64_t padding = 0,
                                      std::int64_t dilation = 1, bool ceil_mode = false);
ValuesIndices max_pool2d_with_indices(const Tensor& x, Pair kernel_size, Pair stride = 0,
                                      Pair padding = 0, Pair dilation = 1, bool ceil_mode = false);

/// Zeros with each element of x at the place that `indices` (i64, of x's shape) names: what undoes
/// a max_pool with these windows, but for what it lost. The result has `output_size`, or (in - 1)
/// stride - 2 padding + kernel_size; no place lies outside it. Of several at one place the last one
/// stays.
Tensor max_unpool1d(const Tensor& x, const Tensor& indices, std::int64_t kernel_size,
                    std::int64_t stride = 0, std::int64_t padding = 0,
                    std::optional<std::int64_t> output_size = {});
Tensor max_unpool2d(const Tensor& x, const Tensor& indices, Pair kernel_size, Pair stride = 0,
                    Pair padding = 0, std::optional<Pair> output_size = {});

/// The mean of each window, padding counted as zeros if `count_include_pad`; the sum by
/// `divisor_override` (perhaps negative) if that is not 0.
Tensor avg_pool1d(const Tensor& x, std::int64_t kernel_size, std::int64_t stride = 0,
                  std::int64_t padding = 0, bool ceil_mode = false, bool count_include_pad = true);
Tensor avg_pool2d(const Tensor& x, Pair kernel_size, Pair stride = 0, Pair padding = 0,
                  bool ceil_mode = false, bool count_include_pad = true,
                  std::int64_t divisor_override = 0);

/// Windows chosen so that the output has this size: output i of O covers inputs floor(i I / O) to
/// ceil((i + 1) I / O). A side of std::nullopt stays as it is.
Tensor adaptive_avg_pool1d(const Tensor& x, std::int64_t output_size);
Tensor adaptive_avg_pool2d(const Tensor& x, OutputSize output_size);
Tensor adaptive_max_pool2d(const Tensor& x, OutputSize output_size);
ValuesIndices adaptive_max_pool2d_with_indices(const Tensor& x, OutputSize output_size);

}  // namespace gradus
