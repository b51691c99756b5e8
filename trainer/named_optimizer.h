// One of a run's optimizers: the only one, "main", of [optim], or one of [optimizers.<name>].
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "gradus/optim/optimizer.h"
#include "gradus/optim/plateau.h"
#include "gradus/trainer/config.h"

namespace gradus::trainer {

struct NamedOptimizer {
  std::string name;
  Config config;  // the run's, with `optim` and `schedule` as this one has them
  std::unique_ptr<optim::Optimizer> optimizer;
  std::unique_ptr<optim::Plateau> plateau;      // schedule.type = "plateau"
  std::optional<optim::AverageGuard> averaged;  // while a validation uses the averages
  optim::StepState clock;                       // as it was last read
  bool moves = true;                            // in the window of now
  bool has_average() const { return config.optim.ema_decay > 0; }
};

}  // namespace gradus::trainer
