// One backward pass: where gradients go, and the walk over the graph.
#pragma once

#include <span>
#include <vector>

#include "gradus/autograd/node.h"
#include "gradus/tensor/pooled.h"

namespace gradus {

/// A place to write a gradient: to = alpha * (what the kernel computes) + (add ? to : 0).
struct GradTarget {
  Tensor to;
  bool add = false;  // false the first time since zero_grad
  double alpha = 1;  // 1, or -lr where the sink is the weight itself
};

/// Where the gradients of leaves go in one run. The default sink is the leaves themselves.
class GradientSink {
 public:
  virtual ~GradientSink() = default;
  /// False: this leaf's gradient is not computed.
  virtual bool wanted(const Leaf&) const { return true; }
  virtual GradTarget target(Leaf& leaf, const Shape& shape, Dtype dtype, Device device);
  virtual void give(Leaf& leaf, Tensor dx);
  /// True if targets are the leaves themselves (weight_sink.h).
  virtual bool writes_leaves() const { return false; }
  /// The backward of an op is through: it reads none of its saved tensors any more.
  virtual void node_done() {}
  /// Memory that give() would copy this gradient to, so that a kernel may write it there; or null.
  virtual const Tensor* buffer(const Leaf& leaf) const;
};

/// The state of a running backward pass on this thread.
class Run {
 public:
  Run(GradientSink& sink, bool retain_graph);
  ~Run();
  /// Seeds `outputs` with their gradients (ones where none is given) and walks until nothing is
  /// left.
  void start(const char* op, std::span<const Tensor> outputs, std::span<const Tensor> grad_outputs);
  /// Gradients arriving at these nodes are kept here too (grad() of tensors that were computed).
  std::vector<std::pair<Node*, Tensor>> captures;
  /// If not null: nodes that are not in it (sorted by address) need no gradient.
  const std::vector<const Node*>* needed = nullptr;

  bool retains_graph() const { return retain_graph_; }
  /// A backward pass of its own from `y`, for a region that was computed again: the gradients of
  /// `own`, its inputs, stay in these leaves, all others go to the same sink as this run's.
  void nested(const Tensor& y, const Tensor& dy, const std::vector<Tensor>& own);

  bool wanted(const Node* node) const;
  bool writes_leaves() const { return sink_.writes_leaves(); }
  void give(Node* node, Tensor dx);
  GradTarget target(Node* node, const Shape& shape, Dtype dtype, Device device);
  Tensor room(const Node* node, const Tensor& like) const;

 private:
  void enqueue(Node* node);
  Node* highest();  // taken from the queue; null if that is empty
  void walk();
  GradientSink& sink_;
  bool retain_graph_;
  // What waits for its backward. Most graphs are chains: the highest waits in front of the heap,
  // which then stays empty.
  Node* next_ = nullptr;
  PooledVector<Node*> queue_;  // a heap: highest sequence first
};

/// The gradient of one input of an op, as a backward sees it.
class GradOut {
 public:
  GradOut(Run& run, Node* node, Device device) : run_(&run), node_(node), device_(device) {}
  /// False: do not compute it.
  bool wanted() const { return node_ != nullptr && run_->wanted(node_); }
  /// True if the backward may write its gradient over `saved`, a tensor its node kept: nobody else
  /// sees that memory, and this node's backward will not run again.
  bool may_reuse(const Tensor& saved) const {
    return !run_->retains_graph() && saved.is_sole_owner();
  }
  /// True if target() may give the input itself: whatever else the backward computes from it comes
  /// first.
  bool overwrites_input() const { return node_ != nullptr && node_->leaf && run_->writes_leaves(); }
  /// For kernels that can write (or add) in place: matmul, conv weight, column sums, norm affine,
  /// embedding.
  GradTarget target(const Shape& shape, Dtype dtype) {
    return run_->target(node_, shape, dtype, device_);
  }
  /// Memory for a gradient that lies as `like` does, to be given next: the leaf's own buffer where
  /// it waits for its first gradient, else new memory.
  Tensor room(const Tensor& like) const { return run_->room(node_, like); }
  /// For all others: the engine moves, adds or copies it.
  void give(Tensor dx) { run_->give(node_, std::move(dx)); }

 private:
  Run* run_;
  Node* node_;
  Device device_;
};

/// sum += dx where nobody else can see `sum`, else sum = sum + dx in new memory; an undefined sum
/// takes dx.
void accumulate_gradient(Tensor& sum, Tensor dx);
/// `sum` as a kernel's target: made if undefined, copied first if somebody else can see it.
GradTarget own_target(Tensor& sum, const Shape& shape, Dtype dtype, Device device);

/// Gradients of `outputs` with respect to `inputs`, leaving every grad() untouched. An input that
/// the outputs do not depend on gives an undefined tensor. `grad_outputs`: one for each output, or
/// none for outputs of one element.
std::vector<Tensor> grad(const std::vector<Tensor>& outputs, const std::vector<Tensor>& inputs,
                         const std::vector<Tensor>& grad_outputs = {}, bool retain_graph = false);

/// Runs backward from `outputs` into `sink`; `grad_outputs` as for grad().
void backward(std::span<const Tensor> outputs, std::span<const Tensor> grad_outputs,
              GradientSink& sink, bool retain_graph = false);
/// The same from one output of one element.
inline void backward(const Tensor& output, GradientSink& sink) { backward({&output, 1}, {}, sink); }

}  // namespace gradus
