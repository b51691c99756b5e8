// grad(): gradients of chosen tensors, without touching anyone's grad().
#include <algorithm>
#include <unordered_set>

#include "gradus/autograd/engine.h"
#include "gradus/autograd/record.h"

namespace gradus {
namespace {

/// Collects the gradients of chosen leaves.
class ScratchSink final : public GradientSink {
 public:
  std::vector<std::pair<const Leaf*, Tensor>> slots;

  bool wanted(const Leaf& leaf) const override { return find(leaf) != slots.end(); }
  GradTarget target(Leaf& leaf, const Shape& shape, Dtype dtype, Device device) override {
    return own_target(slots[index(leaf)].second, shape, dtype, device);
  }
  const Tensor* buffer(const Leaf&) const override { return nullptr; }
  void give(Leaf& leaf, Tensor dx) override {
    accumulate_gradient(slots[index(leaf)].second, std::move(dx));
  }

 private:
  std::vector<std::pair<const Leaf*, Tensor>>::const_iterator find(const Leaf& leaf) const {
    return std::find_if(slots.begin(), slots.end(),
                        [&](const auto& s) { return s.first == &leaf; });
  }
  std::size_t index(const Leaf& leaf) const {
    return static_cast<std::size_t>(find(leaf) - slots.begin());
  }
};

/// Every node from which a goal can be reached, sorted by address for Run::wanted.
std::vector<const Node*> leading_to(const std::unordered_set<const Node*>& goals,
                                    const std::vector<const Node*>& roots) {
  std::unordered_set<const Node*> seen(roots.begin(), roots.end());
  std::vector<const Node*> order(seen.begin(), seen.end());
  for (std::size_t at = 0; at < order.size(); ++at) {
    const auto [edges, n] = order[at]->inputs();
    for (int i = 0; i < n; ++i) {
      if (edges[i] != nullptr && seen.insert(edges[i]).second) order.push_back(edges[i]);
    }
  }
  // Inputs have lower sequence numbers than what is computed from them: one pass from below is
  // enough.
  std::sort(order.begin(), order.end(), [](auto* a, auto* b) { return a->sequence < b->sequence; });
  std::unordered_set<const Node*> needed = goals;
  for (const Node* node : order) {
    const auto [edges, n] = node->inputs();
    if (std::any_of(edges, edges + n, [&](const Node* e) { return needed.count(e) > 0; }))
      needed.insert(node);
  }
  std::vector<const Node*> sorted(needed.begin(), needed.end());
  std::sort(sorted.begin(), sorted.end());
  return sorted;
}

}  // namespace

std::vector<Tensor> grad(const std::vector<Tensor>& outputs, const std::vector<Tensor>& inputs,
                         const std::vector<Tensor>& grad_outputs, bool retain_graph) {
  ScratchSink sink;
  std::vector<std::pair<Node*, Tensor>> captures;
  std::unordered_set<const Node*> goals;
  std::vector<const Node*> roots;
  for (const Tensor& x : inputs) {
    check(x.requires_grad(), ErrorKind::argument, "grad: an input does not require a gradient");
    goals.insert(x.raw()->node.get());
    if (const Leaf* leaf = leaf_of(x)) {
      if (!sink.wanted(*leaf)) sink.slots.emplace_back(leaf, Tensor());
    } else {
      captures.emplace_back(x.raw()->node.get(), Tensor());
    }
  }
  for (const Tensor& y : outputs) {
    if (y.requires_grad()) roots.push_back(y.raw()->node.get());
  }
  const std::vector<const Node*> needed = leading_to(goals, roots);
  Run run(sink, retain_graph);
  run.captures = std::move(captures);
  run.needed = &needed;
  run.start("grad", outputs, grad_outputs);

  std::vector<Tensor> results;
  for (const Tensor& x : inputs) {
    const Node* node = x.raw()->node.get();
    for (const auto& [leaf, gradient] : sink.slots) {
      if (leaf == node) results.push_back(gradient);
    }
    for (const auto& [captured, gradient] : run.captures) {
      if (captured == node) {
        results.push_back(gradient);
        break;
      }
    }
  }
  return results;
}

}  // namespace gradus
