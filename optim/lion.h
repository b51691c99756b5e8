// Lion and Adan, with the defaults of their papers.
#pragma once

#include "gradus/optim/optimizer.h"

namespace gradus::optim {

struct LionOptions {
  double lr = 1e-4;
  std::array<double, 2> betas = {0.9, 0.99};
  double weight_decay = 0;
  GRADUS_COMMON_OPTIONS;
};

class Lion : public Optimizer {
 public:
  explicit Lion(const Parameters& parameters, const LionOptions& options = {})
      : Lion(one_group(parameters), options) {}
  explicit Lion(std::vector<Group> groups, const LionOptions& options = {});
};

struct AdanOptions {
  double lr = 1e-3;
  std::array<double, 3> betas = {0.98, 0.92, 0.99};
  double eps = 1e-8;
  double weight_decay = 0;
  bool no_prox = false;
  GRADUS_COMMON_OPTIONS;
};

class Adan : public Optimizer {
 public:
  explicit Adan(const Parameters& parameters, const AdanOptions& options = {})
      : Adan(one_group(parameters), options) {}
  explicit Adan(std::vector<Group> groups, const AdanOptions& options = {});
};

}  // namespace gradus::optim
