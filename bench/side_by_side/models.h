// The models of the comparison, in the library's ordinary spelling; torch_side.py has the same
// ones.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "gradus/gradus.h"

namespace gradus::bench {

inline std::shared_ptr<nn::Module> mlp(std::int64_t hidden) {
  return std::make_shared<nn::Sequential>(nn::Linear(784, hidden), nn::ReLU(),
                                          nn::Linear(hidden, 10));
}

/// Two convolutions over 28 x 28 images, each with ReLU and 2 x 2 pooling, then one or two layers.
inline std::shared_ptr<nn::Module> cnn(std::int64_t first, std::int64_t second, std::int64_t kernel,
                                       std::int64_t hidden) {
  auto model = std::make_shared<nn::Sequential>(
      nn::Conv2d(1, first, kernel, {.padding = kernel / 2}), nn::ReLU(), nn::MaxPool2d(2),
      nn::Conv2d(first, second, kernel, {.padding = kernel / 2}), nn::ReLU(), nn::MaxPool2d(2),
      nn::Flatten());
  const std::int64_t width = second * 7 * 7;
  if (hidden > 0) {
    model->append(nn::Linear(width, hidden));
    model->append(nn::ReLU());
  }
  model->append(nn::Linear(hidden > 0 ? hidden : width, 10));
  return model;
}

/// A pre-norm transformer block with causal attention.
struct Block : nn::Module {
  Block(std::int64_t c, std::int64_t heads)
      : heads(heads), ln1({c}), ln2({c}), qkv(c, 3 * c), out(c, c), up(c, 4 * c), down(4 * c, c) {}
  std::int64_t heads;
  nn::LayerNorm ln1, ln2;
  nn::Linear qkv, out, up, down;

  Tensor forward(const Tensor& x) override {  // (B, T, C)
    const std::int64_t b = x.size(0), t = x.size(1), c = x.size(2);
    const Tensor all = qkv(ln1(x)).view({b, t, 3, heads, c / heads});
    const auto part = [&](int i) { return all.select(2, i).transpose(1, 2); };  // (B, H, T, D)
    const Tensor a = scaled_dot_product_attention(part(0), part(1), part(2), {}, 0, true);
    const Tensor y = x + out(a.transpose(1, 2).reshape({b, t, c}));
    return y + down(gelu(up(ln2(y))));
  }
  void visit(nn::Visitor& v) override {
    v("ln1", ln1), v("ln2", ln2), v("qkv", qkv), v("out", out), v("up", up), v("down", down);
  }
};

/// Token and place embeddings, blocks, a norm, and a head of its own.
struct Gpt : nn::Module {
  Gpt(std::int64_t vocabulary, int layers, std::int64_t c, std::int64_t heads, std::int64_t t)
      : token(vocabulary, c), place(t, c), norm({c}), head(c, vocabulary, false) {
    for (int i = 0; i < layers; ++i) blocks.emplace_back(c, heads);
  }
  nn::Embedding token, place;
  std::vector<Block> blocks;
  nn::LayerNorm norm;
  nn::Linear head;

  Tensor forward(const Tensor& x) override {  // (B, T) indices -> (B, T, vocabulary)
    Tensor y = token(x) + place.weight.slice(0, 0, x.size(1));
    for (Block& block : blocks) y = block(y);
    return head(norm(y));
  }
  void visit(nn::Visitor& v) override {
    v("token", token), v("place", place);
    for (std::size_t i = 0; i < blocks.size(); ++i) v("blocks." + std::to_string(i), blocks[i]);
    v("norm", norm), v("head", head);
  }
};

}  // namespace gradus::bench
