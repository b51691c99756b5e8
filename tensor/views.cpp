#include "gradus/tensor/views.h"

#include <algorithm>

namespace gradus::views {

Shape infer_shape(const char* op, const Shape& shape, std::int64_t numel) {
  Shape out = shape;
  int unknown = -1;
  std::int64_t known = 1;
  for (int i = 0; i < shape.size(); ++i) {
    if (shape[i] == -1) {
      check(unknown < 0, ErrorKind::shape, op, ": more than one -1 in ", shape);
      unknown = i;
    } else {
      check(shape[i] >= 0, ErrorKind::shape, op, ": negative size in ", shape);
      check(!__builtin_mul_overflow(known, shape[i], &known), ErrorKind::shape, op,
            ": too many elements in ", shape);
    }
  }
  if (unknown >= 0) {
    check(known > 0 && numel % known == 0, ErrorKind::shape, op, ": ", numel,
          " elements do not fit ", shape);
    out[unknown] = numel / known;
  } else {
    check(known == numel, ErrorKind::shape, op, ": ", numel, " elements do not fit ", shape);
  }
  return out;
}

std::optional<Strides> reshape_strides(const Tensor& t, const Shape& shape) {
  if (t.is_contiguous()) return contiguous_strides(shape);
  // Runs of old dimensions that are contiguous among themselves are cut anew into new dimensions.
  Strides out = shape;
  int next = shape.size() - 1;  // new dimension to place, from the last
  std::int64_t run = 1, placed = 1, step = t.dim() > 0 ? t.strides().back() : 1;
  for (int i = t.dim() - 1; i >= 0; --i) {
    run *= t.shape()[i];
    const bool ends = i == 0 || (t.shape()[i - 1] != 1 && t.strides()[i - 1] != run * step);
    if (!ends) continue;
    while (next >= 0 && (placed < run || shape[next] == 1)) {
      out[next] = placed * step;
      placed *= shape[next];
      --next;
    }
    if (placed != run) return std::nullopt;
    if (i > 0) {
      step = t.strides()[i - 1];
      run = placed = 1;
    }
  }
  if (next >= 0) return std::nullopt;
  return out;
}

Tensor permute(const Tensor& t, std::span<const int> dims) {
  check(static_cast<int>(dims.size()) == t.dim(), ErrorKind::argument, "permute: ", dims.size(),
        " dimensions given for a tensor of shape ", t.shape());
  Shape shape = t.shape();
  Strides strides = t.strides();
  unsigned seen = 0;
  for (int i = 0; i < t.dim(); ++i) {
    const int d = wrap_dim("permute", dims[static_cast<std::size_t>(i)], t.dim());
    check((seen & (1u << d)) == 0, ErrorKind::argument, "permute: dimension ", d, " given twice");
    seen |= 1u << d;
    shape[i] = t.shape()[d];
    strides[i] = t.strides()[d];
  }
  return as_view(t, shape, strides, t.raw()->offset);
}

Tensor transpose(const Tensor& t, int a, int b) {
  a = wrap_dim("transpose", a, t.dim());
  b = wrap_dim("transpose", b, t.dim());
  Shape shape = t.shape();
  Strides strides = t.strides();
  if (t.dim() > 0) {
    std::swap(shape[a], shape[b]);
    std::swap(strides[a], strides[b]);
  }
  return as_view(t, shape, strides, t.raw()->offset);
}

Tensor unsqueeze(const Tensor& t, int dim) {
  const int d = wrap_dim("unsqueeze", dim, t.dim() + 1);
  Shape shape = t.shape();
  Strides strides = t.strides();
  const std::int64_t step = d < t.dim() ? shape[d] * strides[d] : 1;
  shape.insert(d, 1);
  strides.insert(d, step);
  return as_view(t, shape, strides, t.raw()->offset);
}

Tensor squeeze(const Tensor& t, int dim) {
  const int d = wrap_dim("squeeze", dim, t.dim());
  Shape shape = t.shape();
  Strides strides = t.strides();
  if (t.dim() > 0 && shape[d] == 1) {
    shape.erase(d);
    strides.erase(d);
  }
  return as_view(t, shape, strides, t.raw()->offset);
}

Tensor expand(const Tensor& t, const Shape& shape) {
  check(shape.size() >= t.dim(), ErrorKind::shape, "expand: cannot expand ", t.shape(), " to ",
        shape);
  Shape out = shape;
  Strides strides = Shape::filled(shape.size(), 0);
  const int added = shape.size() - t.dim();
  for (int i = 0; i < shape.size(); ++i) {
    if (i < added) {
      check(shape[i] >= 0, ErrorKind::shape, "expand: a new dimension needs a size, got ", shape);
      continue;
    }
    const std::int64_t have = t.shape()[i - added];
    if (out[i] == -1) out[i] = have;
    check(have == out[i] || have == 1, ErrorKind::shape, "expand: cannot expand ", t.shape(),
          " to ", shape);
    strides[i] = have == out[i] ? t.strides()[i - added] : 0;
  }
  checked_numel("expand", out);
  return as_view(t, out, strides, t.raw()->offset);
}

Tensor slice(const Tensor& t, int dim, std::int64_t start, std::int64_t end, std::int64_t step) {
  check(t.dim() > 0, ErrorKind::shape, "slice: a 0-dim tensor has no dimension to slice");
  check(step > 0, ErrorKind::argument, "slice: step must be positive, got ", step);
  const int d = wrap_dim("slice", dim, t.dim());
  const std::int64_t n = t.shape()[d];
  auto clamp = [n](std::int64_t i) { return std::clamp<std::int64_t>(i < 0 ? i + n : i, 0, n); };
  start = clamp(start);
  end = std::max(clamp(end), start);
  Shape shape = t.shape();
  Strides strides = t.strides();
  shape[d] = (end - start + step - 1) / step;
  strides[d] *= step;
  return as_view(t, shape, strides, t.raw()->offset + start * t.strides()[d]);
}

Tensor select(const Tensor& t, int dim, std::int64_t index) {
  check(t.dim() > 0, ErrorKind::shape, "select: a 0-dim tensor has no dimension to index");
  const int d = wrap_dim("select", dim, t.dim());
  const std::int64_t n = t.shape()[d];
  check(index >= -n && index < n, ErrorKind::argument, "select: index ", index,
        " is out of range for size ", n);
  Shape shape = t.shape();
  Strides strides = t.strides();
  const std::int64_t offset = t.raw()->offset + (index < 0 ? index + n : index) * strides[d];
  shape.erase(d);
  strides.erase(d);
  return as_view(t, shape, strides, offset);
}

Tensor unfold(const Tensor& t, int dim, std::int64_t size, std::int64_t step) {
  const int d = wrap_dim("unfold", dim, t.dim());
  check(t.dim() > 0 && size >= 0 && size <= t.shape()[d] && step > 0, ErrorKind::argument,
        "unfold: size ", size, " and step ", step, " do not fit dimension ", d, " of ", t.shape());
  Shape shape = t.shape();
  Strides strides = t.strides();
  shape[d] = (shape[d] - size) / step + 1;
  shape.push_back(size);
  strides.push_back(strides[d]);
  strides[d] *= step;
  return as_view(t, shape, strides, t.raw()->offset);
}

Tensor diagonal(const Tensor& t, std::int64_t offset, int dim1, int dim2) {
  const int a = wrap_dim("diagonal", dim1, t.dim()), b = wrap_dim("diagonal", dim2, t.dim());
  check(t.dim() >= 2 && a != b, ErrorKind::argument, "diagonal: needs two different dimensions of ",
        t.shape());
  const std::int64_t down = offset < 0 ? -offset : 0, right = offset > 0 ? offset : 0;
  const std::int64_t n =
      std::max<std::int64_t>(0, std::min(t.shape()[a] - down, t.shape()[b] - right));
  Shape shape = t.shape();
  Strides strides = t.strides();
  const std::int64_t step = strides[a] + strides[b];
  const std::int64_t first = n == 0 ? 0 : down * strides[a] + right * strides[b];
  for (int d : {std::max(a, b), std::min(a, b)}) {
    shape.erase(d);
    strides.erase(d);
  }
  shape.push_back(n);
  strides.push_back(step);
  return as_view(t, shape, strides, t.raw()->offset + first);
}

}  // namespace gradus::views
