#include "gradus/autograd/weight_sink.h"

#include <algorithm>

#include "gradus/kernels/binary.h"
#include "gradus/kernels/create.h"

namespace gradus {

WeightSink::WeightSink(const std::vector<Parameter>& parameters, double lr) : lr_(lr) {
  for (const Parameter& p : parameters) add(p);
}

WeightSink::WeightSink(const std::vector<Tensor>& parameters, double lr) : lr_(lr) {
  for (const Tensor& p : parameters) add(p);
}

void WeightSink::add(const Tensor& parameter) {
  check(parameter.requires_grad() && parameter.is_leaf(), ErrorKind::argument,
        "WeightSink: expected leaves that require a gradient");
  const std::pair<const Leaf*, Tensor> entry(leaf_of(parameter), parameter);
  const auto place =
      std::lower_bound(weights_.begin(), weights_.end(), entry.first,
                       [](const auto& have, const Leaf* leaf) { return have.first < leaf; });
  if (place == weights_.end() || place->first != entry.first) weights_.insert(place, entry);
}

const Tensor* WeightSink::find(const Leaf& leaf) const {
  const auto place =
      std::lower_bound(weights_.begin(), weights_.end(), &leaf,
                       [](const auto& have, const Leaf* l) { return have.first < l; });
  return place != weights_.end() && place->first == &leaf ? &place->second : nullptr;
}

GradTarget WeightSink::target(Leaf& leaf, const Shape& shape, Dtype dtype, Device device) {
  const Tensor& weight = *find(leaf);
  if (weight.is_contiguous() && weight.dtype() == dtype) {
    weight.bump_version();
    return {weight, true, -lr_};
  }
  const Tensor gradient = empty(shape, {dtype, device});
  later_.emplace_back(weight, gradient);
  return {gradient, false, 1};
}

void WeightSink::give(Leaf& leaf, Tensor dx) { later_.emplace_back(*find(leaf), std::move(dx)); }

void WeightSink::node_done() {
  for (const auto& [weight, gradient] : later_) {
    const OpCall op = ops::call<ops::BinaryOps>(ops::AddScaled{-lr_});
    dispatch<cpu::binary, cuda::binary>(weight.device(), op, weight,
                                        as_dtype(gradient, weight.dtype()), weight);
    weight.bump_version();
  }
  later_.clear();
}

}  // namespace gradus
