// The named tensors of a module, in the order in which it lists them: what a checkpoint holds.
// Keys and layouts are PyTorch's.
#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "gradus/nn/module.h"

namespace gradus::nn {

/// An ordered map from name to tensor. Entries are handles: they show what the module learns next.
class StateDict {
 public:
  using Entry = std::pair<std::string, Tensor>;
  StateDict() = default;
  StateDict(std::initializer_list<Entry> entries);
  StateDict(const std::map<std::string, Tensor>& entries);
  operator std::map<std::string, Tensor>() const;

  /// Throws (argument) if the name is taken.
  void insert(const std::string& name, const Tensor& t);
  /// The tensor of this name, or null.
  const Tensor* find(const std::string& name) const;
  const Tensor& at(const std::string& name) const;  // throws (argument) if there is none
  const Tensor& operator[](const std::string& name) const { return at(name); }
  bool contains(const std::string& name) const { return find(name) != nullptr; }
  std::size_t size() const { return entries_.size(); }
  bool empty() const { return entries_.empty(); }
  auto begin() const { return entries_.begin(); }
  auto end() const { return entries_.end(); }

 private:
  std::vector<Entry> entries_;
  std::map<std::string, std::size_t> places_;
};

/// Every tensor of the module, tied ones under each of their names; not copies.
StateDict state_dict(const Module& module);

/// Copies the dict's values into the module's tensors, converting dtype and device. Throws
/// (argument) with a full report, and changes nothing, if a shape differs or, where `strict`, a
/// name is missing or not the module's. Of a tied tensor's names one is enough.
void load_state_dict(Module& module, const StateDict& dict, bool strict = true);

}  // namespace gradus::nn
