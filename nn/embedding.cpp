#include "gradus/nn/embedding.h"

#include "gradus/autograd/functions.h"
#include "gradus/nn/init.h"
#include "gradus/nn/text.h"
#include "gradus/tensor/views.h"

namespace gradus::nn {

Embedding::Embedding(std::int64_t num_embeddings, std::int64_t embedding_dim,
                     EmbeddingOptions options, TensorOptions tensor_options)
    : num_embeddings(num_embeddings), embedding_dim(embedding_dim), options(options) {
  check(num_embeddings > 0 && embedding_dim > 0, ErrorKind::argument, "Embedding: ", num_embeddings,
        " vectors of ", embedding_dim, " numbers");
  std::optional<std::int64_t>& row = this->options.padding_idx;
  if (row) {
    check(*row >= -num_embeddings && *row < num_embeddings, ErrorKind::argument,
          "Embedding: padding_idx ", *row, " among ", num_embeddings, " vectors");
    if (*row < 0) *row += num_embeddings;
  }
  tensor_options.requires_grad = true;
  weight = empty({num_embeddings, embedding_dim}, tensor_options);
  reset_parameters();
}

void Embedding::reset_parameters() {
  init::normal_(weight);
  if (options.padding_idx) init::zeros_(views::select(weight.detach(), 0, *options.padding_idx));
}

Tensor Embedding::forward(const Tensor& indices) {
  return embedding(indices, weight, options.padding_idx);
}

void Embedding::visit(Visitor& v) { v("weight", weight, Role::embedding); }

std::string Embedding::extra() const {
  std::string text = text_of(num_embeddings) + ", " + text_of(embedding_dim);
  if (options.padding_idx) text += ", padding_idx=" + text_of(*options.padding_idx);
  return text;
}

}  // namespace gradus::nn
