#include "gradus/nn/state_dict.h"

#include <set>

#include "gradus/kernels/create.h"

namespace gradus::nn {
namespace {

class Collector final : public Visitor {
 public:
  explicit Collector(const Module& root) { walk(const_cast<Module&>(root)); }
  StateDict dict;

 private:
  void tensor(const std::string& name, Tensor& t, Role) override { dict.insert(name, t); }
};

/// One line of the report: "missing: a, b".
void add_line(std::string& report, const char* what, const std::vector<std::string>& names) {
  if (names.empty()) return;
  report += std::string("\n  ") + what + ": ";
  for (std::size_t i = 0; i < names.size(); ++i) report += (i == 0 ? "" : ", ") + names[i];
}

}  // namespace

StateDict::StateDict(std::initializer_list<Entry> entries) {
  for (const auto& [name, t] : entries) insert(name, t);
}

StateDict::StateDict(const std::map<std::string, Tensor>& entries) {
  for (const auto& [name, t] : entries) insert(name, t);
}

StateDict::operator std::map<std::string, Tensor>() const {
  return {entries_.begin(), entries_.end()};
}

void StateDict::insert(const std::string& name, const Tensor& t) {
  const bool is_new = places_.emplace(name, entries_.size()).second;
  check(is_new, ErrorKind::argument, "StateDict: two tensors are called \"", name, "\"");
  entries_.emplace_back(name, t);
}

const Tensor* StateDict::find(const std::string& name) const {
  const auto place = places_.find(name);
  return place == places_.end() ? nullptr : &entries_[place->second].second;
}

const Tensor& StateDict::at(const std::string& name) const {
  const Tensor* t = find(name);
  check(t != nullptr, ErrorKind::argument, "StateDict: there is no \"", name, "\"");
  return *t;
}

StateDict state_dict(const Module& module) { return Collector(module).dict; }

void load_state_dict(Module& module, const StateDict& dict, bool strict) {
  const StateDict own = state_dict(module);
  std::set<const TensorBody*> given;  // tensors for which some name is in the dict
  for (const auto& [name, t] : own) {
    if (dict.contains(name)) given.insert(t.raw());
  }
  std::vector<std::string> missing, unexpected, misshapen;
  for (const auto& [name, t] : own) {
    const Tensor* value = dict.find(name);
    if (value == nullptr) {
      if (given.count(t.raw()) == 0) missing.push_back(name);
    } else if (value->shape() != t.shape()) {
      misshapen.push_back(name + " is " + to_string(t.shape()) + " in the module and " +
                          to_string(value->shape()) + " in the dict");
    }
  }
  for (const auto& [name, t] : dict) {
    if (!own.contains(name)) unexpected.push_back(name);
  }
  std::string report;
  if (strict) {
    add_line(report, "missing", missing);
    add_line(report, "not the module's", unexpected);
  }
  add_line(report, "of another shape", misshapen);
  check(report.empty(), ErrorKind::argument, "load_state_dict: the dict does not fit ",
        module.name(), report);
  for (const auto& [name, value] : dict) {
    const Tensor* t = own.find(name);
    if (t == nullptr) continue;
    copy_into(value.detach(), *t);
    t->bump_version();
  }
}

}  // namespace gradus::nn
