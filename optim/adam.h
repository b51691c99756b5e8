// Adam, whose weight decay joins the gradient, and AdamW, whose decay shrinks the weight itself
// (torch.optim.Adam, torch.optim.AdamW; without amsgrad).
#pragma once

#include "gradus/optim/optimizer.h"

namespace gradus::optim {

struct AdamOptions {
  double lr = 1e-3;
  std::array<double, 2> betas = {0.9, 0.999};
  double eps = 1e-8;
  double weight_decay = 0;
  GRADUS_COMMON_OPTIONS;
};

class Adam : public Optimizer {
 public:
  explicit Adam(const Parameters& parameters, const AdamOptions& options = {})
      : Adam(one_group(parameters), options) {}
  explicit Adam(std::vector<Group> groups, const AdamOptions& options = {});
};

struct AdamWOptions {
  double lr = 1e-3;
  std::array<double, 2> betas = {0.9, 0.999};
  double eps = 1e-8;
  double weight_decay = 1e-2;
  GRADUS_COMMON_OPTIONS;
};

class AdamW : public Optimizer {
 public:
  explicit AdamW(const Parameters& parameters, const AdamWOptions& options = {})
      : AdamW(one_group(parameters), options) {}
  explicit AdamW(std::vector<Group> groups, const AdamWOptions& options = {});
};

}  // namespace gradus::optim
