// trainer.anomaly: names the operation that made the first value that is not finite.
#include "gradus/autograd/functions.h"
#include "gradus/trainer/loop.h"

namespace gradus::trainer {
namespace {

/// The full name of one module.
class NameOf final : public nn::Visitor {
 public:
  explicit NameOf(const void* module) : module_(module) {}
  std::string name;

 protected:
  void enter(std::string_view part, nn::Module& module) override {
    before_.push_back(path_.size());
    if (!part.empty()) path_ += (path_.empty() ? "" : ".") + std::string(part);
    if (&module == module_) name = path_;
  }
  void leave(nn::Module&) override {
    path_.resize(before_.back());
    before_.pop_back();
  }

 private:
  const void* module_;
  std::string path_;
  std::vector<std::size_t> before_;
};

}  // namespace

/// Keeps what a micro-batch's watch has found, if it is the first of its window.
void Loop::keep_anomaly(AnomalyWatch& watch, const Batch& batch) {
  if (!anomaly_.empty() || watch.found().empty()) return;
  anomaly_ = watch.found();
  if (watch.place() != nullptr) {
    NameOf find(watch.place());
    find.walk(task_->module());
    if (!find.name.empty()) anomaly_ += ", in module " + find.name;
  }
  const NoGrad guard;
  for (const auto& [name, t] : batch.fields)
    if (t.is_floating() && !all(isfinite(t)).item<bool>())
      anomaly_ += "; the batch's " + name + " was not finite already";
}

/// After the update. Every step that was skipped is worth a word; values that are not finite and
/// came to nothing are until the same is found again. Waits for the device.
void Loop::tell_of_anomaly() {
  const bool bad = was_bad();
  if (!bad && (anomaly_.empty() || anomaly_ == told_anomaly_)) return;
  if (anomaly_.empty())
    anomaly_ = "every recorded value was finite: the gradients' sum over micro-batches was not";
  log_message({"step ", state_.attempted, ": ", anomaly_,
               bad ? "" : "; the gradients are finite, and the step was made"});
  told_anomaly_ = anomaly_;
}

}  // namespace gradus::trainer
