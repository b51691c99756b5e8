#include "gradus/nn/gpt.h"

#include <cmath>

#include "gradus/autograd/functions.h"
#include "gradus/kernels/create.h"
#include "gradus/nn/init.h"

namespace gradus::nn {
namespace {

LayerNorm norm(const GPTOptions& o) { return LayerNorm(o.width, {.bias = o.bias}); }

const GPTOptions& checked(const GPTOptions& o) {
  check(o.vocabulary > 0 && o.context > 0 && o.layers > 0 && o.heads > 0 && o.width > 0,
        ErrorKind::argument, "GPT: expected positive sizes, got vocabulary ", o.vocabulary,
        ", context ", o.context, ", layers ", o.layers, ", heads ", o.heads, ", width ", o.width);
  check(o.width % o.heads == 0, ErrorKind::argument, "GPT: width ", o.width,
        " is not a multiple of ", o.heads, " heads");
  return o;
}

}  // namespace

GPT::Attention::Attention(const GPTOptions& o)
    : heads(o.heads),
      c_attn(o.width, 3 * o.width, o.bias),
      c_proj(o.width, o.width, o.bias),
      resid_dropout(o.dropout) {}

Tensor GPT::Attention::forward(const Tensor& x) {
  const std::int64_t n = x.size(0), length = x.size(1), width = x.size(2);
  const Tensor qkv = c_attn(x);  // (N, T, 3 C)
  const auto part = [&](int i) {
    return qkv.narrow(2, i * width, width)
        .reshape({n, length, heads, width / heads})
        .transpose(1, 2);
  };
  const double dropout = is_training() ? resid_dropout.p : 0;
  const Tensor y = scaled_dot_product_attention(part(0), part(1), part(2), {}, dropout, true);
  return resid_dropout(c_proj(y.transpose(1, 2).reshape({n, length, width})));
}

void GPT::Attention::visit(Visitor& v) {
  v("c_attn", c_attn);
  v("c_proj", c_proj);
  v("resid_dropout", resid_dropout);
}

GPT::Mlp::Mlp(const GPTOptions& o)
    : c_fc(o.width, 4 * o.width, o.bias),
      c_proj(4 * o.width, o.width, o.bias),
      dropout(o.dropout) {}

Tensor GPT::Mlp::forward(const Tensor& x) { return dropout(c_proj(gelu(c_fc(x)))); }

void GPT::Mlp::visit(Visitor& v) {
  v("c_fc", c_fc);
  v("c_proj", c_proj);
  v("dropout", dropout);
}

GPT::Block::Block(const GPTOptions& o) : ln_1(norm(o)), attn(o), ln_2(norm(o)), mlp(o) {}

Tensor GPT::Block::forward(const Tensor& x) {
  const Tensor y = x + attn(ln_1(x));
  return y + mlp(ln_2(y));
}

void GPT::Block::visit(Visitor& v) {
  v("ln_1", ln_1);
  v("attn", attn);
  v("ln_2", ln_2);
  v("mlp", mlp);
}

GPT::Transformer::Transformer(const GPTOptions& o)
    : wte(o.vocabulary, o.width), wpe(o.context, o.width), drop(o.dropout), ln_f(norm(o)) {
  for (std::int64_t i = 0; i < o.layers; ++i) h.append(Block(o));
}

Tensor GPT::Transformer::forward(const Tensor& tokens) {
  check(tokens.dim() == 2 && tokens.size(1) <= wpe.num_embeddings, ErrorKind::shape,
        "GPT: expected tokens (N, T) with T at most ", wpe.num_embeddings, ", got ",
        tokens.shape());
  const Tensor places = wpe.weight.narrow(0, 0, tokens.size(1));  // (T, C)
  Tensor x = drop(wte(tokens) + places);
  for (std::size_t i = 0; i < h.size(); ++i) x = h[static_cast<std::int64_t>(i)](x);
  return ln_f(x);
}

void GPT::Transformer::visit(Visitor& v) {
  v("wte", wte);
  v("wpe", wpe);
  v("drop", drop);
  v("h", h);
  v("ln_f", ln_f);
}

GPT::GPT(const GPTOptions& o)
    : options(checked(o)), transformer(o), lm_head(o.width, o.vocabulary, false) {
  lm_head.weight = transformer.wte.weight;
  reset_parameters();
}

void GPT::reset_parameters() {
  const double branch = 0.02 / std::sqrt(2.0 * static_cast<double>(options.layers));
  for (const Parameter& p : parameters()) {
    if (p.role == Role::bias)
      init::zeros_(p);
    else if (p.role != Role::norm)
      init::normal_(p, 0, p.name.ends_with("c_proj.weight") ? branch : 0.02);
  }
}

Tensor GPT::forward(const Tensor& tokens) { return lm_head(transformer(tokens)); }

void GPT::visit(Visitor& v) {
  v("transformer", transformer);
  v("lm_head", lm_head);
}

}  // namespace gradus::nn
