// A transformer that guesses the next token: GPT-2 (Radford et al. 2019) at any size, with the keys
// that PyTorch code commonly gives it ("transformer.h.0.attn.c_attn.weight").
#pragma once

#include "gradus/nn/dropout.h"
#include "gradus/nn/embedding.h"
#include "gradus/nn/linear.h"
#include "gradus/nn/norm.h"
#include "gradus/nn/sequential.h"

namespace gradus::nn {

struct GPTOptions {
  std::int64_t vocabulary = 0;  // tokens are 0 ... vocabulary - 1
  std::int64_t context = 128;   // the longest sequence
  std::int64_t layers = 4;
  std::int64_t heads = 4;
  std::int64_t width = 128;  // of a token; a multiple of heads
  double dropout = 0;
  bool bias = true;  // of linear layers and norms
};

/// Tokens (N, T) -> scores of the next token (N, T, vocabulary), T <= context. The output layer
/// shares the token embedding's weight.
class GPT : public Module {
 public:
  explicit GPT(const GPTOptions& options);
  Tensor forward(const Tensor& tokens) override;
  void visit(Visitor& v) override;
  std::string name() const override { return "GPT"; }
  /// Normal with deviation 0.02, the layers that end a branch 0.02 / sqrt(2 layers); biases 0.
  void reset_parameters();

  /// Self-attention of `heads` parts; position t sees positions 0 ... t.
  struct Attention : Module {
    explicit Attention(const GPTOptions& options);
    Tensor forward(const Tensor& x) override;  // (N, T, C) -> (N, T, C)
    void visit(Visitor& v) override;
    std::int64_t heads;
    Linear c_attn, c_proj;  // (C -> 3 C): queries, keys, values; (C -> C)
    Dropout resid_dropout;
  };
  struct Mlp : Module {
    explicit Mlp(const GPTOptions& options);
    Tensor forward(const Tensor& x) override;
    void visit(Visitor& v) override;
    Linear c_fc, c_proj;
    Dropout dropout;
  };
  /// x + attention(norm(x)), then x + mlp(norm(x)).
  struct Block : Module {
    explicit Block(const GPTOptions& options);
    Tensor forward(const Tensor& x) override;
    void visit(Visitor& v) override;
    LayerNorm ln_1;
    Attention attn;
    LayerNorm ln_2;
    Mlp mlp;
  };
  struct Transformer : Module {
    explicit Transformer(const GPTOptions& options);
    Tensor forward(const Tensor& tokens) override;  // (N, T) -> (N, T, C)
    void visit(Visitor& v) override;
    Embedding wte, wpe;  // of tokens, of positions
    Dropout drop;
    ModuleList h;
    LayerNorm ln_f;
  };

  GPTOptions options;
  Transformer transformer;
  Linear lm_head;
};

}  // namespace gradus::nn
