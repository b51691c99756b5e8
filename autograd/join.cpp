// Joining, cutting, repeating, padding and rearranging, recorded.
#include <algorithm>
#include <numeric>

#include "gradus/autograd/functions.h"
#include "gradus/autograd/record.h"
#include "gradus/kernels/create.h"
#include "gradus/kernels/index.h"
#include "gradus/tensor/views.h"

namespace gradus {
namespace {

/// One link of a cat: `part` copied to its place in y. Recorded as a chain, each link gives the
/// gradient of its part and passes dy on unchanged.
Tensor place(const Tensor& y, const Tensor& part, int dim, std::int64_t from) {
  const std::int64_t n = part.shape()[dim];
  copy_into(part, views::slice(y, dim, from, from + n, 1));
  return record("cat", y.detach(), on(y, part), keep(),
                [dim, from, n](const Tensor& dy, GradOut rest, GradOut dpart) {
                  if (dpart.wanted()) dpart.give(views::slice(dy, dim, from, from + n, 1));
                  if (rest.wanted()) rest.give(dy);
                });
}

}  // namespace

Tensor cat(const std::vector<Tensor>& tensors, int dim) {
  check(!tensors.empty(), ErrorKind::argument, "cat: no tensors given");
  const auto nothing = [](const Tensor& t) { return t.shape() == Shape{0}; };  // fits everywhere
  const auto found = std::find_if_not(tensors.begin(), tensors.end(), nothing);
  const Tensor& first = found == tensors.end() ? tensors.front() : *found;
  check(first.dim() > 0, ErrorKind::shape, "cat: a 0-dim tensor cannot be joined; use stack");
  const int d = wrap_dim("cat", dim, first.dim());
  Dtype dtype = first.dtype();
  Shape shape = first.shape();
  shape[d] = 0;
  for (const Tensor& t : tensors) {
    check_same_device("cat", first.device(), t.device());
    dtype = promote(dtype, t.dtype());
    if (nothing(t)) continue;
    Shape other = t.shape();
    if (other.size() == shape.size()) other[d] = shape[d];
    check(other == shape, ErrorKind::shape, "cat: shapes differ outside of dimension ", d, ": ",
          first.shape(), " and ", t.shape());
    shape[d] += t.shape()[d];
  }
  Tensor y = empty(shape, {dtype, first.device()});
  std::int64_t at = 0;
  for (const Tensor& t : tensors) {
    if (nothing(t) && shape.size() > 1) continue;
    y = place(y, t.to(dtype), d, at);
    at += t.shape()[d];
  }
  return y;
}

Tensor stack(const std::vector<Tensor>& tensors, int dim) {
  check(!tensors.empty(), ErrorKind::argument, "stack: no tensors given");
  const int d = wrap_dim("stack", dim, tensors.front().dim() + 1);
  std::vector<Tensor> rows;
  rows.reserve(tensors.size());
  for (const Tensor& t : tensors) {
    check(t.shape() == tensors.front().shape(), ErrorKind::shape,
          "stack: shapes differ: ", tensors.front().shape(), " and ", t.shape());
    rows.push_back(t.unsqueeze(d));
  }
  return cat(rows, d);
}

std::vector<Tensor> split(const Tensor& x, std::int64_t size, int dim) {
  const std::int64_t n = x.size(dim);
  check(size > 0 || (size == 0 && n == 0), ErrorKind::argument, "split: size ", size, " of ", n);
  std::vector<Tensor> parts;
  for (std::int64_t at = 0; at < n; at += size) {
    parts.push_back(x.narrow(dim, at, std::min(size, n - at)));
  }
  if (parts.empty()) parts.push_back(x.narrow(dim, 0, 0));
  return parts;
}

std::vector<Tensor> split(const Tensor& x, const std::vector<std::int64_t>& sizes, int dim) {
  check(std::accumulate(sizes.begin(), sizes.end(), std::int64_t{0}) == x.size(dim),
        ErrorKind::shape, "split: the sizes do not add up to dimension ", dim, " of ", x.shape());
  std::vector<Tensor> parts;
  std::int64_t at = 0;
  for (std::int64_t size : sizes) {
    parts.push_back(x.narrow(dim, at, size));
    at += size;
  }
  return parts;
}

std::vector<Tensor> chunk(const Tensor& x, std::int64_t chunks, int dim) {
  check(chunks > 0, ErrorKind::argument, "chunk: ", chunks, " chunks");
  const std::int64_t n = x.size(dim);
  if (n == 0) return split(x, std::vector<std::int64_t>(static_cast<std::size_t>(chunks)), dim);
  return split(x, (n - 1) / chunks + 1, dim);
}

std::vector<Tensor> unbind(const Tensor& x, int dim) {
  check(x.dim() > 0, ErrorKind::shape, "unbind: a 0-dim tensor has no dimension to take apart");
  std::vector<Tensor> parts;
  for (std::int64_t i = 0; i < x.size(dim); ++i) parts.push_back(x.select(dim, i));
  return parts;
}

namespace {

Tensor flipped(const Tensor& x, const Dims& dims) {
  Strides strides = x.strides();
  std::int64_t offset = x.raw()->offset;
  for (int d : dims) {
    if (x.shape()[d] == 0) continue;
    offset += (x.shape()[d] - 1) * strides[d];
    strides[d] = -strides[d];
  }
  const Tensor y = empty(x.shape(), x.options());
  if (x.numel() > 0) copy_into(as_view(x, x.shape(), strides, offset), y);
  return y;
}

}  // namespace

Tensor flip(const Tensor& x, const Dims& dims) {
  Dims wrapped = dims;
  for (int i = 0; i < dims.size(); ++i) wrapped[i] = wrap_dim("flip", dims[i], x.dim());
  for (int i = 0; i < dims.size(); ++i) {
    check(std::count(wrapped.begin(), wrapped.end(), wrapped[i]) == 1, ErrorKind::argument,
          "flip: dimension ", wrapped[i], " given twice");
  }
  if (x.dim() == 0) return x.clone();
  return record("flip", flipped(x, wrapped), on(x), keep(),
                [wrapped](const Tensor& dy, GradOut dx) { dx.give(flipped(dy, wrapped)); });
}

Tensor roll(const Tensor& x, std::int64_t shift) {
  return roll(x.reshape({-1}), shift, 0).reshape(x.shape());
}

Tensor roll(const Tensor& x, std::int64_t shift, int dim) {
  return roll(x, std::vector<std::int64_t>{shift}, dim);
}

Tensor roll(const Tensor& x, const std::vector<std::int64_t>& shifts, const Dims& dims) {
  check(static_cast<int>(shifts.size()) == dims.size(), ErrorKind::argument,
        "roll: ", shifts.size(), " shifts for ", dims.size(), " dimensions");
  check(!shifts.empty(), ErrorKind::argument, "roll: no shifts given");
  check(x.dim() > 0 || dims.empty(), ErrorKind::shape, "roll: a 0-dim tensor has no dimension ",
        dims.empty() ? 0 : dims[0]);
  Tensor y = x;
  for (int i = 0; i < dims.size(); ++i) {
    const std::int64_t n = y.size(dims[i]);
    if (n == 0) continue;
    const std::int64_t shift = (shifts[static_cast<std::size_t>(i)] % n + n) % n;
    if (shift != 0) {
      y = cat({y.narrow(dims[i], n - shift, shift), y.narrow(dims[i], 0, n - shift)}, dims[i]);
    }
  }
  return y;
}

Tensor repeat(const Tensor& x, const Shape& times) {
  check(times.size() >= x.dim(), ErrorKind::shape, "repeat: ", times, " for shape ", x.shape());
  Shape shape = Shape::filled(times.size() - x.dim(), 1);
  for (std::int64_t n : x.shape()) shape.push_back(n);
  Tensor y = x.reshape(shape);
  for (int d = times.size() - 1; d >= 0; --d) {
    check(times[d] >= 0 && times[d] < std::int64_t{1} << 40, ErrorKind::argument,
          "repeat: expected counts from 0 to 2^40, got ", times);
    if (times[d] == 1) continue;
    if (y.size(d) == 1) {  // without the detour over one more dimension
      Shape wide = y.shape();
      wide[d] = times[d];
      y = y.expand(wide);
      continue;
    }
    const std::vector<Tensor> copies(static_cast<std::size_t>(times[d]), y);
    y = times[d] == 0 ? y.narrow(d, 0, 0) : cat(copies, d);
  }
  const bool shares = y.raw()->storage == x.raw()->storage;
  return shares || !y.is_contiguous() ? y.clone() : y;
}

Tensor tile(const Tensor& x, const Shape& times) {
  Shape all = Shape::filled(std::max(0, x.dim() - times.size()), 1);
  for (std::int64_t n : times) all.push_back(n);
  return repeat(x, all);
}

Tensor repeat_interleave(const Tensor& x, std::int64_t times, int dim) {
  check(times >= 0, ErrorKind::argument, "repeat_interleave: a negative count, ", times);
  const int d = wrap_dim("repeat_interleave", dim, x.dim());
  return repeat_interleave(x, full({x.size(d)}, static_cast<double>(times), {Dtype::i64}), d);
}

Tensor repeat_interleave(const Tensor& x, std::int64_t times) {
  return repeat_interleave(x.reshape({-1}), times, 0);
}

Tensor repeat_interleave(const Tensor& x, const Tensor& times, int dim) {
  const std::vector<std::int64_t> counts = times.to_vector<std::int64_t>();
  check(times.dim() == 1 && times.numel() == x.size(dim), ErrorKind::shape,
        "repeat_interleave: counts ", times.shape(), " for dimension ", dim, " of ", x.shape());
  std::vector<std::int64_t> index;
  for (std::size_t i = 0; i < counts.size(); ++i) {
    check(counts[i] >= 0, ErrorKind::argument, "repeat_interleave: a negative count, ", counts[i]);
    index.insert(index.end(), static_cast<std::size_t>(counts[i]), static_cast<std::int64_t>(i));
  }
  return index_select(
      x, dim,
      from_data(index.data(), {static_cast<std::int64_t>(index.size())}, {Dtype::i64, x.device()}));
}

namespace {

Tensor triangle(const char* name, const Tensor& x, std::int64_t k, bool lower) {
  check(x.dim() >= 2, ErrorKind::shape, name, ": expected matrices, got ", x.shape());
  k = std::clamp(k, -x.size(-2) - 1, x.size(-1) + 1);  // further off there is no diagonal
  const auto cut = [k, lower](const Tensor& from) {
    const Tensor to = empty(from.shape(), from.options());
    dispatch<cpu::triangle, cuda::triangle>(from.device(), from, k, lower, to);
    return to;
  };
  return record(name, cut(x), on(x), keep(),
                [cut](const Tensor& dy, GradOut dx) { dx.give(cut(dy)); });
}

}  // namespace

Tensor tril(const Tensor& x, std::int64_t k) { return triangle("tril", x, k, true); }
Tensor triu(const Tensor& x, std::int64_t k) { return triangle("triu", x, k, false); }

Tensor diag(const Tensor& x, std::int64_t k) {
  check(x.dim() == 1 || x.dim() == 2, ErrorKind::shape, "diag: expected a vector or a matrix, got ",
        x.shape());
  if (x.dim() == 2) return x.diagonal(k).clone();
  const std::int64_t n = x.numel() + std::abs(k);
  const Tensor y = zeros({n, n}, x.options());
  copy_into(x, views::diagonal(y, k, 0, 1));
  return record("diag", y, on(x), keep(), [k](const Tensor& dy, GradOut dx) {
    dx.give(as_contiguous(views::diagonal(dy, k, 0, 1)));
  });
}

std::vector<Tensor> meshgrid(const std::vector<Tensor>& axes, std::string_view indexing) {
  check(indexing == "ij" || indexing == "xy", ErrorKind::argument,
        "meshgrid: indexing is \"ij\" or \"xy\", got \"", indexing, "\"");
  const int n = static_cast<int>(axes.size());
  Shape shape;
  for (const Tensor& a : axes) {
    check(a.dim() <= 1, ErrorKind::shape, "meshgrid: expected vectors, got ", a.shape());
    shape.push_back(a.numel());
  }
  const bool swap = indexing == "xy" && n >= 2;
  std::vector<Tensor> grids;
  for (int i = 0; i < n; ++i) {
    Shape along = Shape::filled(n, 1);
    along[i] = shape[i];
    const Tensor grid = axes[static_cast<std::size_t>(i)].reshape(along).expand(shape);
    grids.push_back(swap ? grid.transpose(0, 1) : grid);
  }
  return grids;
}

}  // namespace gradus
