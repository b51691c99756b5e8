// trainer.freeze: parts of the model that do not learn.
#include <algorithm>

#include "gradus/trainer/loop.h"
#include "gradus/trainer/patterns.h"

namespace gradus::trainer {
namespace {

/// Takes the gradients from every parameter that a pattern names, and remembers the modules all of
/// whose parameters are frozen: their running statistics must stand still, so they stay in eval
/// mode.
class Freezer final : public nn::Visitor {
 public:
  explicit Freezer(const std::vector<std::string>& patterns)
      : patterns_(patterns), used_(patterns.size()) {}
  std::vector<nn::Module*> frozen;
  std::vector<Parameter> parameters;

  const std::string* unused() const {
    for (std::size_t i = 0; i < patterns_.size(); ++i) {
      if (!used_[i]) return &patterns_[i];
    }
    return nullptr;
  }

 protected:
  void tensor(const std::string& name, Tensor& t, Role role) override {
    if (!is_learned(role)) return;
    bool hit = false;
    for (std::size_t i = 0; i < patterns_.size(); ++i) {
      if (!matches(patterns_[i], name)) continue;
      used_[i] = hit = true;
    }
    if (hit && t.requires_grad()) {
      t.set_requires_grad(false);
      parameters.push_back({t, name, role});
    }
    for (Level& level : levels_) {
      level.any = true;
      level.all = level.all && hit;
    }
  }
  void enter(std::string_view, nn::Module& module) override { levels_.push_back({&module}); }
  void leave(nn::Module& module) override {
    const Level level = levels_.back();
    levels_.pop_back();
    if (level.any && level.all) frozen.push_back(&module);
  }

 private:
  struct Level {
    nn::Module* module;
    bool any = false, all = true;
  };
  const std::vector<std::string>& patterns_;
  std::vector<bool> used_;
  std::vector<Level> levels_;
};

/// The names of all tensors that stay as they are while `patterns` are frozen: those parameters,
/// and the buffers of modules all of whose parameters are.
class FrozenNames final : public nn::Visitor {
 public:
  explicit FrozenNames(const std::vector<std::string>& patterns) : patterns_(patterns) {}
  std::vector<std::string> names;

 protected:
  void tensor(const std::string& name, Tensor&, Role role) override {
    if (!is_learned(role)) {
      levels_.back().buffers.push_back(name);
      return;
    }
    const bool hit = matches_any(patterns_, name);
    if (hit) names.push_back(name);
    for (Level& level : levels_) {
      level.any = true;
      level.all = level.all && hit;
    }
  }
  void enter(std::string_view, nn::Module&) override { levels_.emplace_back(); }
  void leave(nn::Module&) override {
    const Level level = std::move(levels_.back());
    levels_.pop_back();
    // What learns nothing itself (a norm without a scale) stands still with the module around it.
    std::vector<std::string>* to = level.any && level.all           ? &names
                                   : !level.any && !levels_.empty() ? &levels_.back().buffers
                                                                    : nullptr;
    if (to != nullptr) to->insert(to->end(), level.buffers.begin(), level.buffers.end());
  }

 private:
  struct Level {
    bool any = false, all = true;
    std::vector<std::string> buffers;
  };
  const std::vector<std::string>& patterns_;
  std::vector<Level> levels_;
};

/// "1.weight, 1.bias, 4.weight, 4.bias", of many the first few and how many there are.
std::string some_names(const std::vector<Parameter>& parameters) {
  constexpr std::size_t most = 8;
  std::string names;
  for (std::size_t i = 0; i < parameters.size() && i < most; ++i)
    names += (i > 0 ? ", " : "") + parameters[i].name;
  if (parameters.size() > most) names += ", ... (" + std::to_string(parameters.size()) + ")";
  return names;
}

}  // namespace

/// With checkpoint.save = "trainable": the tensors that no checkpoint of this run holds.
std::vector<std::string> Loop::never_changing() const {
  const TrainerConfig& t = config_.trainer;
  if (config_.checkpoint.save != "trainable" || t.freeze.empty() || t.unfreeze_at > 0) return {};
  FrozenNames frozen(t.freeze);
  frozen.walk(task_->module());
  return std::move(frozen.names);
}

void Loop::freeze() {
  Freezer freezer(config_.trainer.freeze);
  freezer.walk(task_->module());
  if (const std::string* pattern = freezer.unused()) {
    config_.fail("trainer.freeze", "\"" + *pattern + "\" matches no parameter; there are " +
                                       some_names(task_->module().parameters()));
  }
  const auto parameters = task_->module().parameters();
  const bool some = std::any_of(parameters.begin(), parameters.end(),
                                [](const Parameter& p) { return p.requires_grad(); });
  if (!some && !freezer.parameters.empty() && config_.trainer.unfreeze_at == 0)
    config_.fail("trainer.freeze", "leaves no parameter to train");
  task_->module().train();
  for (nn::Module* module : freezer.frozen) module->eval();
  frozen_ = std::move(freezer.parameters);
  frozen_modules_ = std::move(freezer.frozen);
}

/// From step trainer.unfreeze_at on everything learns. The optimizer has had the frozen parameters
/// in its groups since the start; they get their state with their first gradient.
void Loop::thaw_if_due() {
  const std::int64_t at = config_.trainer.unfreeze_at;
  if (at == 0 || state_.attempted < at || frozen_.empty()) return;
  for (const Parameter& p : frozen_) p.set_requires_grad(true);
  for (nn::Module* module : frozen_modules_) module->train();
  frozen_.clear();
  frozen_modules_.clear();
  if (graphs_) begin_graphs();  // those there are know nothing of the new gradients
}

}  // namespace gradus::trainer
