#include "gradus/trainer/task.h"

namespace gradus::trainer {

StepResult Task::evaluate(const Batch& batch, std::string_view dataset) {
  State state;
  state.phase = Phase::validate;
  std::optional<StepResult> result = step(batch, state);
  check(result.has_value(), ErrorKind::argument, "evaluate: the task has no loss for a batch of ",
        dataset, "; override Task::evaluate");
  return *std::move(result);
}

Tensor Task::predict(const Batch&) {
  raise(ErrorKind::unsupported,
        {"predict: this task does not say what to predict; override Task::predict"});
}

void Task::summarize(std::string_view, Values&) const {}

std::string Task::write(const std::string&) {
  raise(ErrorKind::unsupported, {"predict: this task does not write text; override Task::write"});
}

}  // namespace gradus::trainer
