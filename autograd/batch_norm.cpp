#include "gradus/kernels/batch_norm.h"

#include "gradus/autograd/autocast.h"
#include "gradus/autograd/functions/norm.h"
#include "gradus/autograd/graph.h"
#include "gradus/autograd/images.h"
#include "gradus/autograd/record.h"
#include "gradus/kernels/column_sum.h"

namespace gradus {
namespace {

/// (N, C, ...) as images (N, C, H, W): (N, C) are images of one pixel, and what has more than two
/// sides, row-major, images of one row. Not recorded, nothing copied.
Tensor images_of(const Tensor& t) {
  switch (t.dim()) {
    case 2: return as_images(views::unsqueeze(t, 2), 1, true);
    case 3: return as_images(t, 1, true);
    case 4: return t;
    default:
      const std::int64_t n = t.shape()[0], c = t.shape()[1];
      const Shape shape{n, c, 1, n * c == 0 ? 0 : t.numel() / (n * c)};
      return as_view(t, shape, contiguous_strides(shape), t.raw()->offset);
  }
}

/// to = alpha * sum (add: on top of what it holds).
void write_sum(const GradTarget& target, const Tensor& sum) {
  const Tensor row = views::unsqueeze(as_dtype(sum, target.to.dtype()), 0);
  dispatch<cpu::column_sum, cuda::column_sum>(sum.device(), row, target.to, target.add,
                                              target.alpha);
}

Tensor affine(const char* what, const Tensor& t, const Tensor& x) {
  if (!t) return t;
  check_same_device("batch_norm", x.device(), t.device());
  check(t.dim() == 1 && t.numel() == x.shape()[1], ErrorKind::shape, "batch_norm: expected ", what,
        " of shape (", x.shape()[1], "), got ", t.shape());
  return t.to(x.dtype()).contiguous();
}

void check_running(const char* what, const Tensor& t, const Tensor& x) {
  if (!t) return;
  check_same_device("batch_norm", x.device(), t.device());
  check(t.dim() == 1 && t.numel() == x.shape()[1] && t.is_floating(), ErrorKind::shape,
        "batch_norm: expected floating ", what, " of shape (", x.shape()[1], "), got ", t.shape(),
        " of ", t.dtype());
}

}  // namespace

Tensor batch_norm(const Tensor& given, const Tensor& running_mean, const Tensor& running_var,
                  const Tensor& weight, const Tensor& bias, bool training, double momentum,
                  double eps) {
  const Tensor input = widened(given);
  check(input.dim() >= 2 && input.is_floating(), ErrorKind::shape,
        "batch_norm: expected floating x of shape (N, C, ...), got ", input.shape(), " of ",
        input.dtype());
  const std::int64_t channels = input.shape()[1];
  check(!training || channels == 0 || input.numel() != channels, ErrorKind::shape,
        "batch_norm: training needs more than one element a channel, got x of shape ",
        input.shape());
  check(training || (running_mean && running_var), ErrorKind::argument,
        "batch_norm: without training, running_mean and running_var are needed");
  check_running("running_mean", running_mean, input);
  check_running("running_var", running_var, input);
  const Tensor w = affine("weight", weight, input), b = affine("bias", bias, input);

  const bool image = input.dim() == 3 || input.dim() == 4;
  const bool channels_last = image && is_channels_last(images_of(input));
  const Tensor x = channels_last ? input : as_contiguous(input);
  const Tensor images = images_of(x);
  const Dtype compute = is_half(x.dtype()) ? Dtype::f32 : x.dtype();
  const Tensor stats = empty({2, channels}, {compute, x.device()});
  if (training) {
    const bool again = is_recomputing();  // a checkpoint's forward has moved them already
    const Tensor mean = again ? Tensor() : running_mean, var = again ? Tensor() : running_var;
    dispatch<cpu::batch_norm_statistics, cuda::batch_norm_statistics>(x.device(), images, eps,
                                                                      momentum, mean, var, stats);
    if (mean) mean.bump_version();
    if (var) var.bump_version();
  } else {
    dispatch<cpu::batch_norm_from_running, cuda::batch_norm_from_running>(x.device(), running_mean,
                                                                          running_var, eps, stats);
  }
  Tensor y = empty_images(x.shape(), x.options(), channels_last);
  dispatch<cpu::batch_norm, cuda::batch_norm>(x.device(), images, w, b, stats, images_of(y));
  // dw = sum dy xhat, db = sum dy, dx = rstd w (dy - db / n - xhat dw / n); in evaluation the
  // statistics are constants: dx = rstd w dy
  return record("batch_norm", y, on(input, w, b), keep(x, w, stats),
                [training, channels_last](const Tensor& dy, const Tensor& x, const Tensor& w,
                                          const Tensor& stats, GradOut dx, GradOut dw, GradOut db) {
                  const Tensor images = images_of(x);
                  const Tensor d =
                      channels_last ? in_order(images_of(dy), true) : images_of(as_contiguous(dy));
                  const Tensor sums = empty_like(stats);
                  if (training || dw.wanted() || db.wanted()) {
                    dispatch<cpu::batch_norm_backward_sums, cuda::batch_norm_backward_sums>(
                        x.device(), images, stats, d, sums);
                  }
                  const Shape shape{stats.shape()[1]};
                  if (dx.wanted()) {  // first: dw may be written into the weight itself
                    Tensor g = empty_images(x.shape(), x.options(), channels_last);
                    dispatch<cpu::batch_norm_backward, cuda::batch_norm_backward>(
                        x.device(), images, w, stats, sums, training, d, images_of(g));
                    dx.give(std::move(g));
                  }
                  if (dw.wanted())
                    write_sum(dw.target(shape, x.dtype()), views::select(sums, 0, 1));
                  if (db.wanted())
                    write_sum(db.target(shape, x.dtype()), views::select(sums, 0, 0));
                });
}

}  // namespace gradus
