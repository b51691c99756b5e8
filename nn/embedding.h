// A table of learned vectors, looked up by index.
#pragma once

#include <optional>

#include "gradus/nn/module.h"

namespace gradus::nn {

struct EmbeddingOptions {
  /// A row that starts at zero and gets no gradient; negative ones count from the end.
  std::optional<std::int64_t> padding_idx;
};

/// Integers (...) -> (..., embedding_dim).
class Embedding : public Module {
 public:
  Embedding(std::int64_t num_embeddings, std::int64_t embedding_dim, EmbeddingOptions options = {},
            TensorOptions tensor_options = {});
  Tensor forward(const Tensor& indices) override;
  void visit(Visitor& v) override;
  void reset_parameters();  // normal, mean 0, deviation 1
  std::string extra() const override;

  std::int64_t num_embeddings, embedding_dim;
  EmbeddingOptions options;
  Tensor weight;  // (num_embeddings, embedding_dim)
};

}  // namespace gradus::nn
