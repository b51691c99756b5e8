// Which operation made the first value that is not finite: for finding where a training run breaks.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "gradus/autograd/node.h"
#include "gradus/autograd/parameter.h"
#include "gradus/tensor/observe.h"

namespace gradus {

/// While it lives, every recorded operation of this thread and every gradient of a backward pass is
/// looked at on the host: slow, and nothing for captured graphs. Looking changes no value.
///   AnomalyWatch watch(net.parameters());
///   loss(net(x)).backward();
///   if (!watch.found().empty()) puts(watch.found().c_str());
/// Values that are put somewhere (masked_fill, where) do not count as made.
class AnomalyWatch final : public TensorObserver {
 public:
  /// `parameters` give leaves their names. One watch a thread; a second is an error.
  explicit AnomalyWatch(std::vector<Parameter> parameters);
  ~AnomalyWatch() override;
  AnomalyWatch(const AnomalyWatch&) = delete;
  AnomalyWatch& operator=(const AnomalyWatch&) = delete;

  /// "forward: log made values that are not finite: (8, 10) -> (8, 10), in module 3", or empty.
  /// Looks at what was computed last first.
  const std::string& found();
  /// The innermost module of the operation that was found, if a Sequential ran it; else null.
  const void* place() const { return found_place_; }

  void made(const Tensor& t) override;
  /// An operation is being recorded: those before it are complete.
  void recorded();
  /// `node` has given its inputs their gradients, from `dy`.
  void gave(const Node& node, const Tensor& dy);

  /// The watch of this thread, or null.
  static AnomalyWatch* current();

 private:
  friend class AnomalyPlace;
  struct Made {
    Tensor tensor;
    const void* place;
    bool before_last_record;
  };
  void look(const Made& made);
  std::string name_of(const Node* node) const;
  void say(const char* phase, const Node& node, const std::string& shapes, const void* place);

  std::vector<Parameter> parameters_;
  std::vector<Made> made_;
  std::map<const Node*, Shape> shapes_;        // of what was recorded
  std::map<const Node*, const void*> places_;  // where
  std::string found_;
  const void* found_place_ = nullptr;
  const void* place_ = nullptr;
};

/// Says which module runs now, for as long as it lives. Costs a look at a thread's variable.
class AnomalyPlace {
 public:
  explicit AnomalyPlace(const void* module) : watch_(AnomalyWatch::current()) {
    if (watch_ == nullptr) return;
    before_ = watch_->place_;
    watch_->place_ = module;
  }
  ~AnomalyPlace() {
    if (watch_ != nullptr) watch_->place_ = before_;
  }
  AnomalyPlace(const AnomalyPlace&) = delete;
  AnomalyPlace& operator=(const AnomalyPlace&) = delete;

 private:
  AnomalyWatch* watch_;
  const void* before_ = nullptr;
};

}  // namespace gradus
