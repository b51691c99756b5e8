// LARS: momentum with a rate for each parameter, eta |p| / (|g| + weight_decay |p| + eps) of the
// group's; 1 where a norm is 0. With decay_by_role, biases, norms and embeddings neither decay nor
// adapt.
#pragma once

#include "gradus/optim/optimizer.h"

namespace gradus::optim {

struct LARSOptions {
  double lr;  // required
  double momentum = 0.9;
  double weight_decay = 0;
  double eta = 1e-3;
  double eps = 1e-8;
  GRADUS_COMMON_OPTIONS;
};

class LARS : public Optimizer {
 public:
  LARS(const Parameters& parameters, const LARSOptions& options)
      : LARS(one_group(parameters), options) {}
  LARS(std::vector<Group> groups, const LARSOptions& options);
};

}  // namespace gradus::optim
