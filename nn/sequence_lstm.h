// LSTM layers between an embedding and a linear layer: for the next token of a text, or one answer
// for a whole sequence of numbers. Keys as in PyTorch's word language model.
#pragma once

#include "gradus/nn/dropout.h"
#include "gradus/nn/embedding.h"
#include "gradus/nn/linear.h"
#include "gradus/nn/recurrent.h"

namespace gradus::nn {

struct SequenceLSTMOptions {
  std::int64_t vocabulary = 0;  // 0: sequences of numbers instead of tokens
  std::int64_t inputs = 0;      // numbers at each time, where there are no tokens
  std::int64_t embedding = 128;
  std::int64_t hidden = 256;
  std::int64_t layers = 2;
  double dropout = 0;
};

/// Tokens (N, T) -> (N, T, outputs), or numbers (N, T, inputs) -> (N, outputs) at the last time.
class SequenceLSTM : public Module {
 public:
  SequenceLSTM(std::int64_t outputs, const SequenceLSTMOptions& options);
  Tensor forward(const Tensor& x) override;
  void visit(Visitor& v) override;
  std::string name() const override { return "SequenceLSTM"; }

  SequenceLSTMOptions options;
  Embedding encoder;
  Dropout drop;
  LSTM rnn;
  Linear decoder;
};

}  // namespace gradus::nn
