// pixel_shuffle, unfold and interpolate: compositions of views and index_select.
#include "gradus/autograd/functions/resize.h"

#include <cmath>

#include "gradus/autograd/functions/index.h"
#include "gradus/autograd/functions/pointwise.h"
#include "gradus/autograd/functions/shape.h"
#include "gradus/kernels/create.h"

namespace gradus {
namespace {

/// For each output along one side: the inputs below and above it (i64), and the weight of the upper
/// one (f64).
struct Sources {
  Tensor low, high, part;
};

Tensor numbers(std::int64_t n, Dtype dtype, Device device) {
  return arange(0, n, 1, {dtype, device});
}

/// `ratio` is inputs an output. In float, as PyTorch counts, so that the same pixels are taken.
Sources nearest(std::int64_t in, std::int64_t out, double ratio, Device device) {
  const Tensor at = floor(numbers(out, Dtype::f32, device) * static_cast<float>(ratio));
  return {clamp(at.to(Dtype::i64), {}, in - 1), {}, {}};
}

Sources linear(std::int64_t in, std::int64_t out, double ratio, bool align_corners, Device device) {
  const double corners = out > 1 ? static_cast<double>(in - 1) / static_cast<double>(out - 1) : 0.0;
  const Tensor i = numbers(out, Dtype::f64, device);
  const Tensor at = align_corners ? i * corners : clamp((i + 0.5) * ratio - 0.5, 0.0);
  const Tensor low = clamp(at.to(Dtype::i64), {}, in - 1);
  return {low, clamp(low + 1, {}, in - 1), at - low.to(Dtype::f64)};
}

/// One side of the image: low + part (high - low), as (1 - part) low + part high.
Tensor resize(const Tensor& x, int dim, const Sources& s) {
  if (!s.part) return index_select(x, dim, s.low);
  if (!x.is_floating()) return floor(resize(x.to(Dtype::f64), dim, s) + 0.5).to(x.dtype());
  Shape shape = Shape::filled(4, 1);
  shape[dim] = s.part.numel();
  const Tensor part = s.part.reshape(shape);
  return index_select(x, dim, s.low) * (1 - part).to(x.dtype()) +
         index_select(x, dim, s.high) * part.to(x.dtype());
}

}  // namespace

Tensor pixel_shuffle(const Tensor& x, std::int64_t r) {
  check(x.dim() >= 3 && r > 0 && r < (1 << 15), ErrorKind::shape,
        "pixel_shuffle: expected x (..., C, H, W) and a factor of 1 to 32767, got ", x.shape(),
        " and ", r);
  const int d = x.dim();
  const std::int64_t c = x.size(-3), h = x.size(-2), w = x.size(-1);
  check(c % (r * r) == 0, ErrorKind::shape, "pixel_shuffle: ", c, " channels are no multiple of ",
        r * r);
  const Tensor images = d == 3 ? x.unsqueeze(0) : x.flatten(0, d - 4);
  const Tensor tiles = images.reshape({images.size(0), c / (r * r), r, r, h, w});
  Shape shape = x.shape();
  shape[d - 3] = c / (r * r), shape[d - 2] = h * r, shape[d - 1] = w * r;
  return tiles.permute({0, 1, 4, 2, 5, 3}).reshape(shape);
}

Tensor unfold(const Tensor& x, Pair kernel, Pair dilation, Pair padding, Pair stride) {
  constexpr auto op = "unfold";
  check(x.dim() == 3 || x.dim() == 4, ErrorKind::shape, op,
        ": expected x (N, C, H, W) or (C, H, W), got ", x.shape());
  if (x.dim() == 3) return unfold(x.unsqueeze(0), kernel, dilation, padding, stride).squeeze(0);
  check(padding.h >= 0 && padding.w >= 0, ErrorKind::argument, op,
        ": padding must not be negative");
  const Tensor padded = pad(x, {padding.w, padding.w, padding.h, padding.h});
  std::int64_t count[2];
  const auto places = [&](int dim, std::int64_t k, std::int64_t dilation, std::int64_t stride) {
    check(k > 0 && dilation > 0 && stride > 0, ErrorKind::argument, op,
          ": kernel_size, dilation and stride must be positive, got ", k, ", ", dilation, " and ",
          stride);
    const std::int64_t room = padded.size(dim) - dilation * (k - 1) - 1;
    check(room >= 0, ErrorKind::shape, op, ": a window of ", dilation * (k - 1) + 1,
          " does not fit ", padded.size(dim), " padded inputs");
    count[dim - 2] = room / stride + 1;
    const auto steps = [&](std::int64_t n, std::int64_t step) {
      return numbers(n, Dtype::i64, x.device()) * step;
    };
    return (steps(k, dilation).unsqueeze(1) + steps(count[dim - 2], stride)).flatten();
  };
  const Tensor rows = places(2, kernel.h, dilation.h, stride.h);
  const Tensor columns = places(3, kernel.w, dilation.w, stride.w);
  const std::int64_t n = x.size(0), c = x.size(1);
  return index_select(index_select(padded, 2, rows), 3, columns)
      .reshape({n, c, kernel.h, count[0], kernel.w, count[1]})
      .permute({0, 1, 2, 4, 3, 5})
      .reshape({n, c * kernel.h * kernel.w, count[0] * count[1]});
}

Tensor interpolate(const Tensor& x, std::optional<Sides> size, std::optional<double> scale_factor,
                   std::string_view mode, bool align_corners) {
  constexpr auto op = "interpolate";
  check(size.has_value() != scale_factor.has_value(), ErrorKind::argument, op,
        ": expected a size or a scale_factor, one of the two");
  const bool bilinear = mode == "bilinear";
  check(bilinear || mode == "nearest", ErrorKind::argument, op,
        ": expected mode nearest or bilinear, got ", mode);
  check(bilinear || !align_corners, ErrorKind::argument, op,
        ": align_corners is for mode bilinear");
  check(x.dim() == 4 || (!bilinear && (x.dim() == 3 || x.dim() == 5)), ErrorKind::shape, op,
        ": expected x (N, C, H, W), for mode nearest also (N, C, L) or (N, C, D, H, W), got ",
        x.shape());
  check(!bilinear || x.is_floating() || x.dtype() == Dtype::u8, ErrorKind::dtype, op,
        ": mode bilinear is for a floating dtype or u8, got ", x.dtype());
  const int sides = x.dim() - 2;
  check(!size || size->count == 1 || size->count == sides, ErrorKind::argument, op, ": expected ",
        sides, " sizes for x ", x.shape(), ", got ", size ? size->count : 0);
  Tensor y = x;
  for (int d = sides - 1; d >= 0; --d) {
    const std::int64_t from = x.size(d + 2);
    const std::int64_t to =
        size ? (*size)[d]
             : static_cast<std::int64_t>(std::floor(static_cast<double>(from) * *scale_factor));
    check(from > 0 && to > 0, ErrorKind::shape, op, ": cannot turn ", from, " pixels into ", to,
          " along dimension ", d + 2, " of ", x.shape());
    const double ratio =
        scale_factor ? 1 / *scale_factor : static_cast<double>(from) / static_cast<double>(to);
    y = resize(y, d + 2,
               bilinear ? linear(from, to, ratio, align_corners, x.device())
                        : nearest(from, to, ratio, x.device()));
  }
  return y;
}

}  // namespace gradus
