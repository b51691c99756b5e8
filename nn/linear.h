// y = x W' + b.
#pragma once

#include "gradus/nn/module.h"

namespace gradus::nn {

/// x (..., in_features) -> y (..., out_features). W is (out_features, in_features).
class Linear : public Module {
 public:
  Linear(std::int64_t in_features, std::int64_t out_features, bool bias = true,
         TensorOptions options = {});
  Tensor forward(const Tensor& x) override;
  void visit(Visitor& v) override;
  /// What the constructor draws: uniform on +-1 / sqrt(in_features), weight and bias alike.
  void reset_parameters();
  std::string extra() const override;

  std::int64_t in_features, out_features;
  Tensor weight, bias;  // bias: undefined without
};

}  // namespace gradus::nn
