// The chapter on the trainer, where a build has one: names and signatures, checked by the compiler.
#include "names.h"

#if GRADUS_HAS_TRAINER
using namespace gradus;

static_assert(requires(trainer::Trainer & t, trainer::Batch& batch, const Tensor& x) {
  { t.fit() } -> std::same_as<trainer::Result>;
  t.step(batch);
  t.evaluate("valid");
  { t.predict(batch) } -> std::same_as<Tensor>;
  t.save();
  t.load("run/checkpoints/1");
  t.log("name", x);
  t.log("name", 0.5);
  t.request_stop();
  t.request_save();
  { t.state() } -> std::same_as<const trainer::State&>;
  { t.config() } -> std::same_as<const trainer::Config&>;
  trainer::log_image("name", x);
});
static_assert(std::same_as<decltype(trainer::load_model("run")), std::shared_ptr<nn::Module>>);
static_assert(requires(trainer::StepResult r, const trainer::Metric& m) {
  r.losses.push_back(m);
  r.records.push_back(m);
  r.weight = 1;
});
static_assert(requires(trainer::Task & task, const trainer::Batch& batch, const trainer::State& s,
                       const trainer::Hook& hook, trainer::Sink& sink, const trainer::Dataset& d) {
  task.module();
  task.step(batch, s);
  hook.phase();
  hook.priority();
  sink.flush();
  d.size();
  batch["input"];
});
static_assert(std::same_as<decltype(&cli::main), int (*)(int, char**, const cli::Tasks&)>);
#endif
