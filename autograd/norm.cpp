// layer_norm, rms_norm, group_norm and instance_norm: one kernel over rows.
#include "gradus/kernels/norm.h"

#include "gradus/autograd/autocast.h"
#include "gradus/autograd/functions/norm.h"
#include "gradus/autograd/functions/pointwise.h"
#include "gradus/autograd/functions/reduce.h"
#include "gradus/autograd/graph.h"
#include "gradus/autograd/record.h"
#include "gradus/kernels/create.h"

namespace gradus {
namespace {

Dtype statistics_dtype(Dtype dtype) { return is_half(dtype) ? Dtype::f32 : dtype; }

/// weight or bias as a kernel wants it: (C) of x's dtype. Recorded, so that a gradient comes back.
Tensor affine(const char* op, const char* what, const Tensor& t, const Shape& shape,
              const Tensor& x) {
  if (!t) return t;
  check_same_device(op, x.device(), t.device());
  check(t.shape() == shape, ErrorKind::shape, op, ": expected ", what, " of shape ", shape,
        ", got ", t.shape());
  return t.to(x.dtype()).contiguous();
}

Tensor row_norm(const char* op, const Tensor& input, const Tensor& w, const Tensor& b,
                const RowNorm& norm) {
  check(input.is_floating(), ErrorKind::dtype, op, ": expected a floating dtype, got ",
        input.dtype());
  const Tensor x = as_contiguous(input);
  const std::int64_t rows = norm.row() == 0 ? 0 : x.numel() / norm.row();
  const Tensor stats = empty({2, rows}, {statistics_dtype(x.dtype()), x.device()});
  Tensor y = empty(x.shape(), x.options());
  dispatch<cpu::row_norm, cuda::row_norm>(x.device(), x, w, b, norm, y, stats);
  // dx = rstd (g - mean g - xhat mean(g xhat)), g = dy w; dw = sum dy xhat, db = sum dy over rows
  return record(
      op, y, on(input, w, b), keep(x, w, stats),
      [norm, shape = w   ? w.shape()
                     : b ? b.shape()
                         : Shape()](const Tensor& dy, const Tensor& x, const Tensor& w,
                                    const Tensor& stats, GradOut dx, GradOut dw, GradOut db) {
        const Tensor d = as_contiguous(dy);
        if (dx.wanted()) {  // first: dw may be written into the weight itself
          Tensor g = empty(x.shape(), x.options());
          dispatch<cpu::row_norm_backward, cuda::row_norm_backward>(x.device(), x, w, norm, stats,
                                                                    d, g);
          dx.give(std::move(g));
        }
        GradTarget to_w, to_b;
        if (dw.wanted()) to_w = dw.target(shape, x.dtype());
        if (db.wanted()) to_b = db.target(shape, x.dtype());
        if (to_w.to || to_b.to) {
          dispatch<cpu::row_norm_backward_affine, cuda::row_norm_backward_affine>(
              x.device(), x, norm, stats, d, to_w.to, to_w.add, to_w.alpha, to_b.to, to_b.add,
              to_b.alpha);
        }
      });
}

/// The number of elements of x's last dimensions, which must be `shape`.
std::int64_t last_dimensions(const char* op, const Tensor& x, const Shape& shape) {
  bool fits = shape.size() > 0 && x.dim() >= shape.size();
  for (int i = 0; fits && i < shape.size(); ++i) {
    fits = x.shape()[x.dim() - shape.size() + i] == shape[i];
  }
  check(fits, ErrorKind::shape, op, ": normalized_shape ", shape, " is not how x of shape ",
        x.shape(), " ends");
  return shape.numel();
}

}  // namespace

Tensor layer_norm(const Tensor& input, const Shape& normalized_shape, const Tensor& weight,
                  const Tensor& bias, double eps) {
  const Tensor x = widened(input);
  const std::int64_t n = last_dimensions("layer_norm", x, normalized_shape);
  return row_norm("layer_norm", x, affine("layer_norm", "weight", weight, normalized_shape, x),
                  affine("layer_norm", "bias", bias, normalized_shape, x), {n, n, 1, true, eps});
}

Tensor rms_norm(const Tensor& input, const Shape& normalized_shape, const Tensor& weight,
                std::optional<double> eps) {
  const Tensor x = widened(input);
  const std::int64_t n = last_dimensions("rms_norm", x, normalized_shape);
  const double spacing = x.dtype() == Dtype::f64 ? 0x1p-52 : 0x1p-23;
  return row_norm("rms_norm", x, affine("rms_norm", "weight", weight, normalized_shape, x), {},
                  {n, n, 1, false, eps.value_or(spacing)});
}

Tensor group_norm(const Tensor& input, std::int64_t num_groups, const Tensor& weight,
                  const Tensor& bias, double eps) {
  const Tensor x = widened(input);
  check(x.dim() >= 2, ErrorKind::shape, "group_norm: expected x of shape (N, C, ...), got ",
        x.shape());
  const std::int64_t c = x.shape()[1];
  check(num_groups > 0 && c % num_groups == 0, ErrorKind::argument, "group_norm: ", c,
        " channels do not divide into ", num_groups, " groups");
  const std::int64_t samples = x.shape()[0];
  const std::int64_t inner = samples * c == 0 ? 0 : x.numel() / (samples * c);
  return row_norm("group_norm", x, affine("group_norm", "weight", weight, {c}, x),
                  affine("group_norm", "bias", bias, {c}, x),
                  {c, c / num_groups, inner, true, eps});
}

Tensor instance_norm(const Tensor& input, const Tensor& running_mean, const Tensor& running_var,
                     const Tensor& weight, const Tensor& bias, bool use_input_stats,
                     double momentum, double eps) {
  constexpr auto op = "instance_norm";
  if (!use_input_stats) {
    check(running_mean && running_var, ErrorKind::argument, op,
          ": without use_input_stats it needs running_mean and running_var");
    return batch_norm(input, running_mean, running_var, weight, bias, false, momentum, eps);
  }
  const Tensor x = widened(input);
  check(x.dim() >= 2, ErrorKind::shape, op, ": expected x of shape (N, C, ...), got ", x.shape());
  const std::int64_t c = x.shape()[1];
  const std::int64_t inner = x.numel() == 0 ? 0 : x.numel() / (x.shape()[0] * c);
  check(inner != 1, ErrorKind::shape, op,
        ": more than one element a channel is needed, got x of shape ", x.shape());
  const Tensor y = row_norm(op, x, affine(op, "weight", weight, {c}, x),
                            affine(op, "bias", bias, {c}, x), {c, 1, inner, true, eps});
  if (inner == 0 || (!running_mean && !running_var) || is_recomputing()) return y;
  const NoGrad guard;
  const Tensor rows = x.detach().reshape({x.size(0), c, inner});
  const auto mix = [&](const Tensor& running, const Tensor& now) {  // now: (N, C)
    if (!running) return;
    check(running.shape() == Shape{c}, ErrorKind::shape, op, ": running statistics are ",
          running.shape(), ", expected (", c, ")");
    running.mul_(1 - momentum).add_(mean(now, 0).to(running.dtype()), momentum);
  };
  mix(running_mean, mean(rows, 2));
  mix(running_var, var(rows, 2));
  return y;
}

}  // namespace gradus
