// trainer.freeze: parts of the model that do not learn.
#include "gradus/trainer/patterns.h"
#include "gradus/trainer/trainer.h"

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

}  // namespace

void Trainer::freeze() {
  Freezer freezer(config_.trainer.freeze);
  freezer.walk(task_->module());
  if (const std::string* pattern = freezer.unused()) {
    config_.fail("trainer.freeze", "\"" + *pattern + "\" matches no parameter");
  }
  task_->module().train();
  for (nn::Module* module : freezer.frozen) module->eval();
  frozen_ = std::move(freezer.parameters);
  frozen_modules_ = std::move(freezer.frozen);
}

/// From step trainer.unfreeze_at on everything learns. The optimizer has had the frozen parameters
/// in its groups since the start; they get their state with their first gradient.
void Trainer::thaw_if_due() {
  const std::int64_t at = config_.trainer.unfreeze_at;
  if (at == 0 || state_.attempted < at || frozen_.empty()) return;
  for (const Parameter& p : frozen_) p.set_requires_grad(true);
  for (nn::Module* module : frozen_modules_) module->train();
  frozen_.clear();
  frozen_modules_.clear();
  if (graphs_) begin_graphs();  // those there are know nothing of the new gradients
}

}  // namespace gradus::trainer
