// trainer.balance_losses: every loss pulls the weights equally hard. Each one's gradient is taken
// apart, which costs a backward a loss, and scaled by (sum of all norms / n) / (its norm + 1e-4).
#include "gradus/autograd/engine.h"
#include "gradus/autograd/functions.h"
#include "gradus/trainer/loop.h"

namespace gradus::trainer {
namespace {

/// The 2-norm over all; (), f64, on their device. Nothing waits.
Tensor norm_of(const std::vector<Tensor>& gradients, Device device) {
  Tensor total = zeros({}, {Dtype::f64, device});
  for (const Tensor& g : gradients)
    if (g) total = total + sum(square(g.to(Dtype::f64)));
  return sqrt(total);
}

}  // namespace

/// `roots`: the root gradients of `losses`, each of the batch's weight. The norms are those of the
/// losses' means, without weight and loss scale.
void Loop::balanced_backward(const PooledVector<Tensor>& losses, const PooledVector<Tensor>& roots,
                             double weight) {
  std::vector<Tensor> inputs;
  for (const Parameter& p : task_->module().parameters())
    if (p.requires_grad() && moves({p, "", Role::weight})) inputs.push_back(p);
  std::vector<std::vector<Tensor>> gradients;
  for (std::size_t i = 0; i < losses.size(); ++i)
    gradients.push_back(
        grad({losses[i]}, inputs, {roots[i]}, /*retain_graph=*/i + 1 < losses.size()));
  const NoGrad guard;
  Tensor root_size = full({}, weight * weight_unit_, {Dtype::f64, device_});
  if (scales_) root_size = root_size * scaling_optimizer().loss_scale();
  std::vector<Tensor> norms;
  Tensor total = zeros({}, {Dtype::f64, device_});
  for (const auto& g : gradients) {
    norms.push_back(norm_of(g, device_) / root_size);
    total = total + norms.back();
  }
  const double n = static_cast<double>(losses.size());
  GradientSink leaves;
  for (std::size_t k = 0; k < inputs.size(); ++k) {
    Tensor dx;
    for (std::size_t i = 0; i < losses.size(); ++i) {
      if (!gradients[i][k]) continue;
      const Tensor factor = (total / n / (norms[i] + 1e-4)).to(inputs[k].dtype());
      const Tensor part = gradients[i][k] * factor;
      dx = dx ? dx + part : part;
    }
    if (dx) leaves.give(*leaf_of(inputs[k]), dx);
  }
}

}  // namespace gradus::trainer
