#include "gradus/autograd/node.h"

#include "gradus/autograd/anomaly.h"
#include "gradus/autograd/record.h"
#include "gradus/kernels/create.h"

namespace gradus {
namespace {

thread_local std::uint64_t last_sequence = 0;

// Nodes whose last reference went while another was being destroyed. Draining this list instead of
// recursing is what lets a chain of a million nodes go without overflowing the stack. The links are
// in the nodes themselves, whose sequence number nobody asks for any more: no memory is needed.
thread_local Node* dying = nullptr;
thread_local bool destroying = false;

void destroy_now(Node* node) {
  Allocator* self = node->self;
  const std::size_t bytes = node->size_in_bytes();
  void* place = dynamic_cast<void*>(node);
  node->~Node();
  self->deallocate(place, bytes);
}

void destroy_node(Node* node) {
  if (destroying) {
    node->sequence = reinterpret_cast<std::uintptr_t>(dying);
    dying = node;
    return;
  }
  destroying = true;
  destroy_now(node);
  while (dying != nullptr) {
    Node* next = dying;
    dying = reinterpret_cast<Node*>(static_cast<std::uintptr_t>(next->sequence));
    destroy_now(next);
  }
  destroying = false;
}

}  // namespace

constinit thread_local bool detail::recording_on = true;

void retain(Node* node) noexcept { node->references.fetch_add(1, std::memory_order_relaxed); }
void release(Node* node) noexcept {
  if (let_go(node->references)) destroy_node(node);
}

std::uint64_t next_sequence(std::uint64_t after) {
  if (detail::tensor_observer != nullptr) [[unlikely]] {
    if (AnomalyWatch* watch = AnomalyWatch::current()) watch->recorded();
  }
  if (last_sequence < after) last_sequence = after;  // an input that another thread made
  return ++last_sequence;
}

void Node::delete_hooks() { delete hooks; }

void Node::backward(Run&, const Tensor&) {
  raise(ErrorKind::internal, {name, ": a leaf has no backward"});
}

void Node::backward_recorded(Run&, const Tensor&) {
  raise(ErrorKind::unsupported, {name, ": no second derivative"});
}

bool Tensor::is_leaf() const { return !body().node || body().node->leaf; }

const Tensor& Tensor::set_requires_grad(bool on) const {
  if (on == requires_grad()) return *this;
  check(is_leaf(), ErrorKind::argument,
        "set_requires_grad: only for leaves; use detach() on a computed tensor");
  if (!on) {
    body().node = {};
    return *this;
  }
  check(gradus::is_floating(dtype()), ErrorKind::dtype,
        "set_requires_grad: expected a floating dtype, got ", dtype());
  Allocator& memory = cpu_allocator();
  Leaf* leaf = ::new (memory.allocate(sizeof(Leaf))) Leaf(next_sequence());
  leaf->self = &memory;
  body().node = Ref<Node>::adopt(leaf);
  return *this;
}

Tensor Tensor::grad() const {
  const Leaf* leaf = leaf_of(*this);
  return leaf != nullptr && leaf->written ? leaf->gradient : Tensor();
}

void Tensor::set_grad(const Tensor& grad) const {
  if (!requires_grad()) set_requires_grad(true);
  Leaf* leaf = leaf_of(*this);
  check(leaf != nullptr, ErrorKind::argument, "set_grad: only leaves keep a gradient");
  if (!grad) {
    leaf->written = false;
    return;
  }
  check(grad.shape() == shape(), ErrorKind::shape, "set_grad: expected shape ", shape(), ", got ",
        grad.shape());
  check_same_device("set_grad", device(), grad.device());
  check(grad.is_floating(), ErrorKind::dtype, "set_grad: expected a floating dtype, got ",
        grad.dtype());
  if (leaf->gradient) {
    copy_into(grad, leaf->gradient);  // the optimizer may have placed it: keep the address
  } else {
    leaf->gradient = as_contiguous(grad.detach());  // later ones are added to it
  }
  leaf->written = true;
}

void Tensor::zero_grad() const {
  if (Leaf* leaf = leaf_of(*this)) leaf->written = false;
}

int Tensor::register_hook(std::function<Tensor(const Tensor&)> f) const {
  check(requires_grad(), ErrorKind::argument, "register_hook: the tensor wants no gradient");
  static std::atomic<int> keys{0};
  Node& node = *body().node;
  if (node.hooks == nullptr) node.hooks = new Node::Hooks;
  const int key = keys.fetch_add(1);
  node.hooks->emplace_back(key, std::move(f));
  return key;
}

void Tensor::remove_hook(int key) const {
  Node* node = body().node.get();
  if (node == nullptr || node->hooks == nullptr) return;
  std::erase_if(*node->hooks, [key](const auto& hook) { return hook.first == key; });
}

void detail::saved_tensor_changed(const char* op, int index, std::uint64_t now,
                                  std::uint64_t then) {
  raise(ErrorKind::argument,
        {op, ": tensor ", index, " kept for the backward was changed in place (version ", now,
         ", expected ", then, "); clone it before writing"});
}

void check_writable(const char* op, const Tensor& t) {
  for (int d = 0; d < t.dim(); ++d) {
    check(t.strides()[d] != 0 || t.shape()[d] < 2, ErrorKind::argument, op,
          "_: several elements of a tensor of shape ", t.shape(),
          " share one place, as expand() leaves them; clone() it first");
  }
}

void check_in_place(const char* op, const Tensor& t, bool result_recorded) {
  check_writable(op, t);
  if (!grad_enabled()) return;
  const bool wants = t.requires_grad() || result_recorded;
  check(!(t.requires_grad() && t.is_leaf()), ErrorKind::argument, op,
        "_: a leaf that requires a gradient cannot be changed in place; use NoGrad, or ", op, "()");
  check(!(wants && t.raw()->is_view), ErrorKind::argument, op,
        "_: in place on a view of a tensor that needs gradients; use ", op, "()");
  check(!(wants && t.raw()->storage->recorded_view), ErrorKind::argument, op,
        "_: in place on a tensor whose views are recorded; use ", op, "()");
}

void replace_in_place(const Tensor& t, const Tensor& result) {
  copy_into(result.detach(), t);
  t.bump_version();
  if (grad_enabled()) t.raw()->node = result.raw()->node;  // under NoGrad a leaf stays a leaf
}

}  // namespace gradus
