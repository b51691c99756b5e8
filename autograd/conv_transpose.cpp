// Transposed convolutions: the gradient of a convolution with respect to its input, as a function
// of its own; its gradients are a convolution and the convolution's weight gradient.
#include "gradus/autograd/autocast.h"
#include "gradus/autograd/functions/conv.h"
#include "gradus/autograd/functions/pointwise.h"
#include "gradus/autograd/images.h"
#include "gradus/autograd/record.h"
#include "gradus/kernels/conv.h"

namespace gradus {
namespace {

struct Transposed {
  ConvOptions options;  // of the convolution that this turns around
  std::int64_t output_padding[2] = {0, 0};
};

/// (N, O, ...) of x (N, C, ...) and w (C, O / groups, ...).
Shape output_shape(const char* op, const Tensor& x, const Tensor& w, const Transposed& t) {
  const int spatial = x.dim() - 2;
  const ConvOptions& o = t.options;
  check(w.dim() == x.dim() && w.size(0) == x.size(1) && o.groups > 0 && w.size(0) % o.groups == 0,
        ErrorKind::shape, op, ": x ", x.shape(), " and w ", w.shape(),
        " do not fit; expected x (N, C, ...), w (C, O / groups, ...) with C a multiple of ",
        o.groups, " groups");
  Shape shape{x.size(0), w.size(1) * o.groups};
  for (int d = 0; d < spatial; ++d) {
    check(o.stride[d] > 0 && o.dilation[d] > 0 && o.padding[d] >= 0, ErrorKind::argument, op,
          ": stride and dilation must be positive and padding not negative, got ", o.stride[d],
          ", ", o.dilation[d], " and ", o.padding[d]);
    check(t.output_padding[d] >= 0 && t.output_padding[d] < std::max(o.stride[d], o.dilation[d]),
          ErrorKind::argument, op, ": output_padding ", t.output_padding[d],
          " must be smaller than stride ", o.stride[d], " or dilation ", o.dilation[d]);
    const std::int64_t out = (x.size(d + 2) - 1) * o.stride[d] - 2 * o.padding[d] +
                             o.dilation[d] * (w.size(d + 2) - 1) + t.output_padding[d] + 1;
    check(x.size(d + 2) > 0 && out > 0, ErrorKind::shape, op, ": x ", x.shape(), " and w ",
          w.shape(), " leave nothing of dimension ", d + 2);
    shape.push_back(out);
  }
  return shape;
}

Tensor transposed(const char* name, const Tensor& input, const Tensor& weight, const Tensor& bias,
                  const Transposed& t) {
  check_same_device(name, input.device(), weight.device());
  const Operand x(input), w(weight);
  check_conv_dtypes(name, *x, *w, bias);
  const Shape shape = output_shape(name, *x, *w, t);
  check(!bias || bias.shape() == Shape{shape[1]}, ErrorKind::shape, name, ": bias is ",
        bias ? bias.shape() : Shape{}, ", expected (", shape[1], ")");
  Tensor y = empty_images_like(*x, shape);
  dispatch<cpu::conv_input_gradient, cuda::conv_input_gradient>(x->device(), *x, *w, y, t.options);
  if (bias) {
    const NoGrad guard;
    check_same_device(name, x->device(), bias.device());
    Shape along = Shape::filled(shape.size() - 1, 1);  // (O, 1 ...)
    along[0] = shape[1];
    y = add(y, bias.to(y.dtype()).reshape(along));
  }
  return record(
      name, y, on(input, weight, bias), keep(*x, *w),
      [options = t.options, of_x = input.dtype(), of_w = weight.dtype(),
       of_b = bias ? bias.dtype() : weight.dtype()](
          const Tensor& dy, const Tensor& x, const Tensor& w, GradOut dx, GradOut dw, GradOut db) {
        if (dx.wanted()) {  // dy * w
          const Tensor d = empty_like(x);
          dispatch<cpu::conv, cuda::conv>(dy.device(), dy, w, d, options);
          dx.give(d.to(of_x));
        }
        if (dw.wanted()) {  // x and dy have changed places
          const GradTarget to = dw.target(w.shape(), of_w);
          dispatch<cpu::conv_weight_gradient, cuda::conv_weight_gradient>(
              dy.device(), dy, x, to.to, options, to.add, to.alpha);
        }
        if (db.wanted()) {
          const GradTarget to = db.target({dy.size(1)}, of_b);
          dispatch<cpu::conv_bias_gradient, cuda::conv_bias_gradient>(dy.device(), dy, to.to,
                                                                      to.add, to.alpha);
        }
      });
}

Tensor batched(const char* name, const Tensor& x, const Tensor& w, const Tensor& bias, int spatial,
               const Transposed& t) {
  check(x.dim() == spatial + 1 || x.dim() == spatial + 2, ErrorKind::shape, name, ": x is ",
        x.shape(), ", expected ", spatial + 1, " or ", spatial + 2, " dimensions");
  if (x.dim() == spatial + 2) return transposed(name, x, w, bias, t);
  return transposed(name, x.unsqueeze(0), w, bias, t).squeeze(0);
}

}  // namespace

Tensor conv_transpose1d(const Tensor& x, const Tensor& w, const Tensor& bias, std::int64_t stride,
                        std::int64_t padding, std::int64_t output_padding, std::int64_t groups,
                        std::int64_t dilation) {
  Transposed t;
  t.options.stride[0] = stride, t.options.padding[0] = padding, t.options.dilation[0] = dilation;
  t.options.groups = groups;
  t.output_padding[0] = output_padding;
  return batched("conv_transpose1d", x, w, bias, 1, t);
}

Tensor conv_transpose2d(const Tensor& x, const Tensor& w, const Tensor& bias, Pair stride,
                        Pair padding, Pair output_padding, std::int64_t groups, Pair dilation) {
  Transposed t;
  t.options.stride[0] = stride.h, t.options.stride[1] = stride.w;
  t.options.padding[0] = padding.h, t.options.padding[1] = padding.w;
  t.options.dilation[0] = dilation.h, t.options.dilation[1] = dilation.w;
  t.options.groups = groups;
  t.output_padding[0] = output_padding.h, t.output_padding[1] = output_padding.w;
  return batched("conv_transpose2d", x, w, bias, 2, t);
}

}  // namespace gradus
