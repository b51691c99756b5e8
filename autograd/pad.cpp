// Padding: constant, or by indices that say where each new element comes from.
#include "gradus/autograd/functions.h"
#include "gradus/autograd/record.h"
#include "gradus/kernels/create.h"
#include "gradus/tensor/views.h"

namespace gradus {
namespace {

/// The part of a padded tensor that is the original: what negative pads cut off is gone.
Tensor inside(const Tensor& padded, const std::vector<std::int64_t>& pads, const Shape& original) {
  Tensor part = padded;
  for (std::size_t i = 0; i < pads.size() / 2; ++i) {
    const int d = original.size() - 1 - static_cast<int>(i);
    const std::int64_t left = std::max<std::int64_t>(pads[2 * i], 0);
    const std::int64_t right = std::max<std::int64_t>(pads[2 * i + 1], 0);
    part = views::slice(part, d, left, part.shape()[d] - right, 1);
  }
  return part;
}

Tensor cropped(const Tensor& x, const std::vector<std::int64_t>& pads) {
  std::vector<std::int64_t> inverse = pads;
  for (std::int64_t& p : inverse) p = -p;
  return inside(x, inverse, x.shape());
}

Tensor pad_constant(const Tensor& x, const std::vector<std::int64_t>& pads, double value) {
  Shape shape = x.shape();
  for (std::size_t i = 0; i < pads.size() / 2; ++i) {
    const int d = x.dim() - 1 - static_cast<int>(i);
    const std::int64_t n = shape[d], left = pads[2 * i], right = pads[2 * i + 1];
    std::int64_t both = 0;
    const bool fits = !__builtin_add_overflow(left, right, &both) &&
                      !__builtin_add_overflow(both, n, &shape[d]) && shape[d] >= 0 && left >= -n &&
                      right >= -n;
    check(fits, ErrorKind::shape, "pad: pads ", left, " and ", right, " do not fit dimension ", d,
          " of ", x.shape());
  }
  const Tensor y = full(shape, value, x.options());
  copy_into(cropped(x, pads), inside(y, pads, x.shape()));
  return record("pad", y, on(x), keep(), [pads, shape = x.shape()](const Tensor& dy, GradOut dx) {
    const Tensor to = zeros(shape, dy.options());
    copy_into(inside(dy, pads, shape), cropped(to, pads));
    dx.give(to);
  });
}

/// Where the element at position i (from -left on) of a dimension of n elements comes from.
std::int64_t source_of(std::int64_t i, std::int64_t n, std::string_view mode) {
  if (mode == "replicate") return std::clamp<std::int64_t>(i, 0, n - 1);
  if (mode == "circular") return ((i % n) + n) % n;
  if (i < 0) return -i;
  return i < n ? i : 2 * (n - 1) - i;
}

}  // namespace

Tensor pad(const Tensor& x, const std::vector<std::int64_t>& pads, std::string_view mode,
           double value) {
  check(pads.size() % 2 == 0 && pads.size() / 2 <= static_cast<std::size_t>(x.dim()),
        ErrorKind::argument, "pad: ", pads.size(), " pads for shape ", x.shape());
  if (mode == "constant") return pad_constant(x, pads, value);
  check(mode == "reflect" || mode == "replicate" || mode == "circular", ErrorKind::argument,
        "pad: mode is constant, reflect, replicate or circular, got ", mode);
  Tensor y = x;
  for (std::size_t k = 0; k < pads.size() / 2; ++k) {
    const std::int64_t left = pads[2 * k], right = pads[2 * k + 1];
    if (left == 0 && right == 0) continue;
    const int d = x.dim() - 1 - static_cast<int>(k);
    const std::int64_t n = x.shape()[d], most = mode == "reflect" ? n - 1 : n;
    constexpr std::int64_t largest = std::int64_t{1} << 48;  // of a pad: no sum overflows
    const bool ringed = std::max<std::int64_t>(0, -left) + std::max<std::int64_t>(0, -right) < n;
    check(n > 0 && std::max(std::abs(left), std::abs(right)) < largest && n + left + right >= 0 &&
              (mode == "replicate" || (left <= most && right <= most)) &&
              (mode != "circular" || ringed),
          ErrorKind::shape, "pad: ", mode, " pads ", left, " and ", right, " do not fit dimension ",
          d, " of ", x.shape());
    std::vector<std::int64_t> index;
    // What negative pads cut off does not come back in at the other end.
    const bool ring = mode == "circular";
    const std::int64_t cut = ring ? std::max<std::int64_t>(0, -left) : 0;
    const std::int64_t rest = n - cut - (ring ? std::max<std::int64_t>(0, -right) : 0);
    for (std::int64_t i = -left; i < n + right; ++i) {
      index.push_back(cut + source_of(i - cut, rest, mode));
    }
    y = index_select(y, d,
                     from_data(index.data(), {static_cast<std::int64_t>(index.size())},
                               {Dtype::i64, x.device()}));
  }
  return y.raw() == x.raw() ? x.clone() : y;
}

}  // namespace gradus
