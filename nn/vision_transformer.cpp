#include "gradus/nn/vision_transformer.h"

#include <cmath>

#include "gradus/autograd/functions.h"
#include "gradus/kernels/create.h"
#include "gradus/nn/activation.h"
#include "gradus/nn/init.h"

namespace gradus::nn {
namespace {

constexpr LayerNormOptions eps{.eps = 1e-6};

const VisionTransformerOptions& checked(const VisionTransformerOptions& o) {
  check(o.patch > 0 && o.height % o.patch == 0 && o.width % o.patch == 0, ErrorKind::argument,
        "VisionTransformer: patches of ", o.patch, " do not divide an image of ", o.height, " x ",
        o.width);
  check(o.heads > 0 && o.hidden > 0 && o.hidden % o.heads == 0, ErrorKind::argument,
        "VisionTransformer: hidden ", o.hidden, " is not a multiple of ", o.heads, " heads");
  return o;
}

}  // namespace

VisionTransformer::Block::Block(const VisionTransformerOptions& o)
    : ln_1(o.hidden, eps),
      self_attention(o.hidden, o.heads, {.dropout = o.attention_dropout, .batch_first = true}),
      dropout(o.dropout),
      ln_2(o.hidden, eps),
      mlp(Linear(o.hidden, o.mlp), GELU(), Dropout(o.dropout), Linear(o.mlp, o.hidden),
          Dropout(o.dropout)) {
  for (const int i : {0, 3}) {
    init::xavier_uniform_(mlp.at<Linear>(i).weight);
    init::zeros_(mlp.at<Linear>(i).bias);
  }
}

Tensor VisionTransformer::Block::forward(const Tensor& x) {
  const Tensor y = x + dropout(self_attention(ln_1(x)));
  return y + mlp(ln_2(y));
}

void VisionTransformer::Block::visit(Visitor& v) {
  v("ln_1", ln_1);
  v("self_attention", self_attention);
  v("dropout", dropout);
  v("ln_2", ln_2);
  v("mlp", mlp);
}

VisionTransformer::Encoder::Encoder(const VisionTransformerOptions& o)
    : dropout(o.dropout), ln(o.hidden, eps) {
  const std::int64_t patches = (o.height / o.patch) * (o.width / o.patch);
  pos_embedding = empty({1, patches + 1, o.hidden}, {.requires_grad = true});
  init::normal_(pos_embedding, 0, 0.02);
  for (std::int64_t i = 0; i < o.layers; ++i) layers.append(Block(o));
}

Tensor VisionTransformer::Encoder::forward(const Tensor& x) {
  Tensor y = dropout(x + pos_embedding);
  for (std::size_t i = 0; i < layers.size(); ++i) y = layers[static_cast<std::int64_t>(i)](y);
  return ln(y);
}

void VisionTransformer::Encoder::visit(Visitor& v) {
  v("pos_embedding", pos_embedding, Role::embedding);
  v("dropout", dropout);
  for (std::size_t i = 0; i < layers.size(); ++i)
    v("layers.encoder_layer_" + std::to_string(i), layers[static_cast<std::int64_t>(i)]);
  v("ln", ln);
}

VisionTransformer::VisionTransformer(std::int64_t outputs, const VisionTransformerOptions& o)
    : options(checked(o)),
      conv_proj(o.channels, o.hidden, o.patch, {.stride = o.patch}),
      encoder(o),
      head(o.hidden, outputs) {
  class_token = zeros({1, 1, o.hidden}, {.requires_grad = true});
  init::trunc_normal_(conv_proj.weight, 0, 1 / std::sqrt(init::fans(conv_proj.weight).in));
  init::zeros_(conv_proj.bias);
  init::zeros_(head.weight);
  init::zeros_(head.bias);
}

Tensor VisionTransformer::forward(const Tensor& x) {
  check(x.dim() == 4 && x.size(2) == options.height && x.size(3) == options.width, ErrorKind::shape,
        "VisionTransformer: expected images (N, ", options.channels, ", ", options.height, ", ",
        options.width, "), got ", x.shape());
  const std::int64_t n = x.size(0);
  const Tensor patches = conv_proj(x).flatten(2, 3).transpose(1, 2);  // (N, P, hidden)
  const Tensor first = class_token.expand({n, 1, options.hidden});
  const Tensor y = encoder(cat({first, patches}, 1));
  return head(y.select(1, 0));
}

void VisionTransformer::visit(Visitor& v) {
  v("class_token", class_token, Role::embedding);
  v("conv_proj", conv_proj);
  v("encoder", encoder);
  v("heads.head", head);
}

}  // namespace gradus::nn
