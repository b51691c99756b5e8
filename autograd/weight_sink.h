// Plain gradient descent without a gradient buffer, for where memory is short: the backward pass
// adds -lr times each gradient to the weight itself, as it comes.
#pragma once

#include <utility>
#include <vector>

#include "gradus/autograd/engine.h"
#include "gradus/autograd/parameter.h"

namespace gradus {

/// The sink that moves weights. Products, convolutions, norms and embeddings write into the weight;
/// what other ops give is added when their backward is through, so that every op computes with the
/// weights that its forward saw.
///   WeightSink sgd(net.parameters(), 0.1);
///   for (...) backward(loss(x, y), sgd);
/// There is nothing to clip, average or skip: a gradient that is not finite spoils its weight. A
/// weight whose values two ops of one graph need for their backward (a recurrent layer's) has
/// changed when the second one comes: that is the usual Error(argument) about a tensor changed in
/// place. Leaves that are not among the parameters get no gradient.
class WeightSink final : public GradientSink {
 public:
  /// Throws (argument) for a tensor that wants no gradient or was computed.
  WeightSink(const std::vector<Parameter>& parameters, double lr);
  WeightSink(const std::vector<Tensor>& parameters, double lr);
  void set_lr(double lr) { lr_ = lr; }
  double lr() const { return lr_; }

  bool wanted(const Leaf& leaf) const override { return find(leaf) != nullptr; }
  GradTarget target(Leaf& leaf, const Shape& shape, Dtype dtype, Device device) override;
  void give(Leaf& leaf, Tensor dx) override;
  const Tensor* buffer(const Leaf&) const override { return nullptr; }
  bool writes_leaves() const override { return true; }
  void node_done() override;

 private:
  void add(const Tensor& parameter);
  const Tensor* find(const Leaf& leaf) const;

  PooledVector<std::pair<const Leaf*, Tensor>> weights_;  // by rising address
  PooledVector<std::pair<Tensor, Tensor>> later_;         // weight, gradient: of the running node
  double lr_;
};

}  // namespace gradus
