// Stochastic gradient descent with momentum, dampening and Nesterov's variant (torch.optim.SGD).
#pragma once

#include "gradus/optim/optimizer.h"

namespace gradus::optim {

struct SGDOptions {
  double lr;  // required
  double momentum = 0;
  double dampening = 0;
  double weight_decay = 0;
  bool nesterov = false;
  GRADUS_COMMON_OPTIONS;
};

class SGD : public Optimizer {
 public:
  SGD(const Parameters& parameters, const SGDOptions& options)
      : SGD(one_group(parameters), options) {}
  SGD(std::vector<Group> groups, const SGDOptions& options);
};

}  // namespace gradus::optim
