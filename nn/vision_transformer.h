// An image as a sequence of patches: the vision transformer (Dosovitskiy et al. 2021), with
// torchvision's keys.
#pragma once

#include "gradus/nn/attention.h"
#include "gradus/nn/conv.h"
#include "gradus/nn/sequential.h"

namespace gradus::nn {

struct VisionTransformerOptions {
  std::int64_t channels = 3, height = 32, width = 32;  // of the image
  std::int64_t patch = 4;                              // side of a patch; divides both sizes
  std::int64_t layers = 6;
  std::int64_t heads = 4;
  std::int64_t hidden = 128;  // of a patch; a multiple of heads
  std::int64_t mlp = 256;
  double dropout = 0, attention_dropout = 0;
};

/// Images (N, channels, height, width) -> (N, outputs): what a learned first "patch" has become
/// after all layers.
class VisionTransformer : public Module {
 public:
  VisionTransformer(std::int64_t outputs, const VisionTransformerOptions& options);
  Tensor forward(const Tensor& x) override;
  void visit(Visitor& v) override;
  std::string name() const override { return "VisionTransformer"; }

  struct Block : Module {
    explicit Block(const VisionTransformerOptions& options);
    Tensor forward(const Tensor& x) override;  // (N, P, hidden) -> the same
    void visit(Visitor& v) override;
    LayerNorm ln_1;
    MultiheadAttention self_attention;
    Dropout dropout;
    LayerNorm ln_2;
    Sequential mlp;
  };
  struct Encoder : Module {
    explicit Encoder(const VisionTransformerOptions& options);
    Tensor forward(const Tensor& x) override;  // (N, P, hidden) -> the same
    void visit(Visitor& v) override;
    Tensor pos_embedding;  // (1, P, hidden)
    Dropout dropout;
    ModuleList layers;
    LayerNorm ln;
  };

  VisionTransformerOptions options;
  Tensor class_token;  // (1, 1, hidden)
  Conv2d conv_proj;
  Encoder encoder;
  Linear head;  // starts at zero
};

}  // namespace gradus::nn
