// The graph: one node for each recorded operation, and one for each leaf that wants a gradient.
//
// A node points to the nodes of its inputs, keeps the tensors its backward needs, and is one pooled
// allocation. Its tensor points to it. Nodes are counted by references; letting go of the end of a
// long chain frees it without recursion.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <utility>
#include <vector>

#include "gradus/tensor/tensor.h"

namespace gradus {

class Run;

struct Node {
  Node(const char* name, std::uint64_t sequence, bool leaf)
      : name(name), sequence(sequence), leaf(leaf) {}
  Node(const Node&) = delete;
  Node& operator=(const Node&) = delete;

  const char* name;
  std::uint64_t sequence;  // above its inputs', and rising in a thread: the engine walks down
  std::atomic<std::int32_t> references{1};
  bool leaf;
  bool queued = false;    // in the running engine's queue
  bool released = false;  // saved tensors are gone: a second backward is an error
  Allocator* self = nullptr;
  Tensor pending;  // during a run: the gradient summed so far
  using Hooks = std::vector<std::pair<int, std::function<Tensor(const Tensor&)>>>;
  Hooks* hooks = nullptr;

  /// The nodes of the inputs; null where an input wants no gradient.
  virtual std::pair<Node* const*, int> inputs() const { return {nullptr, 0}; }
  /// Pushes `dy`, the gradient of this node's tensor, to the inputs.
  virtual void backward(Run& run, const Tensor& dy);
  /// The same, recorded, for second derivatives.
  virtual void backward_recorded(Run& run, const Tensor& dy);
  virtual void release_saved() {}
  virtual std::size_t size_in_bytes() const { return sizeof(Node); }
  virtual ~Node() {
    if (hooks != nullptr) delete_hooks();
  }

 private:
  void delete_hooks();
};

/// A tensor the user made and wants a gradient for.
struct Leaf final : Node {
  explicit Leaf(std::uint64_t sequence) : Node("leaf", sequence, true) {}
  Tensor gradient;                  // kept from step to step
  bool written = false;             // since zero_grad(): without it grad() is undefined
  const void* optimizer = nullptr;  // the one that moves this leaf; a second is an error
  std::size_t size_in_bytes() const override { return sizeof(Leaf); }
};

/// A number above all that this thread gave before, and above `after`, the highest of the inputs.
std::uint64_t next_sequence(std::uint64_t after = 0);

/// The leaf behind `t`, or null if `t` wants no gradient or was computed.
inline Leaf* leaf_of(const Tensor& t) {
  Node* node = t.raw()->node.get();
  return node != nullptr && node->leaf ? static_cast<Leaf*>(node) : nullptr;
}

namespace detail {
extern constinit thread_local bool recording_on;
}
/// True unless a NoGrad guard lives on this thread.
inline bool grad_enabled() { return detail::recording_on; }
inline void set_grad_enabled(bool on) { detail::recording_on = on; }

/// While it lives, nothing computed on this thread is recorded.
class NoGrad {
 public:
  NoGrad() : before_(grad_enabled()) { set_grad_enabled(false); }
  ~NoGrad() { set_grad_enabled(before_); }
  NoGrad(const NoGrad&) = delete;
  NoGrad& operator=(const NoGrad&) = delete;

 private:
  bool before_;
};

/// Undoes a NoGrad around it, for a region that records again.
class EnableGrad {
 public:
  EnableGrad() : before_(grad_enabled()) { set_grad_enabled(true); }
  ~EnableGrad() { set_grad_enabled(before_); }
  EnableGrad(const EnableGrad&) = delete;
  EnableGrad& operator=(const EnableGrad&) = delete;

 private:
  bool before_;
};

}  // namespace gradus
