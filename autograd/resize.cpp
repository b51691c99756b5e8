// pixel_shuffle, unfold and interpolate: compositions of views and index_select.
#include "gradus/autograd/functions/resize.h"

#include <cmath>
#include <vector>

#include "gradus/autograd/functions/index.h"
#include "gradus/autograd/functions/pointwise.h"
#include "gradus/autograd/functions/shape.h"

namespace gradus {
namespace {

/// For each output along one side: the inputs below and above it, and the weight of the upper one.
struct Sources {
  std::vector<std::int64_t> low, high;
  std::vector<double> part;
};

/// `ratio` is inputs an output. In float, as PyTorch counts, so that the same pixels are taken.
Sources nearest(std::int64_t in, std::int64_t out, double ratio) {
  Sources s;
  for (std::int64_t i = 0; i < out; ++i) {
    const float at = std::floor(static_cast<float>(i) * static_cast<float>(ratio));
    s.low.push_back(std::min(static_cast<std::int64_t>(at), in - 1));
  }
  return s;
}

Sources linear(std::int64_t in, std::int64_t out, double ratio, bool align_corners) {
  Sources s;
  const double corners = out > 1 ? static_cast<double>(in - 1) / static_cast<double>(out - 1) : 0.0;
  for (std::int64_t i = 0; i < out; ++i) {
    const double centre = (static_cast<double>(i) + 0.5) * ratio - 0.5;
    const double at = align_corners ? static_cast<double>(i) * corners : std::max(0.0, centre);
    const std::int64_t low = std::min(static_cast<std::int64_t>(at), in - 1);
    s.low.push_back(low);
    s.high.push_back(std::min(low + 1, in - 1));
    s.part.push_back(at - static_cast<double>(low));
  }
  return s;
}

Tensor select(const Tensor& x, int dim, const std::vector<std::int64_t>& index) {
  const Tensor i =
      from_data(index.data(), {static_cast<std::int64_t>(index.size())}, {Dtype::i64, x.device()});
  return index_select(x, dim, i);
}

/// One side of the image: low + part (high - low), as (1 - part) low + part high.
Tensor resize(const Tensor& x, int dim, const Sources& s) {
  if (s.part.empty()) return select(x, dim, s.low);
  if (!x.is_floating()) return floor(resize(x.to(Dtype::f64), dim, s) + 0.5).to(x.dtype());
  const Tensor low = select(x, dim, s.low);
  Shape shape = Shape::filled(4, 1);
  shape[dim] = static_cast<std::int64_t>(s.part.size());
  std::vector<double> rest;
  for (double p : s.part) rest.push_back(1 - p);
  const auto weights = [&](const std::vector<double>& w) {
    return from_data(w.data(), shape, {Dtype::f64}).to(x.dtype()).to(x.device());
  };
  return low * weights(rest) + select(x, dim, s.high) * weights(s.part);
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
    std::vector<std::int64_t> index;  // (k, windows)
    for (std::int64_t t = 0; t < k; ++t) {
      for (std::int64_t i = 0; i < count[dim - 2]; ++i) index.push_back(t * dilation + i * stride);
    }
    return index;
  };
  const auto rows = places(2, kernel.h, dilation.h, stride.h);
  const auto columns = places(3, kernel.w, dilation.w, stride.w);
  const std::int64_t n = x.size(0), c = x.size(1);
  return select(select(padded, 2, rows), 3, columns)
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
               bilinear ? linear(from, to, ratio, align_corners) : nearest(from, to, ratio));
  }
  return y;
}

}  // namespace gradus
