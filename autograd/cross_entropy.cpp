// Losses of class targets: cross_entropy and nll_loss.
#include "gradus/kernels/cross_entropy.h"

#include "gradus/autograd/autocast.h"
#include "gradus/autograd/functions/loss.h"
#include "gradus/autograd/functions/softmax.h"
#include "gradus/autograd/record.h"
#include "gradus/autograd/rows.h"
#include "gradus/kernels/nll_loss.h"

namespace gradus {
namespace {

Dtype statistics_dtype(const Tensor& x) { return is_half(x.dtype()) ? Dtype::f32 : x.dtype(); }

/// What both losses ask of their arguments; gives the dimension of the classes.
int check_classes(const char* op, const Tensor& x, const Tensor& target, const Tensor& weight,
                  Reduction reduction) {
  check(x.dim() > 0 && x.is_floating(), ErrorKind::shape, op,
        ": expected floating x of shape (N, C, ...) or (C), got ", x.shape(), " of ", x.dtype());
  const int dim = x.dim() == 1 ? 0 : 1;
  check(x.shape()[dim] > 0, ErrorKind::shape, op, ": no classes in x of shape ", x.shape());
  check_same_device(op, x.device(), target.device());
  Shape rows = x.shape();
  rows.erase(dim);
  if (!is_floating(target.dtype())) {
    check(target.shape() == rows && target.dtype() != Dtype::boolean, ErrorKind::shape, op,
          ": expected class indices of shape ", rows, " for x of shape ", x.shape(), ", got ",
          target.shape(), " of ", target.dtype());
  }
  if (weight) {
    check_same_device(op, x.device(), weight.device());
    check(weight.dim() == 1 && weight.numel() == x.shape()[dim], ErrorKind::shape, op,
          ": expected weight of shape (", x.shape()[dim], "), got ", weight.shape());
  }
  check(reduction != Reduction::batchmean, ErrorKind::argument, op,
        ": expected reduction none, mean or sum, got batchmean");
  return dim;
}

Tensor weight_for(const Tensor& weight, const Tensor& x) {
  return weight ? as_contiguous(as_dtype(weight.detach(), x.dtype())) : Tensor();
}

Tensor empty_loss(const Tensor& x, int dim, Reduction reduction) {
  if (reduction != Reduction::none) return empty({}, x.options());
  Shape rows = x.shape();
  rows.erase(dim);
  return empty(rows, x.options());
}

/// d loss / d target_c = -(1 - e) w_c log p_c, times dy (one a row, or one for all): `rows` (R...,
/// C) holds the logits, `divisor` is 1 unless the loss is a mean.
Tensor target_gradient(const Tensor& rows, const Tensor& weight, double factor, const Tensor& dy) {
  const Dtype wide = statistics_dtype(rows);
  const Tensor d = log_softmax(as_dtype(rows, wide), -1);
  d.mul_(-factor);
  if (weight) d.mul_(as_dtype(weight, wide));
  d.mul_(as_dtype(dy.dim() == 0 ? dy : dy.unsqueeze(-1), wide));
  return as_dtype(d, rows.dtype());
}

}  // namespace

Tensor cross_entropy(const Tensor& input, const Tensor& target, const Tensor& weight,
                     std::int64_t ignore_index, Reduction reduction, double label_smoothing) {
  const Tensor x = widened(input);
  const int dim = check_classes("cross_entropy", x, target, weight, reduction);
  check(label_smoothing >= 0 && label_smoothing <= 1, ErrorKind::argument,
        "cross_entropy: expected label_smoothing in [0, 1], got ", label_smoothing);
  const bool probabilities = target.is_floating();
  check(!probabilities || target.shape() == x.shape(), ErrorKind::shape,
        "cross_entropy: expected probabilities of x's shape ", x.shape(), ", got ", target.shape());
  const CrossEntropy options{ignore_index, reduction, label_smoothing};
  const Tensor rows = rows_along(x, dim);
  const Tensor q = probabilities ? target.to(x.dtype()) : Tensor();
  const Tensor t = probabilities ? rows_along(q, dim) : as_contiguous(as_dtype(target, Dtype::i64));
  const Tensor w = weight_for(weight, x);
  const std::int64_t n = x.numel() / x.shape()[dim];
  const Tensor stats = empty({3 * n + 1}, {statistics_dtype(x), x.device()});
  Tensor y = empty_loss(x, dim, reduction);
  dispatch<cpu::cross_entropy, cuda::cross_entropy>(x.device(), rows, t, w, options, y, stats);
  // dx_c = (p_c sum_k w_k q_k - w_c q_c) dy, written over the logits if they are nobody else's;
  // a mean over probabilities divides by the number of rows, whatever their weights.
  return record(
      "cross_entropy", y, on(x, q), keep(rows, t, w, stats),
      [dim, options, n](const Tensor& dy, const Tensor& rows, const Tensor& t, const Tensor& w,
                        const Tensor& stats, GradOut dx, GradOut dtarget) {
        if (dtarget.wanted()) {
          const double count = options.reduction == Reduction::mean ? static_cast<double>(n) : 1;
          const double factor = (1 - options.label_smoothing) / count;
          dtarget.give(rows_back(target_gradient(rows, w, factor, dy), dim));
        }
        if (!dx.wanted()) return;
        const Tensor d = dx.may_reuse(rows) ? rows.detach() : empty(rows.shape(), rows.options());
        dispatch<cpu::cross_entropy_backward, cuda::cross_entropy_backward>(
            rows.device(), rows, t, w, options, stats, as_contiguous(dy), d);
        dx.give(rows_back(d, dim));
      });
}

Tensor nll_loss(const Tensor& input, const Tensor& target, const Tensor& weight,
                std::int64_t ignore_index, Reduction reduction) {
  const Tensor x = widened(input);
  const int dim = check_classes("nll_loss", x, target, weight, reduction);
  check(!target.is_floating(), ErrorKind::dtype,
        "nll_loss: expected class indices of an integer dtype, got ", target.dtype());
  const NllLoss options{ignore_index, reduction};
  const Tensor t = as_contiguous(as_dtype(target, Dtype::i64)), w = weight_for(weight, x);
  const Tensor divisor = empty({}, {statistics_dtype(x), x.device()});
  Tensor y = empty_loss(x, dim, reduction);
  dispatch<cpu::nll_loss, cuda::nll_loss>(x.device(), rows_along(x, dim), t, w, options, y,
                                          divisor);
  return record(
      "nll_loss", y, on(x), keep(t, w, divisor),
      [dim, options, shape = x.shape()](const Tensor& dy, const Tensor& t, const Tensor& w,
                                        const Tensor& divisor, GradOut dx) {
        Tensor like = empty_along(shape, dy.options(), dim);
        dispatch<cpu::nll_loss_backward, cuda::nll_loss_backward>(
            dy.device(), t, w, options, divisor, as_contiguous(dy), rows_along(like, dim));
        dx.give(std::move(like));
      });
}

}  // namespace gradus
