#include "gradus/autograd/engine.h"

#include <algorithm>
#include <utility>

#include "gradus/autograd/anomaly.h"
#include "gradus/autograd/autocast.h"
#include "gradus/autograd/record.h"
#include "gradus/kernels/binary.h"
#include "gradus/kernels/create.h"

namespace gradus {
namespace {

bool lower(const Node* a, const Node* b) { return a->sequence < b->sequence; }

void check_gradient(const char* op, const Tensor& of, const Tensor& dy) {
  check(dy.shape() == of.shape(), ErrorKind::shape, op, ": the gradient has shape ", dy.shape(),
        ", the tensor ", of.shape());
  check_same_device(op, of.device(), dy.device());
}

/// True for what expand() makes: elements that share memory cannot be written one by one.
bool repeats_elements(const Tensor& t) {
  if (t.is_contiguous()) return false;
  for (int i = 0; i < t.dim(); ++i) {
    if (t.strides()[i] == 0 && t.shape()[i] > 1) return true;
  }
  return false;
}

Tensor root_gradient(const char* op, const Tensor& output) {
  check(output.numel() == 1, ErrorKind::shape, op, ": a tensor of shape ", output.shape(),
        " needs an explicit gradient");
  return full_like(output, 1);
}

}  // namespace

void accumulate_gradient(Tensor& sum, Tensor dx) {
  if (!sum) {
    sum = std::move(dx);
    return;
  }
  const OpCall add = ops::call<ops::BinaryOps>(ops::Add{});
  if (dx.dtype() != sum.dtype()) dx = as_dtype(dx, sum.dtype());
  const Tensor out = sum.is_sole_owner() && !repeats_elements(sum) ? sum : empty_like(sum);
  dispatch<cpu::binary, cuda::binary>(sum.device(), add, sum, dx, out);
  sum = out;
}

GradTarget own_target(Tensor& sum, const Shape& shape, Dtype dtype, Device device) {
  if (!sum) {
    sum = empty(shape, {dtype, device});
    return {sum, false, 1};
  }
  if (!sum.is_sole_owner() || !sum.is_contiguous()) {
    const Tensor own = empty(shape, {dtype, device});
    copy_into(sum, own);
    sum = own;
  }
  return {sum, true, 1};
}

GradTarget GradientSink::target(Leaf& leaf, const Shape& shape, Dtype dtype, Device device) {
  if (leaf.gradient && leaf.gradient.dtype() != dtype)  // set_grad() takes any
    leaf.gradient = leaf.written ? as_dtype(leaf.gradient, dtype) : Tensor();
  if (!leaf.gradient) leaf.gradient = empty(shape, {dtype, device});
  const bool add = leaf.written;
  leaf.written = true;
  return {leaf.gradient, add, 1};
}

void GradientSink::give(Leaf& leaf, Tensor dx) {
  if (!leaf.written) {
    leaf.written = true;
    if (leaf.gradient) {
      if (dx.raw() != leaf.gradient.raw()) copy_into(dx, leaf.gradient);  // else written in place
      return;
    }
    const bool take = dx.is_sole_owner() && dx.is_contiguous();
    leaf.gradient = take ? std::move(dx) : empty(dx.shape(), dx.options());
    if (!take) copy_into(dx, leaf.gradient);
    return;
  }
  // In place although others may hold a handle: grad() is one buffer for as long as the leaf lives.
  const OpCall add = ops::call<ops::BinaryOps>(ops::Add{});
  if (dx.dtype() != leaf.gradient.dtype()) dx = as_dtype(dx, leaf.gradient.dtype());
  dispatch<cpu::binary, cuda::binary>(dx.device(), add, leaf.gradient, dx, leaf.gradient);
}

const Tensor* GradientSink::buffer(const Leaf& leaf) const {
  if (leaf.written || !leaf.gradient) return nullptr;
  // Whoever else holds it may have put it, or a view of it, into this very graph.
  const TensorBody& body = *leaf.gradient.raw();
  const bool alone = body.references.load(std::memory_order_acquire) == 1 &&
                     body.storage->references.load(std::memory_order_acquire) == 1;
  return alone ? &leaf.gradient : nullptr;
}

bool Run::wanted(const Node* node) const {
  if (needed != nullptr && !std::binary_search(needed->begin(), needed->end(), node)) return false;
  return !node->leaf || sink_.wanted(*static_cast<const Leaf*>(node));
}

void Run::enqueue(Node* node) {
  if (node->queued) return;
  node->queued = true;
  if (next_ == nullptr && queue_.empty()) {
    next_ = node;
    return;
  }
  if (next_ != nullptr && lower(next_, node)) std::swap(next_, node);
  if (queue_.capacity() == 0) queue_.reserve(32);
  queue_.push_back(node);
  std::push_heap(queue_.begin(), queue_.end(), lower);
}

void Run::give(Node* node, Tensor dx) {
  if (node == nullptr || !wanted(node)) return;
  if (node->leaf && node->hooks == nullptr)
    return sink_.give(*static_cast<Leaf*>(node), std::move(dx));
  accumulate_gradient(node->pending, std::move(dx));
  enqueue(node);
}

GradTarget Run::target(Node* node, const Shape& shape, Dtype dtype, Device device) {
  if (node->leaf && node->hooks == nullptr) {
    return sink_.target(*static_cast<Leaf*>(node), shape, dtype, device);
  }
  enqueue(node);
  return own_target(node->pending, shape, dtype, device);
}

Node* Run::highest() {
  if (next_ != nullptr || queue_.empty()) return std::exchange(next_, nullptr);
  std::pop_heap(queue_.begin(), queue_.end(), lower);
  Node* node = queue_.back();
  queue_.pop_back();
  return node;
}

Tensor Run::room(const Node* node, const Tensor& like) const {
  if (node != nullptr && node->leaf && node->hooks == nullptr) {
    const Tensor* buffer = sink_.buffer(*static_cast<const Leaf*>(node));
    if (buffer != nullptr && buffer->shape() == like.shape() && buffer->dtype() == like.dtype() &&
        buffer->device() == like.device() && buffer->is_contiguous() && like.is_contiguous())
      return *buffer;
  }
  return empty_like(like);
}

namespace {

/// What a hook returned, if it can stand for the gradient.
Tensor in_place_of(const Tensor& dy, const Tensor& replaced, const char* name) {
  check(replaced.shape() == dy.shape() && replaced.device() == dy.device(), ErrorKind::shape, name,
        ": a hook returned a gradient of shape ", replaced.shape(), " on ", replaced.device(),
        ", expected ", dy.shape(), " on ", dy.device());
  check(replaced.is_floating(), ErrorKind::dtype, name, ": a hook returned ", replaced.dtype());
  return as_dtype(replaced.detach(), dy.dtype());
}

}  // namespace

void Run::walk() {
  const NoGrad guard;
  const Autocast none(Dtype::f32);  // backwards use the types that their forwards chose
  AnomalyWatch* const watch = AnomalyWatch::current();
  while (Node* node = highest()) {
    node->queued = false;
    Tensor dy = std::move(node->pending);
    if (node->hooks != nullptr) {
      const Node::Hooks hooks = *node->hooks;  // one of them may add or remove some
      for (const auto& [key, hook] : hooks) {
        if (const Tensor replaced = hook(dy)) dy = in_place_of(dy, replaced, node->name);
      }
    }
    for (auto& [captured, gradient] : captures) {
      if (captured == node) gradient = dy;
    }
    if (node->leaf) {
      sink_.give(*static_cast<Leaf*>(node), std::move(dy));
      sink_.node_done();
      continue;
    }
    check(!node->released, ErrorKind::argument, node->name,
          ": backward through a graph a second time; the first needed retain_graph = true");
    node->backward(*this, dy);
    if (watch != nullptr) [[unlikely]]
      watch->gave(*node, dy);
    sink_.node_done();
    if (!retain_graph_) {
      node->released = true;
      node->release_saved();
    }
  }
}

void Run::nested(const Tensor& y, const Tensor& dy, const std::vector<Tensor>& own) {
  struct RegionSink final : GradientSink {
    RegionSink(GradientSink& outer, const std::vector<Tensor>& own) : outer(outer), own(own) {}
    bool is_own(const Leaf& leaf) const {
      return std::any_of(own.begin(), own.end(),
                         [&](const Tensor& t) { return t.defined() && leaf_of(t) == &leaf; });
    }
    bool wanted(const Leaf& leaf) const override { return is_own(leaf) || outer.wanted(leaf); }
    GradTarget target(Leaf& leaf, const Shape& shape, Dtype dtype, Device device) override {
      return is_own(leaf) ? GradientSink::target(leaf, shape, dtype, device)
                          : outer.target(leaf, shape, dtype, device);
    }
    void give(Leaf& leaf, Tensor dx) override {
      is_own(leaf) ? GradientSink::give(leaf, std::move(dx)) : outer.give(leaf, std::move(dx));
    }
    const Tensor* buffer(const Leaf& leaf) const override {
      return is_own(leaf) ? GradientSink::buffer(leaf) : outer.buffer(leaf);
    }
    bool writes_leaves() const override { return outer.writes_leaves(); }
    void node_done() override { outer.node_done(); }
    GradientSink& outer;
    const std::vector<Tensor>& own;
  } sink(sink_, own);
  Run(sink, false).start("checkpoint", {&y, 1}, {&dy, 1});
}

Run::Run(GradientSink& sink, bool retain_graph) : sink_(sink), retain_graph_(retain_graph) {}

Run::~Run() {  // after an error: leave no gradient behind in the graph
  while (Node* node = highest()) {
    node->queued = false;
    node->pending = Tensor();
  }
}

void Run::start(const char* op, std::span<const Tensor> outputs,
                std::span<const Tensor> grad_outputs) {
  check(grad_outputs.empty() || grad_outputs.size() == outputs.size(), ErrorKind::argument, op,
        ": ", outputs.size(), " outputs, ", grad_outputs.size(), " gradients");
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    const Tensor& y = outputs[i];
    check(y.requires_grad(), ErrorKind::argument, op,
          ": the tensor was not computed from anything that requires a gradient");
    const bool given = !grad_outputs.empty() && grad_outputs[i];
    const Tensor root = given ? Tensor() : root_gradient(op, y);
    const Tensor& dy = given ? grad_outputs[i] : root;
    check_gradient(op, y, dy);
    const bool as_it_is = dy.dtype() == y.dtype() && !dy.requires_grad();
    give(y.raw()->node.get(), as_it_is ? dy : as_dtype(dy.detach(), y.dtype()));
  }
  walk();
}

void backward(std::span<const Tensor> outputs, std::span<const Tensor> grad_outputs,
              GradientSink& sink, bool retain_graph) {
  Run(sink, retain_graph).start("backward", outputs, grad_outputs);
}

void Tensor::backward() const { backward(Tensor()); }

void Tensor::backward(const Tensor& dy, bool retain_graph) const {
  GradientSink leaves;
  Run(leaves, retain_graph).start("backward", {this, 1}, {&dy, 1});
}

}  // namespace gradus
