// LAMB: AdamW's update u = m / (sqrt(v) + eps) + weight_decay p, bias-corrected, at the rate
// lr |p| / |u| of each parameter, lr where a norm is 0 (You et al. 2019, arXiv:1904.00962,
// algorithm 2 with the identity for its bound). With decay_by_role, biases, norms and embeddings
// neither decay nor adapt.
#pragma once

#include "gradus/optim/optimizer.h"

namespace gradus::optim {

struct LAMBOptions {
  double lr = 1e-3;
  std::array<double, 2> betas = {0.9, 0.999};
  double eps = 1e-6;
  double weight_decay = 0;
  GRADUS_COMMON_OPTIONS;
};

class LAMB : public Optimizer {
 public:
  explicit LAMB(const Parameters& parameters, const LAMBOptions& options = {})
      : LAMB(one_group(parameters), options) {}
  explicit LAMB(std::vector<Group> groups, const LAMBOptions& options = {});
};

}  // namespace gradus::optim
