#include "gradus/nn/module.h"

#include <cxxabi.h>

#include <cstdlib>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <typeinfo>

#include "gradus/autograd/node.h"
#include "gradus/kernels/create.h"

namespace gradus::nn {
namespace {

using Each = std::function<void(const std::string&, Tensor&, Role)>;

/// Calls `each` for every tensor. visit() is not const, as it hands out members to change; those
/// who only look go through here from const functions.
class Tensors final : public Visitor {
 public:
  Tensors(const Module& root, Each each) : each_(std::move(each)) {
    walk(const_cast<Module&>(root));
  }

 private:
  void tensor(const std::string& name, Tensor& t, Role role) override { each_(name, t, role); }
  Each each_;
};

class Modules final : public Visitor {
 public:
  Modules(Module& root, std::function<void(Module&)> each) : each_(std::move(each)) { walk(root); }

 private:
  void enter(std::string_view, Module& module) override { each_(module); }
  std::function<void(Module&)> each_;
};

std::vector<Parameter> collect(const Module& root, bool learned) {
  std::vector<Parameter> all;
  std::set<const TensorBody*> seen;
  Tensors(root, [&](const std::string& name, Tensor& t, Role role) {
    if (is_learned(role) == learned && seen.insert(t.raw()).second) all.push_back({t, name, role});
  });
  return all;
}

/// Gives every tensor's body the data of `convert(t)`, and its gradient likewise.
template <class Convert>
void convert_all(Module& root, Convert&& convert) {
  const NoGrad guard;
  Tensors(root, [&](const std::string&, Tensor& t, Role) {
    t.set_data(convert(t));
    if (Leaf* leaf = leaf_of(t); leaf != nullptr && leaf->gradient)
      leaf->gradient = convert(leaf->gradient);
  });
}

}  // namespace

void Visitor::operator()(std::string_view name, Tensor& t, Role role) {
  if (t.defined()) tensor(path_ + std::string(name), t, role);
}

void Visitor::operator()(std::string_view name, Module& child) {
  const std::size_t length = path_.size();
  enter(name, child);
  path_.append(name).push_back('.');
  child.visit(*this);
  path_.resize(length);
  leave(child);
}

void Visitor::walk(Module& root) {
  path_.clear();
  enter({}, root);
  root.visit(*this);
  leave(root);
}

void Visitor::tensor(const std::string&, Tensor&, Role) {}
void Visitor::enter(std::string_view, Module&) {}
void Visitor::leave(Module&) {}

Tensor Module::forward(const Tensor&) {
  raise(ErrorKind::unsupported, {name(), ": has no forward() of one tensor"});
}

std::vector<Parameter> Module::parameters() const { return collect(*this, true); }
std::vector<Parameter> Module::named_buffers() const { return collect(*this, false); }

std::int64_t Module::num_parameters() const {
  std::int64_t n = 0;
  for (const Parameter& p : parameters()) n += p.numel();
  return n;
}

void Module::zero_grad() const {
  for (const Parameter& p : parameters()) p.zero_grad();
}

void Module::train(bool on) {
  Modules(*this, [on](Module& m) { m.training_ = on; });
}

void Module::to(Device device) {
  convert_all(*this, [device](const Tensor& t) { return t.to(device); });
}

void Module::to(Dtype dtype) {
  check(is_floating(dtype), ErrorKind::dtype, "Module::to: expected a floating dtype, got ", dtype);
  convert_all(*this, [dtype](const Tensor& t) { return t.is_floating() ? t.to(dtype) : t; });
}

std::string Module::name() const {
  int status = 0;
  const char* mangled = typeid(*this).name();
  const std::unique_ptr<char, void (*)(void*)> text(
      abi::__cxa_demangle(mangled, nullptr, nullptr, &status), std::free);
  const std::string full = status == 0 ? text.get() : mangled;
  const std::size_t colon = full.substr(0, full.find('<')).rfind(':');
  return colon == std::string::npos ? full : full.substr(colon + 1);
}

ModeScope::ModeScope(Module& module, bool training) {
  Modules(module, [this](Module& m) { before_.emplace_back(&m, m.training_); });
  module.train(training);
}

ModeScope::~ModeScope() {
  for (const auto& [module, training] : before_) module->training_ = training;
}

void own_tensors(Module& module) {
  const NoGrad guard;
  std::map<const TensorBody*, Tensor> copies;
  std::vector<Tensor> originals;  // keeps addresses from being used again meanwhile
  Tensors(module, [&](const std::string&, Tensor& t, Role) {
    Tensor& copy = copies[t.raw()];
    if (!copy) {
      originals.push_back(t);
      copy = t.detach().clone();
      copy.set_requires_grad(t.requires_grad());
    }
    t = copy;
  });
}

namespace {

/// "Net(\n  (fc1): Linear(...)\n)", written while walking.
class Printer final : public Visitor {
 public:
  explicit Printer(const Module& root) { walk(const_cast<Module&>(root)); }
  std::string text;

 private:
  void enter(std::string_view name, Module& module) override {
    if (!counts_.empty()) {
      if (counts_.back()++ == 0) text += '\n';
      text.append(2 * counts_.size(), ' ').append("(").append(name).append("): ");
    }
    text += module.name() + "(" + module.extra();
    counts_.push_back(0);
  }
  void leave(Module&) override {
    const int children = counts_.back();
    counts_.pop_back();
    if (children > 0) text += std::string(2 * counts_.size(), ' ');
    text += counts_.empty() ? ")" : ")\n";
  }
  std::vector<int> counts_;  // children so far of each open module
};

}  // namespace

std::string to_string(const Module& module) { return Printer(module).text; }

}  // namespace gradus::nn
