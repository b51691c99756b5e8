// ResNet-9: eight convolutions and a linear layer for small images (Page, "How to train your
// ResNet", 2018).
#pragma once

#include "gradus/nn/sequential.h"

namespace gradus::nn {

/// Images (N, channels, H, W), H and W at least 8 -> (N, outputs). Four blocks of a 3x3
/// convolution, batch norm and ReLU with width, 2, 4 and 8 times as many channels, the last three
/// halving the image; two residual pairs after the second and the fourth; maximum over the image,
/// linear layer.
class ResNet9 : public Module {
 public:
  ResNet9(std::int64_t channels, std::int64_t outputs, std::int64_t width = 64);
  Tensor forward(const Tensor& x) override;
  void visit(Visitor& v) override;
  std::string name() const override { return "ResNet9"; }

  Sequential conv1, conv2, res1, conv3, conv4, res2, classifier;
};

}  // namespace gradus::nn
