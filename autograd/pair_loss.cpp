// Losses that compare x with a target element by element. Each is one line on top of pair_loss();
// value and derivatives stand in kernels/loss_ops.h.
#include "gradus/kernels/pair_loss.h"

#include "gradus/autograd/autocast.h"
#include "gradus/autograd/functions.h"
#include "gradus/autograd/record.h"
#include "gradus/autograd/reduced.h"

namespace gradus {
namespace {

Tensor loss_gradient(const OpCall& op, const Tensor& x, const Tensor& t, double divisor,
                     const Tensor& dy, bool of_target) {
  Tensor d = empty(x.shape(), x.options());
  dispatch<cpu::pair_loss_backward, cuda::pair_loss_backward>(dy.device(), op, x, t, divisor, dy,
                                                              of_target, d);
  return d;
}

template <ops::Loss Op>
Tensor pair_loss(const Tensor& given, const Tensor& wanted, Reduction reduction, const Op& what,
                 bool broadcasts = true) {
  const Tensor input = widened(given), target = widened(wanted);
  check_same_device(Op::name, input.device(), target.device());
  check(reduction != Reduction::batchmean || std::string_view(Op::name) == "kl_div",
        ErrorKind::argument, Op::name, ": expected reduction none, mean or sum, got batchmean");
  const Dtype dtype = result_type(input, target);
  Tensor a = input.to(dtype), b = target.to(dtype);
  if (a.shape() != b.shape()) {
    check(broadcasts, ErrorKind::shape, Op::name, ": expected a target of x's shape ", a.shape(),
          ", got ", b.shape());
    const Shape shape = broadcast_shapes(Op::name, a.shape(), b.shape());
    a = a.expand(shape);
    b = b.expand(shape);
  }
  const OpCall op = ops::call<ops::LossOps>(what);
  const std::int64_t count = reduction == Reduction::mean        ? a.numel()
                             : reduction == Reduction::batchmean ? a.size(0)
                                                                 : 1;
  const double divisor = static_cast<double>(count);
  const Tensor x = as_contiguous(a), t = as_contiguous(b);
  Tensor y = empty(reduction == Reduction::none ? x.shape() : Shape(), x.options());
  dispatch<cpu::pair_loss, cuda::pair_loss>(x.device(), op, x, t, divisor, y);
  // dx = loss'(x, t) (dy / count)
  return record(
      Op::name, y, on(a, b), keep(x, t),
      [op, divisor](const Tensor& dy, const Tensor& x, const Tensor& t, GradOut dx, GradOut dt) {
        const Tensor d = as_contiguous(dy);
        if (dx.wanted()) dx.give(loss_gradient(op, x, t, divisor, d, false));
        if (dt.wanted()) dt.give(loss_gradient(op, x, t, divisor, d, true));
      });
}

}  // namespace

Tensor mse_loss(const Tensor& x, const Tensor& target, Reduction reduction) {
  return pair_loss(x, target, reduction, ops::MseLoss{});
}

Tensor l1_loss(const Tensor& x, const Tensor& target, Reduction reduction) {
  return pair_loss(x, target, reduction, ops::L1Loss{});
}

Tensor smooth_l1_loss(const Tensor& x, const Tensor& target, Reduction reduction, double beta) {
  check(beta >= 0, ErrorKind::argument, "smooth_l1_loss: expected beta >= 0, got ", beta);
  return pair_loss(x, target, reduction, ops::SmoothL1Loss{beta});
}

Tensor huber_loss(const Tensor& x, const Tensor& target, Reduction reduction, double delta) {
  check(delta > 0, ErrorKind::argument, "huber_loss: expected delta > 0, got ", delta);
  return pair_loss(x, target, reduction, ops::HuberLoss{delta});
}

Tensor bce(const Tensor& x, const Tensor& target, const Tensor& weight, Reduction reduction) {
  if (!weight) return pair_loss(x, target, reduction, ops::BceLoss{}, false);
  return reduced("bce", pair_loss(x, target, Reduction::none, ops::BceLoss{}, false) * weight,
                 reduction);
}

Tensor bce_with_logits(const Tensor& x, const Tensor& target, const Tensor& weight,
                       Reduction reduction, const Tensor& pos_weight) {
  if (!weight && !pos_weight) return pair_loss(x, target, reduction, ops::BceWithLogits{}, false);
  Tensor y = pair_loss(x, target, Reduction::none, ops::BceWithLogits{}, false);
  if (pos_weight) {
    // -[p t log s(x) + (1 - t) log(1 - s(x))] = the plain loss + (p - 1) t log(1 + e^-x)
    const Tensor ones_of = ones_like(x.detach());
    const Tensor of_positive = pair_loss(x, ones_of, Reduction::none, ops::BceWithLogits{});
    y = y + (pos_weight - 1) * target * of_positive;
  }
  if (weight) y = y * weight;
  return reduced("bce_with_logits", y, reduction);
}

Tensor kl_div(const Tensor& x, const Tensor& target, Reduction reduction, bool log_target) {
  if (log_target) return pair_loss(x, target, reduction, ops::KlDivLogTarget{});
  return pair_loss(x, target, reduction, ops::KlDiv{});
}

}  // namespace gradus
