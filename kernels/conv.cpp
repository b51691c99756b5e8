#include "gradus/kernels/conv.h"

namespace gradus {

void check_conv_dtypes(const char* op, const Tensor& x, const Tensor& w, const Tensor& bias) {
  check(x.dtype() == w.dtype() && x.dtype() != Dtype::boolean, ErrorKind::dtype, op,
        ": expected one floating dtype or one integer dtype, got x ", x.dtype(), ", w ", w.dtype());
  if (x.is_floating()) return;
  check(x.device().is_cpu(), ErrorKind::dtype, op,
        ": integers are convolved on the CPU alone, x is ", x.dtype(), " on ", x.device());
  check(!bias || bias.dtype() == x.dtype(), ErrorKind::dtype, op, ": x is ", x.dtype(),
        ", bias is ", bias ? bias.dtype() : x.dtype());
}

Shape conv_shape(const char* op, const Tensor& x, const Tensor& w, const ConvOptions& o) {
  const int spatial = w.dim() - 2;
  check(spatial >= 1 && spatial <= 3 && x.dim() == w.dim(), ErrorKind::shape, op,
        ": expected x (N, C, ...) and w (O, C / groups, ...) with one to three spatial dimensions, "
        "got x ",
        x.shape(), ", w ", w.shape());
  check_same_device(op, x.device(), w.device());
  check_conv_dtypes(op, x, w, o.bias);
  check(o.groups >= 1 && w.size(0) % o.groups == 0, ErrorKind::argument, op, ": ", w.size(0),
        " output channels do not divide into ", o.groups, " groups");
  check(x.size(1) == w.size(1) * o.groups, ErrorKind::shape, op, ": x ", x.shape(), " has ",
        x.size(1), " channels, w ", w.shape(), " with ", o.groups, " groups needs ",
        w.size(1) * o.groups);
  Shape shape{x.size(0), w.size(0)};
  for (int d = 0; d < spatial; ++d) {
    const std::int64_t k = w.size(d + 2), in = x.size(d + 2);
    check(o.stride[d] >= 1 && o.dilation[d] >= 1 && o.padding[d] >= 0, ErrorKind::argument, op,
          ": stride and dilation must be at least 1 and padding at least 0, got ", o.stride[d],
          ", ", o.dilation[d], ", ", o.padding[d]);
    check(k >= 1, ErrorKind::shape, op, ": empty kernel ", w.shape());
    const std::int64_t span = in + 2 * o.padding[d] - o.dilation[d] * (k - 1) - 1;
    check(span >= 0, ErrorKind::shape, op, ": the kernel of w ", w.shape(), " with dilation ",
          o.dilation[d], " is larger than x ", x.shape(), " with padding ", o.padding[d]);
    shape.push_back(span / o.stride[d] + 1);
  }
  if (o.bias) {
    check(o.bias.dim() == 1 && o.bias.numel() == w.size(0), ErrorKind::shape, op,
          ": expected a bias of ", w.size(0), " elements, got ", o.bias.shape());
    check_same_device(op, x.device(), o.bias.device());
  }
  return shape;
}

}  // namespace gradus
