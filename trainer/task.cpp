#include "gradus/trainer/task.h"

#include <cmath>

#include "gradus/autograd/functions.h"

namespace gradus::trainer {

StepResult Task::evaluate(const Batch& batch, std::string_view) {
  State state;
  state.phase = Phase::validate;
  return step(batch, state).value_or(StepResult{});  // no loss: the batch says nothing
}

Tensor total_loss(const StepResult& result) {
  Tensor total;
  if (result.losses.size() < 2) return total;
  for (const Metric& n : result.losses) {
    check(n.name != "loss", ErrorKind::argument,
          "step: of several losses none can be named \"loss\", which is their sum");
    if (n.weight == 0) continue;
    const Tensor part = n.value.detach() * n.weight;
    total = total ? total + part : part;
  }
  return total;
}

double weight_of(const StepResult& result, std::int64_t samples) {
  const double weight = result.weight.value_or(static_cast<double>(samples));
  check(std::isfinite(weight) && weight >= 0, ErrorKind::argument,
        "step: expected a weight of 0 or more, got ", weight);
  return weight;
}

Tensor Task::predict(const Batch&) {
  raise(ErrorKind::unsupported,
        {"predict: this task does not say what to predict; override Task::predict"});
}

std::optional<optim::Schedule> Task::build_schedule(const std::string&, double, double) {
  return {};
}

std::unique_ptr<optim::Optimizer> Task::build_optimizer(const std::string&,
                                                        const std::vector<optim::Group>&,
                                                        const optim::Schedule&) {
  return nullptr;
}

void Task::summarize(std::string_view, Values&) const {}

std::string Task::write(const std::string&) {
  raise(ErrorKind::unsupported, {"predict: this task does not write text; override Task::write"});
}

}  // namespace gradus::trainer
