// run.precision and optim.loss_scale: the types a task computes in, and how large its gradients are
// on their way. Weights and their gradients are f32 (f64 with "f64") whatever the products are in.
#include <cmath>

#include "gradus/autograd/functions.h"
#include "gradus/kernels/create.h"
#include "gradus/trainer/loop.h"

namespace gradus::trainer {

void Loop::begin_precision() {
  const std::string& precision = config_.run.precision;
  if (precision == "f64") {
    weights_dtype_ = Dtype::f64;
    task_->module().to(Dtype::f64);
  }
  if (precision == "bf16") lowered_ = Dtype::bf16;
  if (precision == "fp16") lowered_ = Dtype::f16;
  scales_ = precision == "fp16";
  for (const auto& [name, own] : optimizer_configs(config_))
    scales_ = scales_ || own.optim.loss_scale.fixed > 0;
  const auto train = config_.data.find("train");
  if (!scales_ || train == config_.data.end()) return;
  // A loss is scaled as the mean of the whole batch would be, which keeps f16 gradients in range;
  // dividing by a power of two changes no bit.
  const auto batch = static_cast<double>(train->second.batch_size * config_.trainer.accumulate);
  weight_unit_ = 1 / std::exp2(std::floor(std::log2(batch)));
}

/// The root gradient of a loss: `weight` times its mean over the batch, times the loss scale. For a
/// loss of one value a sample that is weight / N each, exactly 1 where the weight counts samples.
Tensor Loop::root_gradient(const Metric& loss, double weight) const {
  const double each =
      loss.value.dim() == 0 ? weight : weight / static_cast<double>(loss.value.numel());
  const Dtype dtype = is_half(loss.value.dtype()) ? Dtype::f32 : loss.value.dtype();
  const Tensor root =
      full(loss.value.shape(), loss.weight * each * weight_unit_, {dtype, loss.value.device()});
  if (!scales_) return root;
  const NoGrad guard;
  return root * scaling_optimizer().loss_scale().to(dtype);
}

void Loop::count_weight(double weight) {
  for (const NamedOptimizer& o : optimizers_)
    if (o.moves) o.optimizer->add_samples(weight * weight_unit_);
}

}  // namespace gradus::trainer
