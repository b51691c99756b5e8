#include "gradus/nn/norm.h"

#include "gradus/autograd/functions.h"
#include "gradus/autograd/graph.h"
#include "gradus/autograd/node.h"
#include "gradus/nn/text.h"

namespace gradus::nn {
namespace {

Tensor parameter(const Shape& shape, double value, TensorOptions options) {
  options.requires_grad = true;
  return full(shape, value, options);
}

}  // namespace

BatchNorm::BatchNorm(std::int64_t num_features, BatchNormOptions options,
                     TensorOptions tensor_options)
    : num_features(num_features), options(options) {
  check(num_features > 0, ErrorKind::argument, "BatchNorm: ", num_features, " channels");
  if (options.affine) {
    weight = parameter({num_features}, 1, tensor_options);
    bias = parameter({num_features}, 0, tensor_options);
  }
  if (!options.track_running_stats) return;
  tensor_options.requires_grad = false;
  running_mean = zeros({num_features}, tensor_options);
  running_var = ones({num_features}, tensor_options);
  num_batches_tracked = zeros({}, {Dtype::i64, tensor_options.device});
}

Tensor BatchNorm::forward(const Tensor& x) {
  check_dims(x);
  double momentum = options.momentum.value_or(0);
  if (is_training() && running_mean && !is_recomputing()) {
    const NoGrad guard;
    num_batches_tracked.add_(1);
    if (!options.momentum)
      momentum = 1 / static_cast<double>(num_batches_tracked.item<std::int64_t>());
  }
  const bool of_the_batch = is_training() || !running_mean;
  return batch_norm(x, running_mean, running_var, weight, bias, of_the_batch, momentum,
                    options.eps);
}

void BatchNorm::visit(Visitor& v) {
  v("weight", weight, Role::norm);
  v("bias", bias, Role::norm);
  v("running_mean", running_mean, Role::running_statistic);
  v("running_var", running_var, Role::running_statistic);
  v("num_batches_tracked", num_batches_tracked, Role::counter);
}

std::string BatchNorm::extra() const {
  return text_of(num_features) + ", eps=" + text_of(options.eps) +
         ", momentum=" + (options.momentum ? text_of(*options.momentum) : "None") +
         ", affine=" + text_of(options.affine) + ", bias=" + text_of(options.affine) +
         ", track_running_stats=" + text_of(options.track_running_stats);
}

void BatchNorm1d::check_dims(const Tensor& x) const {
  check(x.dim() == 2 || x.dim() == 3, ErrorKind::shape,
        "BatchNorm1d: expected (N, C) or (N, C, L), got ", x.shape());
}

void BatchNorm2d::check_dims(const Tensor& x) const {
  check(x.dim() == 4, ErrorKind::shape, "BatchNorm2d: expected (N, C, H, W), got ", x.shape());
}

LayerNorm::LayerNorm(const Shape& normalized_shape, LayerNormOptions options,
                     TensorOptions tensor_options)
    : normalized_shape(normalized_shape), options(options) {
  if (!options.elementwise_affine) return;
  weight = parameter(normalized_shape, 1, tensor_options);
  if (options.bias) bias = parameter(normalized_shape, 0, tensor_options);
}

Tensor LayerNorm::forward(const Tensor& x) {
  return layer_norm(x, normalized_shape, weight, bias, options.eps);
}

void LayerNorm::visit(Visitor& v) {
  v("weight", weight, Role::norm);
  v("bias", bias, Role::norm);
}

std::string LayerNorm::extra() const {
  return text_of(normalized_shape) + ", eps=" + text_of(options.eps) +
         ", elementwise_affine=" + text_of(options.elementwise_affine) +
         ", bias=" + text_of(bias.defined());
}

RMSNorm::RMSNorm(const Shape& normalized_shape, RMSNormOptions options,
                 TensorOptions tensor_options)
    : normalized_shape(normalized_shape), options(options) {
  if (options.elementwise_affine) weight = parameter(normalized_shape, 1, tensor_options);
}

Tensor RMSNorm::forward(const Tensor& x) {
  return rms_norm(x, normalized_shape, weight, options.eps);
}

void RMSNorm::visit(Visitor& v) { v("weight", weight, Role::norm); }

std::string RMSNorm::extra() const {
  return text_of(normalized_shape) + ", eps=" + (options.eps ? text_of(*options.eps) : "None") +
         ", elementwise_affine=" + text_of(options.elementwise_affine);
}

GroupNorm::GroupNorm(std::int64_t num_groups, std::int64_t num_channels, GroupNormOptions options,
                     TensorOptions tensor_options)
    : num_groups(num_groups), num_channels(num_channels), options(options) {
  check(num_groups > 0 && num_channels % num_groups == 0, ErrorKind::argument,
        "GroupNorm: ", num_channels, " channels are not a multiple of ", num_groups, " groups");
  if (!options.affine) return;
  weight = parameter({num_channels}, 1, tensor_options);
  bias = parameter({num_channels}, 0, tensor_options);
}

Tensor GroupNorm::forward(const Tensor& x) {
  return group_norm(x, num_groups, weight, bias, options.eps);
}

void GroupNorm::visit(Visitor& v) {
  v("weight", weight, Role::norm);
  v("bias", bias, Role::norm);
}

std::string GroupNorm::extra() const {
  return text_of(num_groups) + ", " + text_of(num_channels) + ", eps=" + text_of(options.eps) +
         ", affine=" + text_of(options.affine) + ", bias=" + text_of(options.affine);
}

InstanceNorm2d::InstanceNorm2d(std::int64_t num_features, InstanceNormOptions options,
                               TensorOptions tensor_options)
    : num_features(num_features), options(options) {
  check(num_features > 0, ErrorKind::argument, "InstanceNorm2d: ", num_features, " channels");
  if (options.affine) {
    weight = parameter({num_features}, 1, tensor_options);
    bias = parameter({num_features}, 0, tensor_options);
  }
  if (!options.track_running_stats) return;
  tensor_options.requires_grad = false;
  running_mean = zeros({num_features}, tensor_options);
  running_var = ones({num_features}, tensor_options);
  num_batches_tracked = zeros({}, {Dtype::i64, tensor_options.device});
}

Tensor InstanceNorm2d::forward(const Tensor& x) {
  if (x.dim() == 3) return forward(x.unsqueeze(0)).squeeze(0);
  check(x.dim() == 4 && x.size(1) == num_features, ErrorKind::shape,
        "InstanceNorm2d: expected (N, ", num_features, ", H, W) or (", num_features,
        ", H, W), got ", x.shape());
  // PyTorch's instance norm never counts its batches.
  return instance_norm(x, running_mean, running_var, weight, bias, is_training() || !running_mean,
                       options.momentum, options.eps);
}

void InstanceNorm2d::visit(Visitor& v) {
  v("weight", weight, Role::norm);
  v("bias", bias, Role::norm);
  v("running_mean", running_mean, Role::running_statistic);
  v("running_var", running_var, Role::running_statistic);
  v("num_batches_tracked", num_batches_tracked, Role::counter);
}

std::string InstanceNorm2d::extra() const {
  return text_of(num_features) + ", eps=" + text_of(options.eps) +
         ", momentum=" + text_of(options.momentum) + ", affine=" + text_of(options.affine) +
         ", bias=" + text_of(options.affine) +
         ", track_running_stats=" + text_of(options.track_running_stats);
}

}  // namespace gradus::nn
