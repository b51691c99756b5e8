// Lists of modules of any type, held by value: Sequential runs them one after the other.
#pragma once

#include <concepts>
#include <memory>
#include <type_traits>
#include <vector>

#include "gradus/nn/module.h"

namespace gradus::nn {

/// A module of any type as a value: copying copies the module (which shares its tensors).
class AnyModule {
 public:
  template <std::derived_from<Module> M>
  AnyModule(M module)  // NOLINT: any module is one
      : module_(std::make_unique<M>(std::move(module))), copy_([](const Module& m) {
          return std::unique_ptr<Module>(std::make_unique<M>(static_cast<const M&>(m)));
        }) {}
  AnyModule(const AnyModule& other) : module_(other.copy_(*other.module_)), copy_(other.copy_) {}
  AnyModule(AnyModule&&) noexcept = default;
  AnyModule& operator=(AnyModule other) noexcept {
    module_.swap(other.module_);
    copy_ = other.copy_;
    return *this;
  }
  Module& get() const { return *module_; }

 private:
  std::unique_ptr<Module> module_;
  std::unique_ptr<Module> (*copy_)(const Module&);
};

/// Modules named "0", "1", ...; what is done with them is up to who holds the list.
class ModuleList : public Module {
 public:
  ModuleList() = default;
  template <class... M>
  requires(std::derived_from<std::remove_cvref_t<M>, Module>&&...) &&
      (sizeof...(M) != 1 || !(std::derived_from<std::remove_cvref_t<M>, ModuleList> &&
                              ...)) explicit ModuleList(M&&... modules) {
    (append(std::forward<M>(modules)), ...);
  }

  void append(AnyModule module) { modules_.push_back(std::move(module)); }
  std::size_t size() const { return modules_.size(); }
  bool empty() const { return modules_.empty(); }
  /// The i-th module, counted from the end for a negative i.
  Module& operator[](std::int64_t i) const;
  /// The same as its own type; throws (argument) if it has another.
  template <std::derived_from<Module> M>
  M& at(std::int64_t i) const {
    M* module = dynamic_cast<M*>(&(*this)[i]);
    if (module == nullptr) wrong_type(i);
    return *module;
  }
  void visit(Visitor& v) override;
  std::string name() const override { return "ModuleList"; }

 private:
  [[noreturn]] void wrong_type(std::int64_t i) const;
  std::vector<AnyModule> modules_;
};

/// y = m[n-1](... m[1](m[0](x))).
///   nn::Sequential net{nn::Linear(784, 128), nn::ReLU(), nn::Linear(128, 10)};
class Sequential : public ModuleList {
 public:
  Sequential() = default;
  template <class... M>
  requires(std::derived_from<std::remove_cvref_t<M>, Module>&&...) &&
      (sizeof...(M) != 1 || !(std::derived_from<std::remove_cvref_t<M>, ModuleList> &&
                              ...)) explicit Sequential(M&&... modules)
      : ModuleList(std::forward<M>(modules)...) {}

  Tensor forward(const Tensor& x) override;
  std::string name() const override { return "Sequential"; }
};

}  // namespace gradus::nn
