#include "gradus/kernels/pool.h"

#include <numeric>

#include "gradus/autograd/functions.h"
#include "gradus/autograd/images.h"
#include "gradus/autograd/record.h"

namespace gradus {
namespace {

/// How a tensor of 2 to 4 dimensions is a batch of images, and which order they lie in.
struct Layout {
  int sides;
  bool batched, channels_last;

  Tensor images(const Tensor& t) const { return as_images(t, sides, batched); }
  /// A new tensor of the same kind; `shape` has its own number of dimensions.
  Tensor make(const Shape& shape, TensorOptions options) const {
    return empty_images(shape, options, channels_last, batched);
  }
};

/// `x` of shape (N, C, H, W) ready for a kernel, and its layout.
Tensor images_of(const char* op, const Tensor& x, int sides, Layout& layout) {
  check(x.dim() == sides + 2 || x.dim() == sides + 1, ErrorKind::shape, op,
        ": expected x of shape ", sides == 2 ? "(N, C, H, W) or (C, H, W)" : "(N, C, L) or (C, L)",
        ", got ", x.shape());
  check(x.size(-1 - sides) > 0, ErrorKind::shape, op, ": x ", x.shape(), " has no channels");
  layout = {sides, x.dim() == sides + 2, false};
  const Tensor images = layout.images(x);
  layout.channels_last = is_channels_last(images);
  return layout.channels_last ? images : as_contiguous(images);
}

/// One side of a fixed window, checked, and the size of its output.
std::int64_t output_size(const char* op, std::int64_t in, const PoolAxis& a, bool ceil_mode) {
  check(a.kernel > 0 && a.stride > 0 && a.dilation > 0, ErrorKind::argument, op,
        ": kernel_size, stride and dilation must be positive, got ", a.kernel, ", ", a.stride,
        " and ", a.dilation);
  constexpr std::int64_t limit = INT32_MAX;  // so that a window's span is a number
  check(a.kernel <= limit && a.stride <= limit && a.dilation <= limit && a.padding <= limit,
        ErrorKind::argument, op, ": kernel_size, stride, padding and dilation end at ", limit,
        ", got ", a.kernel, ", ", a.stride, ", ", a.padding, " and ", a.dilation);
  const std::int64_t span = (a.kernel - 1) * a.dilation + 1;
  check(a.padding >= 0 && a.padding <= span / 2, ErrorKind::argument, op, ": padding ", a.padding,
        " is negative or more than half of a window of ", span);
  const std::int64_t room = in + 2 * a.padding - span;
  std::int64_t out =
      room < 0 && !ceil_mode ? 0 : (room + (ceil_mode ? a.stride - 1 : 0)) / a.stride + 1;
  // A window that hangs over must begin inside the input or its left padding.
  if (ceil_mode && (out - 1) * a.stride >= in + a.padding) --out;
  check(in > 0 && room + (ceil_mode ? a.stride - 1 : 0) >= 0 && out > 0, ErrorKind::shape, op,
        ": a window of ", span, " does not fit an input of ", in, " with padding ", a.padding);
  return out;
}

Pool2d fixed_windows(Pair kernel, Pair stride, Pair padding, Pair dilation) {
  return {{kernel.h, stride.h == 0 ? kernel.h : stride.h, padding.h, dilation.h},
          {kernel.w, stride.w == 0 ? kernel.w : stride.w, padding.w, dilation.w}};
}

PoolAxis adaptive_axis(const char* op, std::int64_t in, std::int64_t out) {
  check(in > 0 && out > 0, ErrorKind::shape, op, ": cannot pool ", in, " inputs to ", out);
  // Window i has ceil((i in mod out + in) / out) inputs, and the remainders are the multiples of g.
  const std::int64_t g = std::gcd(in, out), more = in - g;
  return {more / out + (more % out != 0) + 1, 1, 0, 1, true};
}

/// x's shape with its last `sides` sizes replaced.
Shape pooled_shape(const Tensor& x, int sides, std::int64_t h, std::int64_t w) {
  Shape shape = x.shape();
  shape[x.dim() - 1] = w;
  if (sides == 2) shape[x.dim() - 2] = h;
  return shape;
}

/// The largest elements, and which tap of its window each is: undefined unless `places` or a
/// backward needs it.
ValuesIndices max_pool(const char* op, const Tensor& x, const Tensor& images, const Pool2d& pool,
                       const Layout& layout, const Shape& shape, bool places) {
  Tensor y = layout.make(shape, x.options());
  Tensor index;
  if (places || recording({&x})) {
    index = layout.make(shape, {pool.taps() <= 256 ? Dtype::u8 : Dtype::i32, x.device()});
  }
  dispatch<cpu::max_pool2d, cuda::max_pool2d>(x.device(), images, pool, layout.images(y),
                                              index ? layout.images(index) : Tensor());
  // dx = dy at the maxima, 0 elsewhere
  const Tensor values =
      record(op, y, on(x), keep(index),
             [pool, layout, shape = x.shape()](const Tensor& dy, const Tensor& index, GradOut dx) {
               Tensor d = layout.make(shape, dy.options());
               dispatch<cpu::max_pool2d_backward, cuda::max_pool2d_backward>(
                   dy.device(), in_order(layout.images(dy), layout.channels_last),
                   layout.images(index), pool, layout.images(d));
               dx.give(std::move(d));
             });
  return {values, index};
}

/// Where each window's tap 0 lies along an axis, perhaps in the padding before it.
Tensor first_taps(const PoolAxis& a, std::int64_t in, std::int64_t out, Device device) {
  std::vector<std::int64_t> first;
  for (std::int64_t i = 0; i < out; ++i)
    first.push_back(a.adaptive ? i * in / out : i * a.stride - a.padding);
  return from_data(first.data(), {out}, {Dtype::i64, device});
}

/// Taps (..., H', W') as places h W + w in the planes (H, W) of x; of sequences without the h.
Tensor places(const Tensor& taps, const Pool2d& pool, const Tensor& x, int sides) {
  const NoGrad guard;
  const Tensor tap = taps.to(Dtype::i64), column = remainder(tap, pool.w.kernel);
  const std::int64_t w = x.size(-1);
  Tensor place = first_taps(pool.w, w, taps.size(-1), x.device()) + column * pool.w.dilation;
  if (sides == 1) return place;
  const Tensor row = ((tap - column).to(Dtype::f64) / pool.w.kernel).to(Dtype::i64);  // exact
  const Tensor top = first_taps(pool.h, x.size(-2), taps.size(-2), x.device()).unsqueeze(-1);
  return (top + row * pool.h.dilation) * w + place;
}

Tensor avg_pool(const char* op, const Tensor& x, const Tensor& images, const Pool2d& pool,
                const AverageBy& by, const Layout& layout, const Shape& shape) {
  Tensor y = layout.make(shape, x.options());
  dispatch<cpu::avg_pool2d, cuda::avg_pool2d>(x.device(), images, pool, by, layout.images(y));
  // dx = dy / count over every window that an element is in
  return record(op, y, on(x), keep(),
                [pool, by, layout, shape = x.shape()](const Tensor& dy, GradOut dx) {
                  Tensor d = layout.make(shape, dy.options());
                  dispatch<cpu::avg_pool2d_backward, cuda::avg_pool2d_backward>(
                      dy.device(), in_order(layout.images(dy), layout.channels_last), pool, by,
                      layout.images(d));
                  dx.give(std::move(d));
                });
}

ValuesIndices max_pool_fixed(const char* op, const Tensor& x, int sides, const Pool2d& pool,
                             bool ceil_mode, bool with_places = false) {
  Layout layout;
  const Tensor images = images_of(op, x, sides, layout);
  const std::int64_t h = output_size(op, images.shape()[2], pool.h, ceil_mode),
                     w = output_size(op, images.shape()[3], pool.w, ceil_mode);
  const ValuesIndices r =
      max_pool(op, x, images, pool, layout, pooled_shape(x, sides, h, w), with_places);
  return {r.values, with_places ? places(r.indices, pool, x, sides) : Tensor()};
}

/// The size asked for; the images' own where none is.
Pair size_of(OutputSize size, const Tensor& images) {
  return {size.h.value_or(images.shape()[2]), size.w.value_or(images.shape()[3])};
}

Pool2d adaptive_windows(const char* op, const Tensor& images, Pair out) {
  return {adaptive_axis(op, images.shape()[2], out.h), adaptive_axis(op, images.shape()[3], out.w)};
}

ValuesIndices max_pool_adaptive(const Tensor& x, OutputSize output_size, bool with_places) {
  constexpr auto op = "adaptive_max_pool2d";
  Layout layout;
  const Tensor images = images_of(op, x, 2, layout);
  const Pair out = size_of(output_size, images);
  const Pool2d pool = adaptive_windows(op, images, out);
  const ValuesIndices r =
      max_pool(op, x, images, pool, layout, pooled_shape(x, 2, out.h, out.w), with_places);
  return {r.values, with_places ? places(r.indices, pool, x, 2) : Tensor()};
}

Tensor avg_pool_fixed(const char* op, const Tensor& x, int sides, const Pool2d& pool,
                      bool ceil_mode, const AverageBy& by) {
  Layout layout;
  const Tensor images = images_of(op, x, sides, layout);
  const std::int64_t h = output_size(op, images.shape()[2], pool.h, ceil_mode),
                     w = output_size(op, images.shape()[3], pool.w, ceil_mode);
  return avg_pool(op, x, images, pool, by, layout, pooled_shape(x, sides, h, w));
}

}  // namespace

Tensor max_pool1d(const Tensor& x, std::int64_t kernel_size, std::int64_t stride,
                  std::int64_t padding, std::int64_t dilation, bool ceil_mode) {
  return max_pool_fixed("max_pool1d", x, 1,
                        fixed_windows({1, kernel_size}, {1, stride}, {0, padding}, {1, dilation}),
                        ceil_mode)
      .values;
}

ValuesIndices max_pool1d_with_indices(const Tensor& x, std::int64_t kernel_size,
                                      std::int64_t stride, std::int64_t padding,
                                      std::int64_t dilation, bool ceil_mode) {
  return max_pool_fixed("max_pool1d_with_indices", x, 1,
                        fixed_windows({1, kernel_size}, {1, stride}, {0, padding}, {1, dilation}),
                        ceil_mode, true);
}

Tensor max_pool2d(const Tensor& x, Pair kernel_size, Pair stride, Pair padding, Pair dilation,
                  bool ceil_mode) {
  return max_pool_fixed("max_pool2d", x, 2, fixed_windows(kernel_size, stride, padding, dilation),
                        ceil_mode)
      .values;
}

ValuesIndices max_pool2d_with_indices(const Tensor& x, Pair kernel_size, Pair stride, Pair padding,
                                      Pair dilation, bool ceil_mode) {
  return max_pool_fixed("max_pool2d_with_indices", x, 2,
                        fixed_windows(kernel_size, stride, padding, dilation), ceil_mode, true);
}

Tensor avg_pool1d(const Tensor& x, std::int64_t kernel_size, std::int64_t stride,
                  std::int64_t padding, bool ceil_mode, bool count_include_pad) {
  return avg_pool_fixed("avg_pool1d", x, 1,
                        fixed_windows({1, kernel_size}, {1, stride}, {0, padding}, 1), ceil_mode,
                        {count_include_pad, 0});
}

Tensor avg_pool2d(const Tensor& x, Pair kernel_size, Pair stride, Pair padding, bool ceil_mode,
                  bool count_include_pad, std::int64_t divisor_override) {
  return avg_pool_fixed("avg_pool2d", x, 2, fixed_windows(kernel_size, stride, padding, 1),
                        ceil_mode, {count_include_pad, divisor_override});
}

Tensor adaptive_avg_pool1d(const Tensor& x, std::int64_t output_size) {
  constexpr auto op = "adaptive_avg_pool1d";
  Layout layout;
  const Tensor images = images_of(op, x, 1, layout);
  const Pool2d pool{{1, 1, 0, 1, true}, adaptive_axis(op, images.shape()[3], output_size)};
  return avg_pool(op, x, images, pool, {}, layout, pooled_shape(x, 1, 1, output_size));
}

Tensor adaptive_avg_pool2d(const Tensor& x, OutputSize output_size) {
  constexpr auto op = "adaptive_avg_pool2d";
  Layout layout;
  const Tensor images = images_of(op, x, 2, layout);
  const Pair out = size_of(output_size, images);
  const Pool2d pool = adaptive_windows(op, images, out);
  return avg_pool(op, x, images, pool, {}, layout, pooled_shape(x, 2, out.h, out.w));
}

Tensor adaptive_max_pool2d(const Tensor& x, OutputSize output_size) {
  return max_pool_adaptive(x, output_size, false).values;
}

ValuesIndices adaptive_max_pool2d_with_indices(const Tensor& x, OutputSize output_size) {
  return max_pool_adaptive(x, output_size, true);
}

}  // namespace gradus
