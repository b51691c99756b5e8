// Contract: convolution over one, two or three spatial dimensions, and its gradients.
#pragma once

#include "gradus/kernels/activation.h"
#include "gradus/tensor/dispatch.h"
#include "gradus/tensor/tensor.h"

namespace gradus {

/// One number a spatial dimension, the first entries used: (D, H, W), (H, W) or (W).
struct ConvOptions {
  std::int64_t stride[3] = {1, 1, 1};
  std::int64_t padding[3] = {0, 0, 0};  // zeros on both sides
  std::int64_t dilation[3] = {1, 1, 1};
  std::int64_t groups = 1;
  Tensor bias = {};  // (O), forward only; or undefined
  Activation activation = Activation::none;
};

/// Throws (dtype) naming `op` unless x and w are of one floating dtype, or of one integer dtype,
/// and the bias, if there is one, with them. Integers are convolved on the CPU alone.
void check_conv_dtypes(const char* op, const Tensor& x, const Tensor& w, const Tensor& bias);

/// The shape of conv(x, w): (N, O, ...), each size (in + 2 padding - dilation (k - 1) - 1) / stride
/// + 1. Throws (shape, argument, dtype, device) naming `op` for everything that does not fit.
Shape conv_shape(const char* op, const Tensor& x, const Tensor& w, const ConvOptions& options);

namespace cpu {
// x: (N, C, ...), w: (O, C / groups, ...), y: (N, O, ...): one floating dtype, any strides (NCHW
// and NHWC are equally good for x and y). Half types are summed in float and rounded once; the
// gradients dx, dw and db may be f32 beside half types, and then are not rounded. Every
// element is one chain of fused multiply-adds: bits depend neither on threads nor on memory format.
// conv and conv_input_gradient take integers as well, without an activation; their sums wrap.

/// y = activation(x * w + bias), the chain over (c, taps) in w's order.
void conv(const Tensor& x, const Tensor& w, const Tensor& y, const ConvOptions& options);
/// dx[n, c, i] = sum over (o, taps) of dy[n, o, (i + padding - dilation t) / stride] w[o, c, t].
/// With x, dy swapped this is the transposed convolution.
void conv_input_gradient(const Tensor& dy, const Tensor& w, const Tensor& dx,
                         const ConvOptions& options);
/// dw[o, c, t] = alpha sum over (n, i) of dy[n, o, i] x[n, c, i stride + dilation t - padding];
/// add: on top of what dw holds. The chain runs over n, then positions in row order, so that the
/// batch may be split over calls with `add` without changing a bit.
void conv_weight_gradient(const Tensor& x, const Tensor& dy, const Tensor& dw,
                          const ConvOptions& options, bool add = false, double alpha = 1);
/// db[o] = alpha sum over (n, i) of dy[n, o, i]; the chain and `add` as for the weights. db: (O).
void conv_bias_gradient(const Tensor& dy, const Tensor& db, bool add = false, double alpha = 1);
}  // namespace cpu

namespace cuda {
void conv(const Tensor& x, const Tensor& w, const Tensor& y, const ConvOptions& options);
void conv_input_gradient(const Tensor& dy, const Tensor& w, const Tensor& dx,
                         const ConvOptions& options);
void conv_weight_gradient(const Tensor& x, const Tensor& dy, const Tensor& dw,
                          const ConvOptions& options, bool add = false, double alpha = 1);
void conv_bias_gradient(const Tensor& dy, const Tensor& db, bool add = false, double alpha = 1);
}  // namespace cuda

}  // namespace gradus
