// What undoes a max_pool: zeros with the largest elements put back where they were.
#include "gradus/autograd/functions.h"

namespace gradus {
namespace {

std::int64_t unpooled_size(const char* op, std::int64_t in, std::int64_t kernel,
                           std::int64_t stride, std::int64_t padding) {
  check(kernel > 0 && stride >= 0 && padding >= 0, ErrorKind::argument, op,
        ": kernel_size must be positive, stride and padding not negative, got ", kernel, ", ",
        stride, " and ", padding);
  return (in - 1) * (stride == 0 ? kernel : stride) - 2 * padding + kernel;
}

/// x and its places (..., `sides` sizes) into zeros whose last sizes are `sizes`.
Tensor unpool(const char* op, const Tensor& x, const Tensor& indices, int sides,
              const Shape& sizes) {
  check(x.dim() == sides + 1 || x.dim() == sides + 2, ErrorKind::shape, op, ": x is ", x.shape(),
        ", expected ", sides + 1, " or ", sides + 2, " dimensions");
  check(indices.shape() == x.shape() && indices.dtype() == Dtype::i64, ErrorKind::shape, op,
        ": expected i64 indices of x's shape ", x.shape(), ", got ", indices.dtype(), " ",
        indices.shape());
  check(sizes.numel() > 0 || x.numel() == 0, ErrorKind::shape, op, ": x ", x.shape(),
        " does not fit an output of ", sizes);
  Shape flat, shape;
  for (int d = 0; d < x.dim() - sides; ++d) flat.push_back(x.size(d)), shape.push_back(x.size(d));
  flat.push_back(sizes.numel());
  for (const std::int64_t n : sizes) shape.push_back(n);
  const int first = x.dim() - sides;
  return scatter(zeros(flat, x.options()), first, indices.flatten(first), x.flatten(first))
      .reshape(shape);
}

}  // namespace

Tensor max_unpool1d(const Tensor& x, const Tensor& indices, std::int64_t kernel_size,
                    std::int64_t stride, std::int64_t padding,
                    std::optional<std::int64_t> output_size) {
  constexpr auto op = "max_unpool1d";
  const std::int64_t fitting = unpooled_size(op, x.size(-1), kernel_size, stride, padding);
  return unpool(op, x, indices, 1, {output_size.value_or(fitting)});
}

Tensor max_unpool2d(const Tensor& x, const Tensor& indices, Pair kernel_size, Pair stride,
                    Pair padding, std::optional<Pair> output_size) {
  constexpr auto op = "max_unpool2d";
  const Pair fitting = {unpooled_size(op, x.size(-2), kernel_size.h, stride.h, padding.h),
                        unpooled_size(op, x.size(-1), kernel_size.w, stride.w, padding.w)};
  const Pair size = output_size.value_or(fitting);
  return unpool(op, x, indices, 2, {size.h, size.w});
}

}  // namespace gradus
