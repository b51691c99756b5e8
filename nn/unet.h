// U-Net: images to images, seen at several sizes (Ronneberger, Fischer and Brox 2015), with batch
// norm and bilinear upsampling. Keys are those of the common PyTorch version ("inc", "down1" ...).
#pragma once

#include "gradus/nn/sequential.h"

namespace gradus::nn {

struct UNetOptions {
  std::int64_t width = 64;  // channels at full size; doubled at each halving but the last
  std::int64_t depth = 4;   // halvings; H and W must be multiples of 2^depth
};

/// (N, channels, H, W) -> (N, outputs, H, W).
class UNet : public Module {
 public:
  UNet(std::int64_t channels, std::int64_t outputs, UNetOptions options = {});
  Tensor forward(const Tensor& x) override;
  void visit(Visitor& v) override;
  std::string name() const override { return "UNet"; }

  UNetOptions options;

 private:
  Sequential inc_;        // two convolutions
  ModuleList down_, up_;  // one a halving
  Sequential out_;
};

}  // namespace gradus::nn
