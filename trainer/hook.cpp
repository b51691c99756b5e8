#include "gradus/trainer/hook.h"

namespace gradus::trainer {
namespace {

class FunctionHook final : public Hook {
 public:
  FunctionHook(std::string name, HookPhase phase, std::function<void(HookContext&)> f, int priority)
      : name_(std::move(name)), phase_(phase), f_(std::move(f)), priority_(priority) {}
  std::string name() const override { return name_; }
  HookPhase phase() const override { return phase_; }
  int priority() const override { return priority_; }
  void run(HookContext& context) override { f_(context); }

 private:
  std::string name_;
  HookPhase phase_;
  std::function<void(HookContext&)> f_;
  int priority_;
};

}  // namespace

std::shared_ptr<Hook> make_hook(std::string name, HookPhase phase,
                                std::function<void(HookContext&)> f, int priority) {
  return std::make_shared<FunctionHook>(std::move(name), phase, std::move(f), priority);
}

}  // namespace gradus::trainer
