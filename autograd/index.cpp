// Choosing and placing elements by index, recorded.
#include "gradus/kernels/index.h"

#include <algorithm>

#include "gradus/autograd/functions.h"
#include "gradus/autograd/record.h"
#include "gradus/kernels/create.h"
#include "gradus/tensor/views.h"

namespace gradus {
namespace {

Tensor as_index(const char* op, const Tensor& index) {
  check(index.dtype() == Dtype::i64 || index.dtype() == Dtype::i32, ErrorKind::dtype, op,
        ": expected an i64 or i32 index, got ", index.dtype());
  return as_dtype(index, Dtype::i64);
}

/// 0-dim tensors are indexed as if they had one dimension.
Tensor at_least_1d(const Tensor& t) { return t.dim() == 0 ? t.reshape({1}) : t; }

/// The part of t that index covers in all dimensions but `dim`.
Tensor covered(const Tensor& t, const Shape& shape, int but = -1) {
  Tensor part = t;
  for (int d = 0; d < shape.size(); ++d) {
    if (d != but && t.shape()[d] != shape[d]) part = views::slice(part, d, 0, shape[d], 1);
  }
  return part;
}

void check_covers(const char* op, const char* what, const Tensor& t, const Tensor& index, int dim) {
  bool fits = t.dim() == index.dim();
  for (int d = 0; fits && d < t.dim(); ++d) fits = d == dim || index.shape()[d] <= t.shape()[d];
  check(fits, ErrorKind::shape, op, ": index ", index.shape(), " does not fit ", what, " ",
        t.shape(), " along dimension ", dim);
}

void check_vector(const char* op, const Tensor& index) {
  check(index.dim() <= 1, ErrorKind::shape, op, ": expected an index of one dimension, got ",
        index.shape());
}

Tensor gathered(const Tensor& x, int dim, const Tensor& index) {
  const Tensor y = empty(index.shape(), x.options());
  dispatch<cpu::gather, cuda::gather>(x.device(), x, dim, index, y);
  return y;
}

Tensor copied(const Tensor& x) {
  const Tensor y = empty(x.shape(), x.options());
  copy_into(x, y);
  return y;
}

}  // namespace

Tensor gather(const Tensor& x, int dim, const Tensor& positions) {
  check_same_device("gather", x.device(), positions.device());
  if (x.dim() == 0) {
    return gather(x.reshape({1}), dim, at_least_1d(positions)).reshape(positions.shape());
  }
  const int d = wrap_dim("gather", dim, x.dim());
  if (positions.numel() == 0) {  // of any dtype and shape, as in PyTorch: nothing is looked up
    return index_select(x.flatten(), 0, zeros({0}, {Dtype::i64, x.device()}))
        .reshape(positions.shape());
  }
  const Tensor index = as_index("gather", positions);
  check_covers("gather", "x", x, index, d);
  return record("gather", gathered(x, d, index), on(x), keep(index),
                [d, shape = x.shape()](const Tensor& dy, const Tensor& index, GradOut dx) {
                  const Tensor to = zeros(shape, dy.options());
                  dispatch<cpu::scatter, cuda::scatter>(dy.device(), "gather", d, index, dy, true,
                                                        to);
                  dx.give(to);
                });
}

Tensor take_along_dim(const Tensor& x, const Tensor& index, int dim) {
  const int d = wrap_dim("take_along_dim", dim, x.dim());
  check(x.dim() == index.dim(), ErrorKind::shape, "take_along_dim: index ", index.shape(),
        " has not the dimensions of ", x.shape());
  const Tensor positions = where(index < 0, index + x.size(d), index);
  Shape a = x.shape(), b = index.shape();
  a[d] = b[d] = 1;
  Shape whole = broadcast_shapes("take_along_dim", a, b), chosen = whole;
  whole[d] = x.shape()[d];
  chosen[d] = index.shape()[d];
  return gather(x.expand(whole), d, positions.expand(chosen));
}

Tensor scatter(const Tensor& x, int dim, const Tensor& positions, const Tensor& src) {
  check_same_device("scatter", x.device(), positions.device());
  check_same_device("scatter", x.device(), src.device());
  if (x.dim() == 0 && src.dim() <= 1 && positions.dim() <= 1) {
    return scatter(x.reshape({1}), dim, at_least_1d(positions), at_least_1d(src)).reshape({});
  }
  const int d = wrap_dim("scatter", dim, x.dim());
  const Tensor index = as_index("scatter", positions);
  check_covers("scatter", "x", x, index, d);
  check_covers("scatter", "src", src, index, -1);
  check(src.dtype() == x.dtype(), ErrorKind::dtype, "scatter: x is ", x.dtype(), ", src is ",
        src.dtype());
  const Tensor y = copied(x);
  dispatch<cpu::scatter, cuda::scatter>(x.device(), "scatter", d, index, src, false, y);
  return record(
      "scatter", y, on(x, src), keep(index),
      [d, shape = src.shape()](const Tensor& dy, const Tensor& index, GradOut dx, GradOut dsrc) {
        if (dx.wanted()) {
          const Tensor to = copied(dy),
                       zero = views::expand(full({}, 0, dy.options()), index.shape());
          dispatch<cpu::scatter, cuda::scatter>(dy.device(), "scatter", d, index, zero, false, to);
          dx.give(to);
        }
        if (dsrc.wanted()) {
          const Tensor to = zeros(shape, dy.options());
          copy_into(gathered(dy, d, index), covered(to, index.shape()));
          dsrc.give(to);
        }
      });
}

Tensor scatter(const Tensor& x, int dim, const Tensor& index, Scalar value) {
  return scatter(x, dim, index, as_dtype(scalar_beside(x, value), x.dtype()).expand(index.shape()));
}

Tensor scatter_add(const Tensor& x, int dim, const Tensor& positions, const Tensor& src) {
  check_same_device("scatter_add", x.device(), positions.device());
  check_same_device("scatter_add", x.device(), src.device());
  if (x.dim() == 0 && src.dim() <= 1 && positions.dim() <= 1) {
    return scatter_add(x.reshape({1}), dim, at_least_1d(positions), at_least_1d(src)).reshape({});
  }
  const int d = wrap_dim("scatter_add", dim, x.dim());
  const Tensor index = as_index("scatter_add", positions);
  check_covers("scatter_add", "x", x, index, d);
  check_covers("scatter_add", "src", src, index, -1);
  check(src.dtype() == x.dtype(), ErrorKind::dtype, "scatter_add: x is ", x.dtype(), ", src is ",
        src.dtype());
  const Tensor y = copied(x);
  dispatch<cpu::scatter, cuda::scatter>(x.device(), "scatter_add", d, index, src, true, y);
  return record(
      "scatter_add", y, on(x, src), keep(index),
      [d, shape = src.shape()](const Tensor& dy, const Tensor& index, GradOut dx, GradOut dsrc) {
        if (dx.wanted()) dx.give(dy);
        if (!dsrc.wanted()) return;
        if (shape == index.shape()) return dsrc.give(gathered(dy, d, index));
        const Tensor to = zeros(shape, dy.options());
        copy_into(gathered(dy, d, index), covered(to, index.shape()));
        dsrc.give(to);
      });
}

Tensor index_select(const Tensor& x, int dim, const Tensor& positions) {
  check_same_device("index_select", x.device(), positions.device());
  const int d = wrap_dim("index_select", dim, x.dim());
  check_vector("index_select", positions);
  if (x.dim() == 0) {
    check(positions.numel() == 1, ErrorKind::shape, "index_select: a 0-dim tensor has one element,",
          " asked for ", positions.numel());
    return index_select(x.reshape({1}), dim, positions).reshape({});
  }
  const Tensor index = as_index("index_select", at_least_1d(positions));
  Shape shape = x.shape();
  shape[d] = index.numel();
  const Tensor y = empty(shape, x.options());
  dispatch<cpu::index_select, cuda::index_select>(x.device(), x, d, index, y);
  return record("index_select", y, on(x), keep(index),
                [d, shape = x.shape()](const Tensor& dy, const Tensor& index, GradOut dx) {
                  const Tensor to = zeros(shape, dy.options());
                  dispatch<cpu::index_add, cuda::index_add>(dy.device(), d, index, dy, 1, to);
                  dx.give(to);
                });
}

Tensor index_add(const Tensor& x, int dim, const Tensor& positions, const Tensor& src,
                 double alpha) {
  check_same_device("index_add", x.device(), positions.device());
  check_same_device("index_add", x.device(), src.device());
  const int d = wrap_dim("index_add", dim, x.dim());
  check_vector("index_add", positions);
  if (x.dim() == 0 && src.dim() <= 1) {
    return index_add(x.reshape({1}), dim, positions, at_least_1d(src), alpha).reshape({});
  }
  const Tensor index = as_index("index_add", at_least_1d(positions));
  Shape expected = x.shape();
  if (x.dim() > 0) expected[d] = index.numel();
  check(x.dim() > 0 && src.shape() == expected, ErrorKind::shape, "index_add: expected src ",
        expected, ", got ", src.shape());
  check(src.dtype() == x.dtype(), ErrorKind::dtype, "index_add: x is ", x.dtype(), ", src is ",
        src.dtype());
  const Tensor y = copied(x);
  dispatch<cpu::index_add, cuda::index_add>(x.device(), d, index, src, alpha, y);
  return record("index_add", y, on(x, src), keep(index),
                [d, alpha](const Tensor& dy, const Tensor& index, GradOut dx, GradOut dsrc) {
                  if (dx.wanted()) dx.give(dy);
                  if (!dsrc.wanted()) return;
                  Shape shape = dy.shape();
                  shape[d] = index.numel();
                  const Tensor to = empty(shape, dy.options());
                  dispatch<cpu::index_select, cuda::index_select>(dy.device(), dy, d, index, to);
                  dsrc.give(alpha == 1 ? to : mul(to, alpha));
                });
}

namespace {

/// The places of x[indices[0], indices[1] ...] in x seen as (places, rest); and the shapes of both.
struct Places {
  Tensor index;        // flat
  Shape chosen, rest;  // broadcast shape of the indices; the dimensions of x behind them
};

bool is_mask(const Tensor& index) { return index.dtype() == Dtype::boolean; }

/// A mask over k dimensions stands for k indices: where it is true.
std::vector<Tensor> without_masks(const char* op, const Tensor& x,
                                  const std::vector<Tensor>& indices) {
  std::vector<Tensor> all;
  for (const Tensor& index : indices) {
    if (!is_mask(index)) {
      all.push_back(index);
      continue;
    }
    const int from = static_cast<int>(all.size());
    bool fits = index.dim() > 0 && from + index.dim() <= x.dim();
    for (int d = 0; fits && d < index.dim(); ++d) fits = index.size(d) == x.size(from + d);
    check(fits, ErrorKind::shape, op, ": mask ", index.shape(), " does not fit ", x.shape(),
          " from dimension ", from, " on");
    const Tensor places = nonzero(index);
    for (int d = 0; d < index.dim(); ++d) all.push_back(places.select(1, d));
  }
  return all;
}

Places places_of(const char* op, const Tensor& x, const std::vector<Tensor>& indices) {
  for (const Tensor& i : indices) check_same_device(op, x.device(), i.device());
  const bool masked = std::any_of(indices.begin(), indices.end(), is_mask);
  if (masked) return places_of(op, x, without_masks(op, x, indices));
  const int n = static_cast<int>(indices.size());
  check(n > 0 && n <= x.dim(), ErrorKind::argument, op, ": ", n, " indices for shape ", x.shape());
  Places p;
  for (const Tensor& i : indices) p.chosen = broadcast_shapes(op, p.chosen, i.shape());
  for (int d = n; d < x.dim(); ++d) p.rest.push_back(x.shape()[d]);
  const NoGrad guard;
  for (int d = 0; d < n; ++d) {
    const Tensor i = as_index(op, indices[static_cast<std::size_t>(d)]);
    const std::int64_t size = x.shape()[d];
    const Tensor bad = logical_or(i < 0, i >= size);
    if (any(bad).item<bool>()) {
      raise(ErrorKind::argument, {op, ": index ", masked_select(i, bad)[0].item<std::int64_t>(),
                                  " is out of range for size ", size, " of dimension ", d});
    }
    p.index = d == 0 ? i : p.index * size + i;
  }
  p.index = p.index.expand(p.chosen).reshape({-1});
  return p;
}

Shape joined(const Shape& a, const Shape& b) {
  Shape s = a;
  for (std::int64_t n : b) s.push_back(n);
  return s;
}

std::int64_t leading(const Tensor& x, const Places& p) {
  std::int64_t n = 1;
  for (int d = 0; d < x.dim() - p.rest.size(); ++d) n *= x.shape()[d];
  return n;
}

}  // namespace

Tensor index(const Tensor& x, const std::vector<Tensor>& indices) {
  const Places p = places_of("index", x, indices);
  const Tensor rows = x.reshape(joined({leading(x, p)}, p.rest));
  return index_select(rows, 0, p.index).reshape(joined(p.chosen, p.rest));
}

Tensor index_put(const Tensor& x, const std::vector<Tensor>& indices, const Tensor& values,
                 bool accumulate) {
  const Places p = places_of("index_put", x, indices);
  check_same_device("index_put", x.device(), values.device());
  const Tensor rows = x.reshape({leading(x, p), p.rest.numel()});
  const Tensor src =
      values.expand(joined(p.chosen, p.rest)).reshape({p.index.numel(), p.rest.numel()});
  const Tensor y = accumulate ? index_add(rows, 0, p.index, src)
                              : scatter(rows, 0, p.index.unsqueeze(1).expand(src.shape()), src);
  return y.reshape(x.shape());
}

Tensor nonzero(const Tensor& x) {
  const std::int64_t n = dispatch<cpu::nonzero, cuda::nonzero>(x.device(), x, Tensor());
  const Tensor y = empty({n, x.dim()}, {Dtype::i64, x.device()});
  dispatch<cpu::nonzero, cuda::nonzero>(x.device(), x, y);
  return y;
}

Tensor masked_select(const Tensor& x, const Tensor& mask) {
  check(mask.dtype() == Dtype::boolean, ErrorKind::dtype,
        "masked_select: expected a boolean mask, got ", mask.dtype());
  const Shape shape = broadcast_shapes("masked_select", x.shape(), mask.shape());
  const Tensor places = nonzero(views::expand(mask, shape).reshape({-1}));
  return index_select(x.expand(shape).reshape({-1}), 0, places.reshape({-1}));
}

Tensor one_hot(const Tensor& positions, std::int64_t classes) {
  const Tensor index = as_index("one_hot", positions);
  check(classes >= -1, ErrorKind::argument, "one_hot: ", classes, " classes");
  if (classes < 0) {
    check(index.numel() > 0, ErrorKind::argument, "one_hot: no index to count classes from");
    classes = max(index).item<std::int64_t>() + 1;
  }
  Shape shape = index.shape();
  shape.push_back(classes);
  const Tensor y = zeros(shape, {Dtype::i64, index.device()});
  const Tensor one = views::expand(full({}, 1, y.options()), index.shape());
  dispatch<cpu::scatter, cuda::scatter>(y.device(), "one_hot", index.dim(),
                                        views::unsqueeze(index, -1), views::unsqueeze(one, -1),
                                        false, y);
  return y;
}

Tensor argsort(const Tensor& x, int dim, bool descending) {
  const int d = wrap_dim("sort", dim, x.dim());
  const Tensor y = empty(x.shape(), {Dtype::i64, x.device()});
  if (x.dim() == 0) return zeros({}, y.options());
  dispatch<cpu::arg_sort, cuda::arg_sort>(x.device(), x, d, descending, y);
  return y;
}

ValuesIndices sort(const Tensor& x, int dim, bool descending) {
  const Tensor places = argsort(x, dim, descending);
  return {gather(x, dim, places), places};
}

ValuesIndices topk(const Tensor& x, std::int64_t k, int dim, bool largest) {
  if (x.dim() == 0) {
    const auto [values, indices] = topk(x.reshape({1}), k, dim, largest);
    return {values.reshape({}), indices.reshape({})};
  }
  check(k >= 0 && k <= x.size(dim), ErrorKind::argument, "topk: k is ", k, ", dimension ", dim,
        " of ", x.shape(), " is smaller");
  const Tensor places = argsort(x, dim, largest).narrow(dim, 0, k).contiguous();
  return {gather(x, dim, places), places};
}

ValuesIndices max(const Tensor& x, int dim, bool keepdim) {
  const Tensor place = argmax(x, dim, true);
  const Tensor value = gather(x, dim, place);
  if (keepdim || x.dim() == 0) return {value, place};
  return {value.squeeze(dim), place.squeeze(dim)};
}

ValuesIndices min(const Tensor& x, int dim, bool keepdim) {
  const Tensor place = argmin(x, dim, true);
  const Tensor value = gather(x, dim, place);
  if (keepdim || x.dim() == 0) return {value, place};
  return {value.squeeze(dim), place.squeeze(dim)};
}

}  // namespace gradus
