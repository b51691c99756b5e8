#include "gradus/autograd/graph.h"

#include <algorithm>
#include <string>
#include <unordered_map>

#include "gradus/autograd/autocast.h"
#include "gradus/autograd/engine.h"
#include "gradus/autograd/record.h"
#include "gradus/kernels/create.h"
#include "gradus/tensor/random.h"

namespace gradus {
namespace {

thread_local bool recomputing = false;

std::uint64_t highest(const std::vector<Tensor>& inputs) {
  std::uint64_t sequence = 0;
  for (const Tensor& x : inputs) {
    if (x.defined() && x.requires_grad()) sequence = std::max(sequence, x.raw()->node->sequence);
  }
  return sequence;
}

/// A node with any number of inputs, all of them kept with their versions.
struct RegionNode : Node {
  RegionNode(std::string title, const std::vector<Tensor>& inputs)
      : Node("", next_sequence(highest(inputs)), false), title(std::move(title)), kept(inputs) {
    name = this->title.c_str();
    for (const Tensor& x : inputs) {
      Node* edge = x.defined() ? x.raw()->node.get() : nullptr;
      if (edge != nullptr) retain(edge);
      edges.push_back(edge);
      versions.push_back(x.defined() ? x.raw()->storage->version.load() : 0);
    }
  }
  ~RegionNode() override {
    for (Node* edge : edges) {
      if (edge != nullptr) release(edge);
    }
  }
  std::pair<Node* const*, int> inputs() const override {
    return {edges.data(), static_cast<int>(edges.size())};
  }
  void release_saved() override { kept.clear(); }
  void check_versions() const {
    for (std::size_t i = 0; i < kept.size(); ++i) {
      if (!kept[i].defined()) continue;
      const std::uint64_t now = kept[i].raw()->storage->version.load();
      if (now != versions[i])
        detail::saved_tensor_changed(name, static_cast<int>(i), now, versions[i]);
    }
  }
  void give(Run& run, std::size_t i, const Tensor& dx) {
    if (edges[i] == nullptr || !dx.defined()) return;
    check(dx.shape() == kept[i].shape(), ErrorKind::shape, name, ": the gradient of input ", i,
          " has shape ", dx.shape(), ", the input ", kept[i].shape());
    run.give(edges[i], as_dtype(dx, kept[i].dtype()));
  }
  std::string title;
  std::vector<Tensor> kept;
  std::vector<std::uint64_t> versions;
  std::vector<Node*> edges;
};

struct CustomNode final : RegionNode {
  using RegionNode::RegionNode;
  Tensor y;
  std::uint64_t y_version = 0;
  std::function<std::vector<Tensor>(const Tensor&, const std::vector<Tensor>&, const Tensor&)> f;
  std::size_t size_in_bytes() const override { return sizeof(*this); }
  void release_saved() override {
    RegionNode::release_saved();
    y = Tensor();
  }
  void backward(Run& run, const Tensor& dy) override {
    check_versions();
    const std::uint64_t now = y.raw()->storage->version.load();
    if (now != y_version)
      detail::saved_tensor_changed(name, static_cast<int>(kept.size()), now, y_version);
    const std::vector<Tensor> dx = f(dy, kept, y);
    check(dx.size() == edges.size(), ErrorKind::argument, name, ": the backward returned ",
          dx.size(), " gradients for ", edges.size(), " inputs");
    for (std::size_t i = 0; i < dx.size(); ++i) give(run, i, dx[i]);
  }
};

struct CheckpointNode final : RegionNode {
  using RegionNode::RegionNode;
  std::function<Tensor(const std::vector<Tensor>&)> f;
  RandomState random;
  Dtype precision = Dtype::f32;  // of the Autocast that the region ran under
  std::size_t size_in_bytes() const override { return sizeof(*this); }
  void backward(Run& run, const Tensor& dy) override {
    check_versions();
    std::vector<Tensor> again;
    for (std::size_t i = 0; i < kept.size(); ++i) {
      again.push_back(kept[i].defined() ? kept[i].detach() : Tensor());
      if (edges[i] != nullptr) again[i].set_requires_grad(true);
    }
    Tensor y;
    {
      const RandomScope scope(random);
      const EnableGrad recorded;
      const Autocast autocast(precision);
      const bool before = std::exchange(recomputing, true);
      try {
        y = f(again);
      } catch (...) {
        recomputing = before;
        throw;
      }
      recomputing = before;
    }
    if (!y.requires_grad()) return;
    run.nested(y, dy, again);
    for (std::size_t i = 0; i < again.size(); ++i) {
      if (edges[i] != nullptr) give(run, i, again[i].grad());
    }
  }
};

/// Puts a node of type T behind y.
template <class T>
T* attach(const Tensor& y, std::string title, const std::vector<Tensor>& inputs) {
  Allocator& memory = cpu_allocator();
  T* node = ::new (memory.allocate(sizeof(T))) T(std::move(title), inputs);
  node->self = &memory;
  y.raw()->node = Ref<Node>::adopt(node);
  return node;
}

bool any_wanted(const std::vector<Tensor>& inputs) {
  return std::any_of(inputs.begin(), inputs.end(),
                     [](const Tensor& x) { return x.defined() && x.requires_grad(); });
}

}  // namespace

bool is_recomputing() { return recomputing; }

Tensor custom(
    const std::string& name, const std::vector<Tensor>& inputs,
    std::function<Tensor(const std::vector<Tensor>&)> forward,
    std::function<std::vector<Tensor>(const Tensor&, const std::vector<Tensor>&, const Tensor&)>
        backward) {
  Tensor y;
  {
    const NoGrad guard;
    y = forward(inputs);
  }
  check(y.defined(), ErrorKind::argument, name, ": the forward returned an undefined tensor");
  y = y.detach();  // the forward may have returned an input
  if (!grad_enabled() || !any_wanted(inputs) || !y.is_floating()) return y;
  auto* node = attach<CustomNode>(y, name, inputs);
  node->y = y.detach();
  node->y_version = y.raw()->storage->version.load();
  node->f = std::move(backward);
  return y;
}

Tensor checkpoint(std::function<Tensor(const std::vector<Tensor>&)> f,
                  const std::vector<Tensor>& inputs) {
  const RandomState random = random_state();
  Tensor y;
  {
    const NoGrad guard;
    y = f(inputs);
  }
  check(y.defined(), ErrorKind::argument, "checkpoint: the region returned an undefined tensor");
  y = y.detach();
  if (!grad_enabled() || !y.is_floating()) return y;
  auto* node = attach<CheckpointNode>(y, "checkpoint", inputs);
  node->f = std::move(f);
  node->random = random;
  node->precision = autocast_dtype();
  return y;
}

std::string to_dot(const Tensor& t) {
  std::string text = "digraph {\n  rankdir = BT;\n";
  std::unordered_map<const Node*, std::string> names;
  std::vector<const Node*> stack;
  const auto name_of = [&](const Node* node) {
    auto [place, first] = names.try_emplace(node, "n");
    if (first) {
      place->second.append(std::to_string(names.size()));
      stack.push_back(node);
    }
    return place->second;
  };
  if (t.requires_grad()) name_of(t.raw()->node.get());
  while (!stack.empty()) {
    const Node* node = stack.back();
    stack.pop_back();
    text.append("  ").append(name_of(node)).append(" [label=\"").append(node->name);
    if (node->leaf && static_cast<const Leaf*>(node)->gradient)
      text.append("\\n").append(to_string(static_cast<const Leaf*>(node)->gradient.shape()));
    text.append(node->leaf ? "\", shape=box];\n" : "\"];\n");
    const auto [edges, count] = node->inputs();
    for (int i = 0; i < count; ++i) {
      if (edges[i] == nullptr) continue;
      text.append("  ").append(name_of(edges[i])).append(" -> ").append(name_of(node));
      text.append(";\n");
    }
  }
  return text.append("}\n");
}

}  // namespace gradus
