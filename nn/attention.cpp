#include "gradus/nn/attention.h"

#include <cmath>
#include <limits>

#include "gradus/autograd/functions.h"
#include "gradus/nn/init.h"

namespace gradus::nn {
namespace {

constexpr double minus_infinity = -std::numeric_limits<double>::infinity();

/// The mask as numbers to add.
Tensor additive(const Tensor& mask, Dtype dtype) {
  if (mask.dtype() != Dtype::boolean) return mask.to(dtype);
  return masked_fill(zeros(mask.shape(), {dtype, mask.device()}), mask, minus_infinity);
}

Tensor sum_of(const Tensor& a, const Tensor& b) { return a && b ? a + b : a ? a : b; }

/// Rows [i E, (i + 1) E) of a packed weight or bias; undefined for an undefined one.
Tensor part(const Tensor& packed, int i, std::int64_t size) {
  return packed ? packed.narrow(0, i * size, size) : Tensor();
}

}  // namespace

MultiheadAttention::MultiheadAttention(std::int64_t embed_dim, std::int64_t num_heads,
                                       MultiheadAttentionOptions options,
                                       TensorOptions tensor_options)
    : embed_dim(embed_dim),
      num_heads(num_heads),
      options(options),
      out_proj(embed_dim, embed_dim, options.bias, tensor_options) {
  check(num_heads > 0 && embed_dim > 0 && embed_dim % num_heads == 0, ErrorKind::argument,
        "MultiheadAttention: embed_dim ", embed_dim, " is not a multiple of ", num_heads, " heads");
  const std::int64_t kdim = options.kdim == 0 ? embed_dim : options.kdim;
  const std::int64_t vdim = options.vdim == 0 ? embed_dim : options.vdim;
  tensor_options.requires_grad = true;
  if (kdim == embed_dim && vdim == embed_dim) {
    in_proj_weight = empty({3 * embed_dim, embed_dim}, tensor_options);
  } else {
    q_proj_weight = empty({embed_dim, embed_dim}, tensor_options);
    k_proj_weight = empty({embed_dim, kdim}, tensor_options);
    v_proj_weight = empty({embed_dim, vdim}, tensor_options);
  }
  if (options.bias) in_proj_bias = empty({3 * embed_dim}, tensor_options);
  reset_parameters();
}

void MultiheadAttention::reset_parameters() {
  for (const Tensor& w : {in_proj_weight, q_proj_weight, k_proj_weight, v_proj_weight}) {
    if (w) init::xavier_uniform_(w);
  }
  out_proj.reset_parameters();
  if (!options.bias) return;
  init::zeros_(in_proj_bias);
  init::zeros_(out_proj.bias);
}

MultiheadAttention::Heads MultiheadAttention::project(const Tensor& query, const Tensor& key,
                                                      const Tensor& value) const {
  const std::int64_t size = embed_dim / num_heads;
  const Dims heads_first = options.batch_first ? Dims{0, 2, 1, 3} : Dims{1, 2, 0, 3};
  const auto split = [&](const Tensor& x) {
    return x.reshape({x.size(0), x.size(1), num_heads, size}).permute(heads_first);
  };
  if (in_proj_weight && query.raw() == key.raw() && key.raw() == value.raw()) {
    const Tensor all = linear(query, in_proj_weight, in_proj_bias);  // (., ., 3 E)
    const auto third = [&](int i) { return split(all.narrow(-1, i * embed_dim, embed_dim)); };
    return {third(0), third(1), third(2)};
  }
  const auto apply = [&](const Tensor& x, const Tensor& own, int i) {
    return split(linear(x, own ? own : part(in_proj_weight, i, embed_dim),
                        part(in_proj_bias, i, embed_dim)));
  };
  return {apply(query, q_proj_weight, 0), apply(key, k_proj_weight, 1),
          apply(value, v_proj_weight, 2)};
}

/// What is added to the scores, (L, S) or (N, num_heads, L, S) or what broadcasts to it; undefined
/// for nothing. The causal part is left to the fused function where that is used.
Tensor MultiheadAttention::mask_of(const AttentionOptions& call, const Heads& heads) const {
  const std::int64_t batch = heads.q.size(0), length = heads.q.size(2), sources = heads.k.size(2);
  const Dtype dtype = heads.q.dtype();
  Tensor mask;
  if (call.attn_mask) {
    const Tensor& m = call.attn_mask;
    const bool shared = m.shape() == Shape{length, sources};
    check(shared || m.shape() == Shape{batch * num_heads, length, sources}, ErrorKind::shape,
          "MultiheadAttention: expected attn_mask of ", Shape{length, sources}, " or ",
          Shape{batch * num_heads, length, sources}, ", got ", m.shape());
    mask = additive(shared ? m : m.reshape({batch, num_heads, length, sources}), dtype);
  }
  if (call.key_padding_mask) {
    const Tensor& m = call.key_padding_mask;
    check(m.shape() == Shape{batch, sources} || (batch == 1 && m.shape() == Shape{sources}),
          ErrorKind::shape, "MultiheadAttention: expected key_padding_mask of ",
          Shape{batch, sources}, ", got ", m.shape());
    mask = sum_of(mask, additive(m.reshape({batch, 1, 1, sources}), dtype));
  }
  if (call.is_causal && call.need_weights)
    mask = sum_of(mask, triu(full({length, sources}, minus_infinity, heads.q.options()), 1));
  return mask;
}

AttentionResult MultiheadAttention::forward(const Tensor& query, const Tensor& key,
                                            const Tensor& value, const AttentionOptions& call) {
  if (query.dim() == 2) {  // no batch
    const int n = options.batch_first ? 0 : 1;
    const Tensor q = query.unsqueeze(n), k = key.raw() == query.raw() ? q : key.unsqueeze(n),
                 v = value.raw() == key.raw() ? k : value.unsqueeze(n);
    const AttentionResult r = forward(q, k, v, call);
    return {r.output.squeeze(n), r.weights ? r.weights.squeeze(0) : r.weights};
  }
  check(query.dim() == 3 && key.dim() == 3 && value.dim() == 3, ErrorKind::shape,
        "MultiheadAttention: expected three dimensions (or two, without a batch), got ",
        query.shape(), ", ", key.shape(), " and ", value.shape());
  const Heads heads = project(query, key, value);
  const Tensor mask = mask_of(call, heads);
  AttentionResult result;
  Tensor y;  // (N, heads, L, head size)
  if (call.need_weights) {
    const double scale = 1 / std::sqrt(static_cast<double>(embed_dim / num_heads));
    Tensor scores = matmul(heads.q * scale, heads.k.transpose(-2, -1));
    if (mask) scores = scores + mask;
    const Tensor weights = dropout(softmax(scores, -1), options.dropout, is_training());
    y = matmul(weights, heads.v);
    result.weights = call.average_attn_weights ? mean(weights, {1}) : weights;
  } else {
    y = scaled_dot_product_attention(heads.q, heads.k, heads.v, mask,
                                     is_training() ? options.dropout : 0, call.is_causal);
  }
  const Dims heads_last = options.batch_first ? Dims{0, 2, 1, 3} : Dims{2, 0, 1, 3};
  const Tensor joined = y.permute(heads_last).reshape({query.size(0), query.size(1), embed_dim});
  result.output = out_proj(joined);
  return result;
}

Tensor MultiheadAttention::forward(const Tensor& x) {
  AttentionOptions call;
  call.need_weights = false;
  return forward(x, x, x, call).output;
}

void MultiheadAttention::visit(Visitor& v) {
  v("in_proj_weight", in_proj_weight, Role::weight);
  v("q_proj_weight", q_proj_weight, Role::weight);
  v("k_proj_weight", k_proj_weight, Role::weight);
  v("v_proj_weight", v_proj_weight, Role::weight);
  v("in_proj_bias", in_proj_bias, Role::bias);
  v("out_proj", out_proj);
}

TransformerEncoderLayer::TransformerEncoderLayer(std::int64_t d_model, std::int64_t nhead,
                                                 TransformerEncoderLayerOptions o,
                                                 TensorOptions tensor_options)
    : options(o),
      self_attn(d_model, nhead,
                {.dropout = o.dropout, .bias = o.bias, .batch_first = o.batch_first},
                tensor_options),
      linear1(d_model, o.dim_feedforward, o.bias, tensor_options),
      dropout(o.dropout),
      linear2(o.dim_feedforward, d_model, o.bias, tensor_options),
      norm1(d_model, {.eps = o.layer_norm_eps, .bias = o.bias}, tensor_options),
      norm2(d_model, {.eps = o.layer_norm_eps, .bias = o.bias}, tensor_options),
      dropout1(o.dropout),
      dropout2(o.dropout) {
  check(o.activation == "relu" || o.activation == "gelu", ErrorKind::argument,
        "TransformerEncoderLayer: activation \"", o.activation, "\", expected relu or gelu");
}

Tensor TransformerEncoderLayer::forward(const Tensor& src, const Tensor& src_mask,
                                        const Tensor& src_key_padding_mask, bool is_causal) {
  const auto attend = [&](const Tensor& x) {
    AttentionOptions call;
    call.key_padding_mask = src_key_padding_mask;
    call.need_weights = false;
    call.attn_mask = src_mask;
    call.is_causal = is_causal;
    return dropout1(self_attn(x, x, x, call).output);
  };
  const auto feed_forward = [&](const Tensor& x) {
    const Tensor h = linear1(x);
    return dropout2(linear2(dropout(options.activation == "relu" ? relu(h) : gelu(h))));
  };
  if (options.norm_first) {
    const Tensor x = src + attend(norm1(src));
    return x + feed_forward(norm2(x));
  }
  const Tensor x = norm1(src + attend(src));
  return norm2(x + feed_forward(x));
}

void TransformerEncoderLayer::visit(Visitor& v) {
  v("self_attn", self_attn);
  v("linear1", linear1);
  v("dropout", dropout);
  v("linear2", linear2);
  v("norm1", norm1);
  v("norm2", norm2);
  v("dropout1", dropout1);
  v("dropout2", dropout2);
}

}  // namespace gradus::nn
