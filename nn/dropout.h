// Dropout as a layer.
#pragma once

#include "gradus/nn/module.h"

namespace gradus::nn {

/// While training, sets each element to 0 with probability p and scales the others by 1 / (1 - p).
class Dropout : public Module {
 public:
  explicit Dropout(double p = 0.5);
  Tensor forward(const Tensor& x) override;
  std::string name() const override { return "Dropout"; }
  std::string extra() const override;
  double p;
};

}  // namespace gradus::nn
