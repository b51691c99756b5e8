// For tools that look at what operations compute: one observer a thread, told of every tensor that
// gets memory of its own.
#pragma once

namespace gradus {

class Tensor;

class TensorObserver {
 public:
  virtual ~TensorObserver() = default;
  /// `t` has just been made; nothing is in it yet.
  virtual void made(const Tensor& t) = 0;
};

namespace detail {
extern constinit thread_local TensorObserver* tensor_observer;
}

}  // namespace gradus
