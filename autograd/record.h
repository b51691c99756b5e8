// record(): forward and backward of an op side by side in one function.
//
//   Tensor mul(const Tensor& a, const Tensor& b) {
//     Tensor y = ...;                                       // compute
//     return record("mul", y, on(a, b), keep(a, b),         // inputs, and what the backward needs
//                   [](const Tensor& dy, const Tensor& a, const Tensor& b, GradOut da, GradOut db)
//                   {
//                     if (da.wanted()) da.give(...);
//                     if (db.wanted()) db.give(...);
//                   });
//   }
// Nothing is built when no input wants a gradient or a NoGrad lives. The lambda captures plain
// values only (sizes, flags); tensors go through keep(), which detaches outputs (else a cycle) and
// checks at the backward that nobody wrote them in place since.
#pragma once

#include <array>
#include <new>

#include "gradus/autograd/engine.h"

namespace gradus {

template <class... T>
std::array<const Tensor*, sizeof...(T)> on(const T&... inputs) {
  return {&inputs...};
}
template <class... T>
std::array<const Tensor*, sizeof...(T)> keep(const T&... saved) {
  return {&saved...};
}

namespace detail {

struct Saved {
  Tensor tensor;
  std::uint64_t version = 0;
};

[[noreturn]] void saved_tensor_changed(const char* op, int index, std::uint64_t now,
                                       std::uint64_t then);

template <std::size_t N, std::size_t K, class F>
struct FunctionNode final : Node {
  FunctionNode(const char* name, std::uint64_t sequence, Device device, F f)
      : Node(name, sequence, false), device(device), f(std::move(f)) {}
  Device device;
  F f;
  std::array<Node*, N> edges{};
  std::array<Saved, K> saved;

  std::pair<Node* const*, int> inputs() const override {
    return {edges.data(), static_cast<int>(N)};
  }
  std::size_t size_in_bytes() const override { return sizeof(*this); }
  void release_saved() override {
    for (Saved& s : saved) s.tensor = Tensor();
  }
  void backward(Run& run, const Tensor& dy) override {
    for (std::size_t k = 0; k < K; ++k) {
      if (!saved[k].tensor) continue;
      const std::uint64_t now =
          saved[k].tensor.raw()->storage->version.load(std::memory_order_relaxed);
      if (now != saved[k].version)
        saved_tensor_changed(name, static_cast<int>(k), now, saved[k].version);
    }
    [&]<std::size_t... i, std::size_t... k>(std::index_sequence<i...>, std::index_sequence<k...>) {
      f(dy, saved[k].tensor..., GradOut(run, edges[i], device)...);
    }
    (std::make_index_sequence<N>(), std::make_index_sequence<K>());
  }
  ~FunctionNode() override {
    for (Node* edge : edges) {
      if (edge != nullptr) release(edge);
    }
  }
};

}  // namespace detail

/// True if an op on these inputs must be recorded.
inline bool recording(std::initializer_list<const Tensor*> inputs) {
  if (!grad_enabled()) return false;
  for (const Tensor* t : inputs) {
    if (t->defined() && t->requires_grad()) return true;
  }
  return false;
}

/// Remembers that `y` was computed from `inputs`; gives `y` back. Undefined inputs are allowed.
/// Small ops move `y` in: a handle's copy costs as much as the arithmetic on 100 elements.
template <std::size_t N, std::size_t K, class F>
Tensor record(const char* name, Tensor&& y, std::array<const Tensor*, N> inputs,
              std::array<const Tensor*, K> saved, F&& f) {
  if (!grad_enabled()) return std::move(y);
  bool wanted = false;
  for (const Tensor* t : inputs) wanted = wanted || (t->defined() && t->requires_grad());
  if (!wanted || !y.is_floating()) return std::move(y);

  std::uint64_t after = 0;
  Node* edges[N];
  for (std::size_t i = 0; i < N; ++i) {
    edges[i] = inputs[i]->defined() ? inputs[i]->raw()->node.get() : nullptr;
    if (edges[i] != nullptr && edges[i]->sequence > after) after = edges[i]->sequence;
  }
  using N_ = detail::FunctionNode<N, K, std::decay_t<F>>;
  Allocator& memory = cpu_allocator();
  N_* node = ::new (memory.allocate(sizeof(N_)))
      N_(name, next_sequence(after), y.device(), std::forward<F>(f));
  node->self = &memory;
  for (std::size_t i = 0; i < N; ++i) {
    if (edges[i] != nullptr) retain(edges[i]);
    node->edges[i] = edges[i];
  }
  for (std::size_t k = 0; k < K; ++k) {
    if (!saved[k]->defined()) continue;
    // A handle on y itself would keep its own node alive: a cycle.
    node->saved[k].tensor = saved[k]->raw() == y.raw() ? y.detach() : *saved[k];
    node->saved[k].version = saved[k]->raw()->storage->version.load(std::memory_order_relaxed);
  }
  y.raw()->node = Ref<Node>::adopt(node);
  return std::move(y);
}
template <std::size_t N, std::size_t K, class F>
Tensor record(const char* name, const Tensor& y, std::array<const Tensor*, N> inputs,
              std::array<const Tensor*, K> saved, F&& f) {
  return record(name, Tensor(y), inputs, saved, std::forward<F>(f));
}

/// For in-place forms: may `t` be written now? Throws an error that names the out-of-place form.
void check_in_place(const char* op, const Tensor& t, bool result_recorded);
/// Throws if several elements of `t` share one place.
void check_writable(const char* op, const Tensor& t);

/// Gives `t` the data and the history of `result` (the out-of-place form of an in-place op).
void replace_in_place(const Tensor& t, const Tensor& result);

}  // namespace gradus
