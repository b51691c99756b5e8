// The views, recorded. A view shares its base's memory; its backward puts dy back where it came
// from.
#include "gradus/tensor/views.h"

#include "gradus/autograd/pointwise.h"
#include "gradus/autograd/record.h"
#include "gradus/autograd/rows.h"
#include "gradus/kernels/binary.h"
#include "gradus/kernels/create.h"

namespace gradus {
namespace {

/// Records `y` as a view of `x`; `back(dy)` gives dx.
template <class Back>
Tensor record_view(const char* name, const Tensor& x, const Tensor& y, Back back) {
  if (recording({&x})) x.raw()->storage->recorded_view = true;
  return record(name, y, on(x), keep(),
                [back = std::move(back)](const Tensor& dy, GradOut dx) { dx.give(back(dy)); });
}

/// Records `y`, a view that shows a part of x without overlap. Its gradient is added to the same
/// part of x's, in place: many parts of one tensor cost one gradient of its size.
template <class View>
Tensor record_part(const char* name, const Tensor& x, const Tensor& y, View view) {
  if (recording({&x})) x.raw()->storage->recorded_view = true;
  return record(name, y, on(x), keep(), [shape = x.shape(), view](const Tensor& dy, GradOut dx) {
    if (!dx.wanted()) return;
    const GradTarget target = dx.target(shape, dy.dtype());
    if (!target.add) dispatch<cpu::fill, cuda::fill>(dy.device(), target.to, 0);
    const Tensor part = view(target.to);
    if (!target.add && target.alpha == 1) return copy_into(dy, part);
    const OpCall add = ops::call<ops::BinaryOps>(ops::AddScaled{target.alpha});
    dispatch<cpu::binary, cuda::binary>(dy.device(), add, part, dy, part);
  });
}

Tensor reshaped(const Tensor& dy, const Shape& shape) {
  const Tensor c = as_contiguous(dy);
  return as_view(c, shape, contiguous_strides(shape), c.raw()->offset);
}

}  // namespace

Tensor Tensor::view(const Shape& shape) const {
  const Shape wanted = views::infer_shape("view", shape, numel());
  const auto strides = views::reshape_strides(*this, wanted);
  check(strides.has_value(), ErrorKind::shape, "view: shape ", this->shape(), " with strides ",
        this->strides(), " cannot be seen as ", wanted, "; use reshape");
  return record_view("view", *this, as_view(*this, wanted, *strides, body().offset),
                     [from = this->shape()](const Tensor& dy) { return reshaped(dy, from); });
}

Tensor Tensor::reshape(const Shape& shape) const {
  const Shape wanted = views::infer_shape("reshape", shape, numel());
  if (wanted == this->shape()) return *this;
  return views::reshape_strides(*this, wanted) ? view(wanted) : contiguous().view(wanted);
}

Tensor Tensor::flatten(int start, int end) const {
  if (dim() == 0) return reshape({1});
  const int a = wrap_dim("flatten", start, dim()), b = wrap_dim("flatten", end, dim());
  check(a <= b, ErrorKind::argument, "flatten: start ", start, " is after end ", end);
  Shape wanted;
  for (int i = 0; i < dim(); ++i) {
    if (i > a && i <= b)
      wanted[wanted.size() - 1] *= shape()[i];
    else
      wanted.push_back(shape()[i]);
  }
  return reshape(wanted);
}

Tensor Tensor::unflatten(int dim, const Shape& sizes) const {
  const int d = wrap_dim("unflatten", dim, this->dim());
  const Shape inner = views::infer_shape("unflatten", sizes, size(d));
  Shape wanted;
  for (int i = 0; i < this->dim(); ++i) {
    if (i != d)
      wanted.push_back(shape()[i]);
    else
      for (std::int64_t s : inner) wanted.push_back(s);
  }
  return reshape(wanted);
}

Tensor Tensor::permute(const Dims& dims) const {
  const Tensor y = views::permute(*this, dims);
  Dims inverse = dims;
  for (int i = 0; i < dim(); ++i) inverse[wrap_dim("permute", dims[i], dim())] = i;
  return record_view("permute", *this, y,
                     [inverse](const Tensor& dy) { return views::permute(dy, inverse); });
}

Tensor Tensor::transpose(int a, int b) const {
  return record_view("transpose", *this, views::transpose(*this, a, b),
                     [a, b](const Tensor& dy) { return views::transpose(dy, a, b); });
}

Tensor Tensor::t() const {
  check(dim() <= 2, ErrorKind::shape, "t: expected at most 2 dimensions, got ", shape());
  return dim() < 2 ? *this : transpose(0, 1);
}

Tensor Tensor::movedim(const Dims& source, const Dims& destination) const {
  constexpr auto op = "movedim";
  check(source.size() == destination.size(), ErrorKind::argument, op, ": ", source.size(),
        " dimensions to move to ", destination.size(), " places");
  bool moved[Shape::max_dims] = {};
  Dims order = std::vector<int>(static_cast<std::size_t>(dim()), -1);
  for (int i = 0; i < source.size(); ++i) {
    const int from = wrap_dim(op, source[i], dim()), to = wrap_dim(op, destination[i], dim());
    check(!moved[from] && order[to] < 0, ErrorKind::argument, op, ": dimension ", from,
          " or place ", to, " is given twice");
    moved[from] = true;
    order[to] = from;
  }
  int at = 0;  // the others in order where there is room
  for (int d = 0; d < dim(); ++d) {
    if (moved[d]) continue;
    while (order[at] >= 0) ++at;
    order[at] = d;
  }
  return permute(order);
}

Tensor Tensor::unsqueeze(int dim) const {
  return record_view("unsqueeze", *this, views::unsqueeze(*this, dim),
                     [from = shape()](const Tensor& dy) { return reshaped(dy, from); });
}

Tensor Tensor::squeeze(int dim) const {
  return record_view("squeeze", *this, views::squeeze(*this, dim),
                     [from = shape()](const Tensor& dy) { return reshaped(dy, from); });
}

Tensor Tensor::squeeze() const {
  Tensor y = as_view(*this, shape(), strides(), raw()->offset);
  for (int i = dim() - 1; i >= 0; --i) y = views::squeeze(y, i);
  return record_view("squeeze", *this, y,
                     [from = shape()](const Tensor& dy) { return reshaped(dy, from); });
}

Tensor Tensor::expand(const Shape& wanted) const {
  return record_view("expand", *this, views::expand(*this, wanted),
                     [from = shape()](const Tensor& dy) { return sum_to(dy, from); });
}

Tensor Tensor::slice(int dim, std::int64_t start, std::int64_t end, std::int64_t step) const {
  auto view = [=](const Tensor& t) { return views::slice(t, dim, start, end, step); };
  return record_part("slice", *this, view(*this), view);
}

Tensor Tensor::narrow(int dim, std::int64_t start, std::int64_t length) const {
  const std::int64_t n = size(dim), first = start < 0 ? start + n : start;
  check(first >= 0 && first <= n && length >= 0 && length <= n - first, ErrorKind::argument,
        "narrow: start ", start, " and length ", length, " do not fit size ", n);
  return slice(dim, first, first + length);
}

Tensor Tensor::select(int dim, std::int64_t index) const {
  auto view = [=](const Tensor& t) { return views::select(t, dim, index); };
  return record_part("select", *this, view(*this), view);
}

Tensor Tensor::diagonal(std::int64_t offset, int dim1, int dim2) const {
  auto view = [=](const Tensor& t) { return views::diagonal(t, offset, dim1, dim2); };
  return record_part("diagonal", *this, view(*this), view);
}

Tensor Tensor::unfold(int dim, std::int64_t size, std::int64_t step) const {
  if (shape().empty()) {  // one element, whose only window is itself
    check(size >= 0 && size <= 1 && step > 0, ErrorKind::argument, "unfold: size ", size,
          " and step ", step, " do not fit a 0-dim tensor");
    return reshape({1}).narrow(0, 0, size);
  }
  const int d = wrap_dim("unfold", dim, this->dim());
  return record_view("unfold", *this, views::unfold(*this, d, size, step),
                     [shape = shape(), d, size, step](const Tensor& dy) {
                       Tensor dx = zeros(
                           shape, dy.options());  // windows may overlap: add one after another
                       for (std::int64_t w = 0; w < dy.size(d); ++w) {
                         const Tensor part = views::slice(dx, d, w * step, w * step + size, 1);
                         const Tensor from = views::select(dy, d, w);  // (..., size) with size last
                         part.add_(detail::moved(from, from.dim() - 1, d));
                       }
                       return dx;
                     });
}

}  // namespace gradus
