// Contract: pooling over windows of images. A window may be fixed (kernel, stride, padding,
// dilation) or adaptive (output i of O covers [floor(i I / O), ceil((i + 1) I / O)) of I inputs).
//
// Images are (N, C, H, W) in one of two memory orders: row-major, or channels last (dense strides
// of (N, H, W, C)). Both tensors of a call are in the same one, and it does not change the bits.
// Maxima are of any dtype but booleans, means of a floating one or i64, cut towards 0.
#pragma once

#include "gradus/tensor/dispatch.h"
#include "gradus/tensor/tensor.h"

namespace gradus {

struct PoolAxis {
  std::int64_t kernel = 1, stride = 1, padding = 0, dilation = 1;
  bool adaptive = false;  // `kernel` is then the largest window, the others mean nothing
};

struct Pool2d {
  PoolAxis h, w;
  /// Elements of a window, by which the index of a maximum is counted: row-major, padding included.
  std::int64_t taps() const { return h.kernel * w.kernel; }
};

struct AverageBy {
  bool count_padding = true;  // divide by the padded window's size, else by the inputs' count
  std::int64_t divisor = 0;   // if not 0: by this
};

namespace cpu {
/// y (N, C, OH, OW) = the largest element of each window, NaN if there is one; of equal ones the
/// first. index, if defined, of y's shape and strides: which tap of its window it was, in u8 where
/// taps() <= 256 and i32 otherwise.
void max_pool2d(const Tensor& x, const Pool2d& pool, const Tensor& y, const Tensor& index);
/// dx (N, C, H, W): zero but for the sum of the dy whose maximum an element was.
void max_pool2d_backward(const Tensor& dy, const Tensor& index, const Pool2d& pool,
                         const Tensor& dx);
/// y (N, C, OH, OW) = the sum of each window's elements by its count.
void avg_pool2d(const Tensor& x, const Pool2d& pool, const AverageBy& by, const Tensor& y);
/// dx (N, C, H, W) = the sum of dy / count over the windows an element is in.
void avg_pool2d_backward(const Tensor& dy, const Pool2d& pool, const AverageBy& by,
                         const Tensor& dx);
}  // namespace cpu

namespace cuda {
void max_pool2d(const Tensor& x, const Pool2d& pool, const Tensor& y, const Tensor& index);
void max_pool2d_backward(const Tensor& dy, const Tensor& index, const Pool2d& pool,
                         const Tensor& dx);
void avg_pool2d(const Tensor& x, const Pool2d& pool, const AverageBy& by, const Tensor& y);
void avg_pool2d_backward(const Tensor& dy, const Pool2d& pool, const AverageBy& by,
                         const Tensor& dx);
}  // namespace cuda

}  // namespace gradus
