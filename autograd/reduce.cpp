// Reductions, recorded: forward and backward side by side.
#include "gradus/kernels/reduce.h"

#include <cmath>
#include <limits>

#include "gradus/autograd/functions.h"
#include "gradus/autograd/record.h"
#include "gradus/kernels/create.h"
#include "gradus/kernels/unary.h"
#include "gradus/tensor/views.h"

namespace gradus {
namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();

/// Shapes of a reduction's result: `kept` with size 1 where reduced, `out` as asked for.
struct Result {
  Shape kept, out;
  std::int64_t count = 1;  // elements behind each result
};

Result result_of(const char* op, const Tensor& x, const Dims& dims, bool keepdim) {
  Result r;
  r.kept = x.shape();
  unsigned reduced = 0;
  for (int dim : dims) {
    const int d = wrap_dim(op, dim, x.dim());
    check((reduced & (1u << d)) == 0, ErrorKind::argument, op, ": dimension ", d, " given twice");
    reduced |= 1u << d;
  }
  if (dims.empty()) reduced = ~0u;
  for (int d = 0; d < x.dim(); ++d) {
    if ((reduced & (1u << d)) == 0) {
      r.out.push_back(x.shape()[d]);
      continue;
    }
    r.count *= x.shape()[d];
    r.kept[d] = 1;
    if (keepdim) r.out.push_back(1);
  }
  return r;
}

Tensor shown_as(const Tensor& t, const Shape& shape) {
  return as_view(t, shape, contiguous_strides(shape), t.raw()->offset);
}

Tensor reduced(Reduce op, const Tensor& x, const Result& r, Dtype dtype) {
  const Tensor y = empty(r.out, {dtype, x.device()});
  dispatch<cpu::reduce, cuda::reduce>(x.device(), op, x, shown_as(y, r.kept));
  return y;
}

/// dy of a result, back in x's shape without a copy.
Tensor spread(const Tensor& dy, const Shape& kept, const Shape& shape) {
  return views::expand(shown_as(as_contiguous(dy), kept), shape);
}

Tensor divided(const Tensor& x, double value) {
  const Tensor y = empty_like(x);
  dispatch<cpu::unary, cuda::unary>(x.device(), ops::call<ops::UnaryOps>(ops::DivScalar{value}), x,
                                    y);
  return y;
}

Dtype sum_dtype(Dtype dtype) { return is_floating(dtype) ? dtype : Dtype::i64; }

/// x as (rows, n) row-major, with `dim` as the rows' direction; and back.
Tensor as_rows(const Tensor& x, int dim) {
  const Tensor t = as_contiguous(views::transpose(x, dim, -1));
  const std::int64_t n = t.dim() == 0 ? 1 : t.shape().back();
  return shown_as(t, {n == 0 ? 0 : t.numel() / n, n});
}
Tensor from_rows(const Tensor& rows, const Shape& shape, int dim) {
  if (shape.empty()) return shown_as(rows, shape);
  Shape swapped = shape;
  std::swap(swapped[dim], swapped[shape.size() - 1]);
  return views::transpose(shown_as(rows, swapped), dim, -1);
}

}  // namespace

Tensor sum(const Tensor& input, const Dims& dims, bool keepdim, std::optional<Dtype> dtype) {
  const Tensor x = dtype ? input.to(*dtype) : input;
  const Result r = result_of("sum", x, dims, keepdim);
  return record("sum", reduced(Reduce::sum, x, r, sum_dtype(x.dtype())), on(x), keep(),
                [kept = r.kept, shape = x.shape()](const Tensor& dy, GradOut dx) {
                  dx.give(spread(dy, kept, shape));
                });
}

Tensor mean(const Tensor& input, const Dims& dims, bool keepdim, std::optional<Dtype> dtype) {
  const Tensor x = dtype ? input.to(*dtype) : input;
  check(x.is_floating(), ErrorKind::dtype, "mean: expected a floating dtype, got ", x.dtype(),
        "; convert it first");
  const Result r = result_of("mean", x, dims, keepdim);
  const double n = static_cast<double>(r.count);
  const Dtype wide = is_half(x.dtype()) ? Dtype::f32 : x.dtype();
  const Tensor y = as_dtype(divided(reduced(Reduce::sum, x, r, wide), n), x.dtype());
  return record("mean", y, on(x), keep(),
                [kept = r.kept, shape = x.shape(), n](const Tensor& dy, GradOut dx) {
                  dx.give(spread(divided(dy, n), kept, shape));
                });
}

Tensor prod(const Tensor& x) { return prod(x.flatten(), 0); }

Tensor prod(const Tensor& x, int dim, bool keepdim) {
  const int d = wrap_dim("prod", dim, x.dim());
  const Result r = result_of("prod", x, d, keepdim);
  return record("prod", reduced(Reduce::prod, x, r, sum_dtype(x.dtype())), on(x), keep(x),
                [d, kept = r.kept](const Tensor& dy, const Tensor& x, GradOut dx) {
                  const Tensor rows = as_rows(x, d), to = empty(rows.shape(), x.options());
                  const Tensor g = as_rows(shown_as(as_contiguous(dy), kept), d);
                  dispatch<cpu::prod_backward, cuda::prod_backward>(x.device(), rows,
                                                                    g.reshape({-1}), to);
                  dx.give(from_rows(to, x.shape(), d));
                });
}

namespace {

Tensor extreme(const char* name, Reduce op, const Tensor& x, const Dims& dims, bool keepdim) {
  const Result r = result_of(name, x, dims, keepdim);
  check(r.count > 0, ErrorKind::shape, name, ": no elements to choose from in shape ", x.shape());
  const Tensor y = reduced(op, x, r, x.dtype());
  return record(name, y, on(x), keep(x, y),
                [kept = r.kept](const Tensor& dy, const Tensor& x, const Tensor& y, GradOut dx) {
                  // dy / (number of equals) where x is the extreme
                  const Tensor equal = as_dtype(eq(x, shown_as(y, kept)), dy.dtype());
                  const Tensor share = div(shown_as(as_contiguous(dy), kept), sum_to(equal, kept));
                  dx.give(mul(equal, share));
                });
}

template <auto Cpu, auto Cuda>
Tensor arg_extreme(const char* name, const Tensor& x, std::optional<int> dim, bool keepdim) {
  check(x.numel() > 0 || (dim && x.size(*dim) > 0), ErrorKind::shape, name,
        ": no elements to choose from in shape ", x.shape());
  if (!dim) {
    const Tensor index = empty({1}, {Dtype::i64, x.device()});
    dispatch<Cpu, Cuda>(x.device(), shown_as(as_contiguous(x), {x.numel()}), 0, index);
    const Shape shape = keepdim ? Shape::filled(x.dim(), 1) : Shape{};
    return shown_as(index, shape);
  }
  const int d = wrap_dim(name, *dim, x.dim());
  const Result r = result_of(name, x, d, keepdim);
  const Tensor y = empty(r.out, {Dtype::i64, x.device()});
  dispatch<Cpu, Cuda>(x.device(), x, d, shown_as(y, r.kept));
  return y;
}

}  // namespace

Tensor amax(const Tensor& x, const Dims& dims, bool keepdim) {
  return extreme("amax", Reduce::max, x, dims, keepdim);
}
Tensor amin(const Tensor& x, const Dims& dims, bool keepdim) {
  return extreme("amin", Reduce::min, x, dims, keepdim);
}

Tensor argmax(const Tensor& x, std::optional<int> dim, bool keepdim) {
  return arg_extreme<cpu::arg_max, cuda::arg_max>("argmax", x, dim, keepdim);
}
Tensor argmin(const Tensor& x, std::optional<int> dim, bool keepdim) {
  return arg_extreme<cpu::arg_min, cuda::arg_min>("argmin", x, dim, keepdim);
}

Tensor var(const Tensor& x, const Dims& dims, double correction, bool keepdim) {
  check(x.is_floating(), ErrorKind::dtype, "var: expected a floating dtype, got ", x.dtype());
  const Result r = result_of("var", x, dims, keepdim);
  const double n = static_cast<double>(r.count) - correction;
  const Dtype wide = is_half(x.dtype()) ? Dtype::f32 : x.dtype();
  const auto distances = [kept = r.kept, count = static_cast<double>(r.count),
                          wide](const Tensor& x) {  // from the mean
    const Tensor v = as_dtype(x, wide);
    return sub(v, divided(sum_to(v, kept), count));
  };
  Tensor y;
  {
    const NoGrad guard;
    const Tensor squares = square(distances(x));
    y = as_dtype(divided(reduced(Reduce::sum, squares, r, wide), n > 0 ? n : 0), x.dtype());
  }
  return record("var", y, on(x), keep(x),
                [distances, kept = r.kept, n](const Tensor& dy, const Tensor& x, GradOut dx) {
                  const Tensor scale = divided(shown_as(as_contiguous(dy), kept), n / 2);
                  dx.give(as_dtype(mul(distances(x), scale), x.dtype()));
                });
}

Tensor std(const Tensor& x, const Dims& dims, double correction, bool keepdim) {
  const Tensor y = sqrt(var(x.detach(), dims, correction, keepdim));
  const Shape kept = result_of("std", x, dims, keepdim).kept;
  const double n = static_cast<double>(result_of("std", x, dims, keepdim).count);
  return record("std", y, on(x), keep(x, y),
                [kept, n, correction](const Tensor& dy, const Tensor& x, const Tensor& y,
                                      GradOut dx) {  // (x - mean) dy / ((n - correction) y)
                  const Tensor centre = divided(sum_to(x, kept), n);
                  const Tensor scale = div(dy, mul(y, n - correction));
                  const Tensor d = mul(sub(x, centre), shown_as(as_contiguous(scale), kept));
                  const Tensor no_spread = eq(shown_as(y, kept), 0);  // constant: 0, not 0 / 0
                  dx.give(masked_fill(d, no_spread, 0));
                });
}

Tensor norm(const Tensor& input, double p, const Dims& dims, bool keepdim) {
  if (is_half(input.dtype())) {  // squares and powers leave the range of f16
    return norm(input.to(Dtype::f32), p, dims, keepdim).to(input.dtype());
  }
  const Tensor x = input.is_floating() ? input : input.to(Dtype::f32);
  if (p == 0) return sum(ne(x, 0).to(x.dtype()), dims, keepdim);
  if (p == 1) return sum(abs(x), dims, keepdim);
  if (p == infinity) return amax(abs(x), dims, keepdim);
  if (p == -infinity) return amin(abs(x), dims, keepdim);
  const Result r = result_of("norm", x, dims, keepdim);
  Tensor y;
  {
    const NoGrad guard;
    y = p == 2 ? sqrt(reduced(Reduce::sum, square(x), r, x.dtype()))
               : pow(reduced(Reduce::sum, pow(abs(x), p), r, x.dtype()), 1 / p);
  }
  return record("norm", y, on(x), keep(x, y),
                [kept = r.kept, p](const Tensor& dy, const Tensor& x, const Tensor& y, GradOut dx) {
                  // x |x|^(p - 2) dy / y^(p - 1); zero where y or x is
                  const Tensor length = shown_as(y, kept), g = shown_as(as_contiguous(dy), kept);
                  if (p == 2) return dx.give(masked_fill(mul(x, div(g, length)), eq(length, 0), 0));
                  const Tensor size = abs(x);
                  const Tensor d = mul(mul(sign(x), pow(size, p - 1)), div(g, pow(length, p - 1)));
                  dx.give(masked_fill(d, logical_or(eq(length, 0), eq(size, 0)), 0));
                });
}

Tensor logsumexp(const Tensor& input, const Dims& dims, bool keepdim) {
  const Tensor x = input.is_floating() ? input : input.to(Dtype::f32);
  const Result r = result_of("logsumexp", x, dims, keepdim);
  Tensor y;
  {
    const NoGrad guard;
    Tensor top = reduced(Reduce::max, x, {r.kept, r.kept, r.count}, x.dtype());
    top = where(isinf(top), 0, top);  // log(0 or inf) + 0 is right then
    const Tensor total = reduced(Reduce::sum, exp(sub(x, top)), r, x.dtype());
    y = add(log(total), shown_as(top, r.out));
  }
  return record("logsumexp", y, on(x), keep(x, y),
                [kept = r.kept](const Tensor& dy, const Tensor& x, const Tensor& y, GradOut dx) {
                  // dy e^(x - y)
                  dx.give(mul(exp(sub(x, shown_as(y, kept))), shown_as(as_contiguous(dy), kept)));
                });
}

namespace {

Tensor truth(const char* name, Reduce op, const Tensor& x, const Dims& dims, bool keepdim) {
  const Tensor t = x.dtype() == Dtype::boolean ? x : ne(x, 0);
  const Tensor y = reduced(op, t, result_of(name, x, dims, keepdim), Dtype::boolean);
  return x.dtype() == Dtype::u8 ? as_dtype(y, Dtype::u8) : y;  // u8 was PyTorch's first truth value
}

}  // namespace

Tensor all(const Tensor& x, const Dims& dims, bool keepdim) {
  return truth("all", Reduce::min, x, dims, keepdim);
}
Tensor any(const Tensor& x, const Dims& dims, bool keepdim) {
  return truth("any", Reduce::max, x, dims, keepdim);
}

Tensor cumsum(const Tensor& input, int dim) {
  const Tensor x = input.to(sum_dtype(input.dtype()));
  const int d = wrap_dim("cumsum", dim, x.dim());
  const Tensor y = empty(x.shape(), x.options());
  dispatch<cpu::cumulative_sum, cuda::cumulative_sum>(x.device(), x, d, false, y);
  return record("cumsum", y, on(x), keep(), [d](const Tensor& dy, GradOut dx) {
    const Tensor to = empty(dy.shape(), dy.options());  // dx[i] = dy[i] + dy[i + 1] + ...
    dispatch<cpu::cumulative_sum, cuda::cumulative_sum>(dy.device(), dy, d, true, to);
    dx.give(to);
  });
}

Tensor cumprod(const Tensor& input, int dim) {
  const Tensor x = input.to(sum_dtype(input.dtype()));
  const int d = wrap_dim("cumprod", dim, x.dim());
  const Tensor y = empty(x.shape(), x.options());
  dispatch<cpu::cumulative_prod, cuda::cumulative_prod>(x.device(), x, d, y);
  return record("cumprod", y, on(x), keep(x), [d](const Tensor& dy, const Tensor& x, GradOut dx) {
    const Tensor rows = as_rows(x, d), to = empty(rows.shape(), x.options());
    dispatch<cpu::cumulative_prod_backward, cuda::cumulative_prod_backward>(x.device(), rows,
                                                                            as_rows(dy, d), to);
    dx.give(from_rows(to, x.shape(), d));
  });
}

}  // namespace gradus
