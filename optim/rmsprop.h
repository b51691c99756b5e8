// RMSprop and Adagrad: gradients over the root of their own past squares (torch.optim.RMSprop,
// torch.optim.Adagrad).
#pragma once

#include "gradus/optim/optimizer.h"

namespace gradus::optim {

struct RMSpropOptions {
  double lr = 1e-2;
  double alpha = 0.99;
  double eps = 1e-8;
  double weight_decay = 0;
  double momentum = 0;
  bool centered = false;
  GRADUS_COMMON_OPTIONS;
};

class RMSprop : public Optimizer {
 public:
  explicit RMSprop(const Parameters& parameters, const RMSpropOptions& options = {})
      : RMSprop(one_group(parameters), options) {}
  explicit RMSprop(std::vector<Group> groups, const RMSpropOptions& options = {});
};

struct AdagradOptions {
  double lr = 1e-2;
  double lr_decay = 0;
  double weight_decay = 0;
  double initial_accumulator_value = 0;
  double eps = 1e-10;
  GRADUS_COMMON_OPTIONS;
};

class Adagrad : public Optimizer {
 public:
  explicit Adagrad(const Parameters& parameters, const AdagradOptions& options = {})
      : Adagrad(one_group(parameters), options) {}
  explicit Adagrad(std::vector<Group> groups, const AdagradOptions& options = {});
};

}  // namespace gradus::optim
