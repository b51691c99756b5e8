// What callers see of loop.h.
#include "gradus/trainer/trainer.h"

#include "gradus/trainer/loop.h"
#include "gradus/trainer/run/files.h"

namespace gradus::trainer {

Trainer::Trainer(Config config, std::shared_ptr<Task> task,
                 std::map<std::string, DatasetPointer> data)
    : loop_(std::make_unique<Loop>(*this, std::move(config), std::move(task), std::move(data))) {}
Trainer::~Trainer() = default;

void Trainer::add(std::shared_ptr<Hook> hook) { loop_->add(std::move(hook)); }
void Trainer::add(std::unique_ptr<Sink> sink) { loop_->add(std::move(sink)); }
void Trainer::use_directory(const std::string& directory, std::function<void()> confirm) {
  loop_->use_directory(directory, std::move(confirm), Files::system());
}
void Trainer::use_directory(const std::string& directory, std::function<void()> confirm,
                            Files& files) {
  loop_->use_directory(directory, std::move(confirm), files);
}
void Trainer::set_trial(std::shared_ptr<Trial> trial) { loop_->set_trial(std::move(trial)); }
void Trainer::on_saved(std::function<void()> f) { loop_->on_saved(std::move(f)); }

void Trainer::prepare() { loop_->prepare(); }
Result Trainer::fit() { return loop_->fit(); }
void Trainer::step(Batch& batch) { loop_->step(batch); }
Values Trainer::evaluate(const std::string& name) { return loop_->evaluate(name); }
Tensor Trainer::predict(const Batch& batch) { return loop_->predict(batch); }
std::string Trainer::write(const std::string& prompt) { return loop_->write(prompt); }

void Trainer::save() { loop_->save(); }
bool Trainer::rescue() { return loop_->rescue(); }
void Trainer::load(const std::string& checkpoint) { loop_->load(checkpoint); }
void Trainer::use_given_rates() { loop_->use_given_rates(); }
std::int64_t Trainer::steps_per_epoch() const { return loop_->steps_per_epoch(); }
std::int64_t Trainer::samples(const std::string& name) const { return loop_->samples(name); }
void Trainer::load_weights(const std::string& checkpoint, bool averaged) {
  loop_->load_weights(checkpoint, averaged);
}
void Trainer::try_evaluations() { loop_->try_evaluations(); }
void Trainer::request_stop(int signal) noexcept { loop_->request_stop(signal); }
void Trainer::request_save() noexcept { loop_->request_save(); }

void Trainer::log(std::string_view name, const Tensor& value, double weight) {
  loop_->log(name, value, weight);
}
void Trainer::log(std::string_view name, double value, double weight) {
  loop_->log(name, value, weight);
}
bool Trainer::wants(std::string_view name) const { return loop_->wants(name); }
bool Trainer::wants_entry(Entry::Kind kind) const { return loop_->wants_entry(kind); }
void Trainer::log_entry(std::string_view name, Entry::Kind kind,
                        const std::function<decltype(Entry::content)()>& make) {
  loop_->log_entry(name, kind, make);
}

const State& Trainer::state() const { return loop_->state(); }
const Config& Trainer::config() const { return loop_->config(); }
Task& Trainer::task() { return loop_->task(); }
optim::Optimizer& Trainer::optimizer(const std::string& name) { return loop_->optimizer(name); }
std::vector<std::string> Trainer::optimizer_names() const { return loop_->optimizer_names(); }
const std::string& Trainer::directory() const { return loop_->directory(); }
Device Trainer::device() const { return loop_->device(); }

}  // namespace gradus::trainer
