#include "gradus/kernels/conv.h"

#include "gradus/autograd/autocast.h"
#include "gradus/autograd/functions/conv.h"
#include "gradus/autograd/functions/shape.h"
#include "gradus/autograd/images.h"
#include "gradus/autograd/record.h"

namespace gradus {
namespace {

Tensor convolve(const char* name, const Tensor& input, const Tensor& weight, const Tensor& bias,
                ConvOptions options) {
  const Operand x(input), w(weight);
  options.bias = bias;
  const Shape shape = conv_shape(name, *x, *w, options);
  const Tensor y = empty_images_like(*x, shape);
  dispatch<cpu::conv, cuda::conv>(x->device(), *x, *w, y, options);
  options.bias = Tensor();
  return record(
      name, y, on(input, weight, bias), keep(*x, *w),
      [options, of_x = input.dtype(), of_w = weight.dtype(),
       of_b = bias ? bias.dtype() : weight.dtype()](
          const Tensor& dy, const Tensor& x, const Tensor& w, GradOut dx, GradOut dw, GradOut db) {
        if (dx.wanted()) {
          const Tensor d = empty_like(x, of_x);
          dispatch<cpu::conv_input_gradient, cuda::conv_input_gradient>(dy.device(), dy, w, d,
                                                                        options);
          dx.give(d);
        }
        if (dw.wanted()) {
          const GradTarget t = dw.target(w.shape(), of_w);
          dispatch<cpu::conv_weight_gradient, cuda::conv_weight_gradient>(dy.device(), x, dy, t.to,
                                                                          options, t.add, t.alpha);
        }
        if (db.wanted()) {
          const GradTarget t = db.target({w.size(0)}, of_b);
          dispatch<cpu::conv_bias_gradient, cuda::conv_bias_gradient>(dy.device(), dy, t.to, t.add,
                                                                      t.alpha);
        }
      });
}

/// x for padding "same": half of what a kernel reaches over goes on either side as `options` then
/// say, an odd one behind x as zeros of its own.
Tensor same_size(const char* name, const Tensor& x, const Tensor& w, int spatial,
                 ConvOptions& options) {
  if (w.dim() != spatial + 2 || x.dim() < spatial) return x;  // conv_shape() refuses it
  std::vector<std::int64_t> behind;                           // pads: the last dimension first
  bool odd = false;
  for (int d = spatial - 1; d >= 0; --d) {
    check(options.stride[d] == 1, ErrorKind::argument, name,
          ": padding \"same\" is for a stride of 1, got ", options.stride[d]);
    const std::int64_t total = options.dilation[d] * (w.size(d + 2) - 1);
    options.padding[d] = total / 2;
    behind.push_back(0);
    behind.push_back(total % 2);
    odd = odd || total % 2 != 0;
  }
  return odd ? pad(x, behind) : x;
}

/// (C, ...) is a batch of one.
Tensor batched(const char* name, const Tensor& input, const Tensor& w, const Tensor& bias,
               int spatial, bool same, ConvOptions options) {
  check(input.dim() == spatial + 1 || input.dim() == spatial + 2, ErrorKind::shape, name, ": x is ",
        input.shape(), ", expected ", spatial + 1, " or ", spatial + 2, " dimensions");
  const Tensor x = same ? same_size(name, input, w, spatial, options) : input;
  if (x.dim() == spatial + 2) return convolve(name, x, w, bias, options);
  return convolve(name, x.unsqueeze(0), w, bias, options).squeeze(0);
}

}  // namespace

Tensor conv1d(const Tensor& x, const Tensor& w, const Tensor& bias, std::int64_t stride,
              Padding<std::int64_t> padding, std::int64_t dilation, std::int64_t groups) {
  ConvOptions options;
  options.stride[0] = stride, options.padding[0] = padding.size, options.dilation[0] = dilation;
  options.groups = groups;
  return batched("conv1d", x, w, bias, 1, padding.same, options);
}

Tensor conv2d(const Tensor& x, const Tensor& w, const Tensor& bias, Pair stride,
              Padding<Pair> padding, Pair dilation, std::int64_t groups) {
  ConvOptions options;
  options.stride[0] = stride.h, options.stride[1] = stride.w;
  options.padding[0] = padding.size.h, options.padding[1] = padding.size.w;
  options.dilation[0] = dilation.h, options.dilation[1] = dilation.w;
  options.groups = groups;
  return batched("conv2d", x, w, bias, 2, padding.same, options);
}

Tensor conv3d(const Tensor& x, const Tensor& w, const Tensor& bias, Triple stride,
              Padding<Triple> padding, Triple dilation, std::int64_t groups) {
  ConvOptions options;
  const Triple p = padding.size;
  options.stride[0] = stride.d, options.stride[1] = stride.h, options.stride[2] = stride.w;
  options.padding[0] = p.d, options.padding[1] = p.h, options.padding[2] = p.w;
  options.dilation[0] = dilation.d, options.dilation[1] = dilation.h;
  options.dilation[2] = dilation.w;
  options.groups = groups;
  return batched("conv3d", x, w, bias, 3, padding.same, options);
}

}  // namespace gradus
