// What a layer or a model is. A subclass lists its members once, in visit(); names, parameter
// lists, state dicts, device moves, printing, counts and clones all follow from that list.
//
//   struct Net : nn::Module {
//     nn::Linear fc1{784, 128}, fc2{128, 10};
//     Tensor scale = ones({10}, {.requires_grad = true});
//     Tensor forward(const Tensor& x) override { return fc2(relu(fc1(x))) * scale; }
//     void visit(nn::Visitor& v) override { v("fc1", fc1); v("fc2", fc2);
//                                           v("scale", scale, Role::norm); }
//   };
// A copy of a module shares its tensors, as a copy of a Tensor does; nn::clone() makes new ones.
#pragma once

#include <concepts>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "gradus/autograd/parameter.h"

namespace gradus::nn {

class Module;

/// Called by visit() for each member; builds full names on the way.
class Visitor {
 public:
  virtual ~Visitor() = default;
  /// A tensor of the module. An undefined one (a layer without bias) is passed over.
  void operator()(std::string_view name, Tensor& t, Role role = Role::weight);
  void operator()(std::string_view name, Module& child);
  /// Visits all of `root`, whose own name is empty.
  void walk(Module& root);

 protected:
  virtual void tensor(const std::string& name, Tensor& t, Role role);
  /// Before and after a module's members; `name` is the last part of its name.
  virtual void enter(std::string_view name, Module& module);
  virtual void leave(Module& module);

 private:
  std::string path_;
};

class Module {
 public:
  virtual ~Module() = default;

  /// Modules with other inputs overload it.
  virtual Tensor forward(const Tensor& x);
  Tensor operator()(const Tensor& x) { return forward(x); }
  /// Names every tensor and child module.
  virtual void visit(Visitor&) {}

  /// What is learned, each tensor once under its first name.
  std::vector<Parameter> parameters() const;
  std::vector<Parameter> named_parameters() const { return parameters(); }
  /// What forward passes or others update: running statistics, counters.
  std::vector<Parameter> named_buffers() const;
  std::int64_t num_parameters() const;  // elements
  void zero_grad() const;

  /// Sets the mode of this module and all below it.
  void train(bool on = true);
  void eval() { train(false); }
  bool is_training() const { return training_; }

  /// Moves every tensor, or converts the floating ones, in place: all handles follow. Make
  /// optimizers after it.
  void to(Device device);
  void to(Dtype dtype);

  /// "Linear", and what stands in its parentheses when printed.
  virtual std::string name() const;
  virtual std::string extra() const { return {}; }

 protected:
  Module() = default;
  Module(const Module&) = default;
  Module(Module&&) = default;
  Module& operator=(const Module&) = default;
  Module& operator=(Module&&) = default;

 private:
  friend class ModeScope;
  bool training_ = true;
};

/// The module as PyTorch prints it, one line a member.
std::string to_string(const Module& module);

/// Sets a module's mode; every module below gets its own back at the end of the scope, also by an
/// exception.
class ModeScope {
 public:
  ModeScope(Module& module, bool training);
  ~ModeScope();
  ModeScope(const ModeScope&) = delete;
  ModeScope& operator=(const ModeScope&) = delete;

 private:
  std::vector<std::pair<Module*, bool>> before_;
};

/// Replaces every tensor by a copy of its own; tied ones stay tied.
void own_tensors(Module& module);

/// A copy that shares nothing with `module`.
template <std::derived_from<Module> M>
M clone(const M& module) {
  M copy = module;
  own_tensors(copy);
  return copy;
}

}  // namespace gradus::nn
