// Images of another size, as a layer.
#pragma once

#include <optional>
#include <string>

#include "gradus/autograd/functions/pair.h"
#include "gradus/nn/module.h"

namespace gradus::nn {

/// x (N, C, H, W), for "nearest" also (N, C, L) or (N, C, D, H, W), at `size`, or at `scale_factor`
/// times its size: one of the two. mode: "nearest" or "bilinear"; see interpolate().
class Upsample : public Module {
 public:
  explicit Upsample(std::optional<Sides> size, std::optional<double> scale_factor = {},
                    std::string mode = "nearest", bool align_corners = false);
  Tensor forward(const Tensor& x) override;
  std::string extra() const override;

  std::optional<Sides> size;
  std::optional<double> scale_factor;
  std::string mode;
  bool align_corners;
};

}  // namespace gradus::nn
