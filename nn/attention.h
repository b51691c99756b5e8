// Attention of many heads, and the transformer's layer around it. Vaswani et al. 2017.
#pragma once

#include <string>

#include "gradus/nn/dropout.h"
#include "gradus/nn/linear.h"
#include "gradus/nn/norm.h"

namespace gradus::nn {

struct MultiheadAttentionOptions {
  double dropout = 0;  // of the attention weights
  bool bias = true;
  std::int64_t kdim = 0, vdim = 0;  // sizes of keys and values; 0: embed_dim
  bool batch_first = false;         // (N, L, E) instead of (L, N, E)
};

/// What one call may be told. Masks are boolean (true: not to be looked at) or added to the scores.
struct AttentionOptions {
  Tensor key_padding_mask;  // (N, S), or (S) without a batch
  bool need_weights = true;
  Tensor attn_mask;  // (L, S) or (N num_heads, L, S)
  bool average_attn_weights = true;
  bool is_causal =
      false;  // position i sees positions up to i; unlike PyTorch's, needs no attn_mask
};

struct AttentionResult {
  Tensor output;   // query's shape
  Tensor weights;  // (N, L, S), or (N, num_heads, L, S) if not averaged; undefined if not needed
};

/// Softmax of q k' / sqrt(head size) times v, for num_heads parts of linear maps of the inputs.
/// query (L, N, E), key (S, N, kdim), value (S, N, vdim), or without N, or with N first.
class MultiheadAttention : public Module {
 public:
  MultiheadAttention(std::int64_t embed_dim, std::int64_t num_heads,
                     MultiheadAttentionOptions options = {}, TensorOptions tensor_options = {});
  AttentionResult forward(const Tensor& query, const Tensor& key, const Tensor& value,
                          const AttentionOptions& call = {});
  /// Attention of x to itself: the output alone.
  Tensor forward(const Tensor& x) override;
  using Module::operator();
  AttentionResult operator()(const Tensor& query, const Tensor& key, const Tensor& value,
                             const AttentionOptions& call = {}) {
    return forward(query, key, value, call);
  }
  void visit(Visitor& v) override;
  /// Xavier-uniform weights, zero biases; out_proj's weight as Linear's.
  void reset_parameters();

  std::int64_t embed_dim, num_heads;
  MultiheadAttentionOptions options;
  Tensor in_proj_weight;                               // (3 E, E) where all sizes are E, else
  Tensor q_proj_weight, k_proj_weight, v_proj_weight;  // (E, E), (E, kdim), (E, vdim)
  Tensor in_proj_bias;                                 // (3 E)
  Linear out_proj;

 private:
  struct Heads {
    Tensor q, k, v;  // (N, num_heads, length, head size)
  };
  Heads project(const Tensor& query, const Tensor& key, const Tensor& value) const;
  Tensor mask_of(const AttentionOptions& call, const Heads& heads) const;
};

struct TransformerEncoderLayerOptions {
  std::int64_t dim_feedforward = 2048;
  double dropout = 0.1;
  std::string activation = "relu";  // or "gelu"
  double layer_norm_eps = 1e-5;
  bool batch_first = false, norm_first = false, bias = true;
};

/// Self-attention and a network of two layers, each added to its input. Normalised after the sum
/// (norm_first: before the branch).
class TransformerEncoderLayer : public Module {
 public:
  TransformerEncoderLayer(std::int64_t d_model, std::int64_t nhead,
                          TransformerEncoderLayerOptions options = {},
                          TensorOptions tensor_options = {});
  Tensor forward(const Tensor& src) override { return forward(src, Tensor()); }
  Tensor forward(const Tensor& src, const Tensor& src_mask, const Tensor& src_key_padding_mask = {},
                 bool is_causal = false);
  using Module::operator();
  Tensor operator()(const Tensor& src, const Tensor& src_mask,
                    const Tensor& src_key_padding_mask = {}, bool is_causal = false) {
    return forward(src, src_mask, src_key_padding_mask, is_causal);
  }
  void visit(Visitor& v) override;

  TransformerEncoderLayerOptions options;
  MultiheadAttention self_attn;
  Linear linear1;
  Dropout dropout;
  Linear linear2;
  LayerNorm norm1, norm2;
  Dropout dropout1, dropout2;
};

}  // namespace gradus::nn
