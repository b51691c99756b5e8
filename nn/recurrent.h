// Recurrent layers: RNN (Elman 1990), LSTM (Hochreiter and Schmidhuber 1997) and GRU (Cho et al.
// 2014), of one or more layers, in one or both directions of time.
#pragma once

#include <string>
#include <vector>

#include "gradus/nn/module.h"

namespace gradus::nn {

struct RecurrentOptions {
  std::int64_t num_layers = 1;
  bool bias = true;
  bool batch_first = false;  // (N, T, C) instead of (T, N, C)
  double dropout = 0;        // on what a layer gives to the next one
  bool bidirectional = false;
};

/// What all have: for each layer and direction weights (gates H, inputs) and (gates H, H), and two
/// biases (gates H), named as PyTorch names them: weight_ih_l0, weight_hh_l0_reverse ... One
/// sequence needs no N: x (T, C) with states (layers directions, H) gives (T, directions H) and
/// such states.
class Recurrent : public Module {
 public:
  void visit(Visitor& v) override;
  /// Uniform on +-1 / sqrt(hidden_size).
  void reset_parameters();
  std::string extra() const override;

  struct Weights {
    Tensor weight_ih, weight_hh, bias_ih, bias_hh;
  };
  std::int64_t input_size, hidden_size;
  RecurrentOptions options;
  std::vector<Weights> weights;  // layer by layer, forwards before backwards

 protected:
  Recurrent(std::int64_t gates, std::int64_t input_size, std::int64_t hidden_size,
            RecurrentOptions options, TensorOptions tensor_options);
  int directions() const { return options.bidirectional ? 2 : 1; }

  struct State {
    Tensor h, c;  // (N, H); c for LSTM alone
  };
  struct Sequence {
    Tensor output;              // x's layout, (T, N, directions H)
    std::vector<State> finals;  // one for each layer and direction
  };
  /// `h0`, `c0`: (layers directions, N, H) or undefined for zeros.
  Sequence run(const Tensor& x, const Tensor& h0, const Tensor& c0);
  /// One step in time: `from_x` (N, gates H) is weight_ih x + bias_ih.
  virtual State step(const Tensor& from_x, const State& before, const Weights& w) const = 0;
};

struct LSTMResult {
  Tensor output;  // (T, N, directions H)
  Tensor h, c;    // (layers directions, N, H): the last of each
};

/// i, f, o = sigmoid, g = tanh of W x + b + U h + d;  c' = f c + i g;  h' = o tanh(c').
class LSTM : public Recurrent {
 public:
  LSTM(std::int64_t input_size, std::int64_t hidden_size, RecurrentOptions options = {},
       TensorOptions tensor_options = {})
      : Recurrent(4, input_size, hidden_size, options, tensor_options) {}
  /// The output alone, from a state of zeros.
  Tensor forward(const Tensor& x) override { return forward(x, {}, {}).output; }
  LSTMResult forward(const Tensor& x, const Tensor& h0, const Tensor& c0);

 protected:
  State step(const Tensor& from_x, const State& before, const Weights& w) const override;
};

struct GRUResult {
  Tensor output, h;
};
using RNNResult = GRUResult;

enum class Nonlinearity { tanh, relu };

/// h' = tanh(W x + b + U h + d), or relu of it.
class RNN : public Recurrent {
 public:
  RNN(std::int64_t input_size, std::int64_t hidden_size, RecurrentOptions options = {},
      Nonlinearity nonlinearity = Nonlinearity::tanh, TensorOptions tensor_options = {})
      : Recurrent(1, input_size, hidden_size, options, tensor_options),
        nonlinearity(nonlinearity) {}
  Tensor forward(const Tensor& x) override { return forward(x, {}).output; }
  RNNResult forward(const Tensor& x, const Tensor& h0);
  Nonlinearity nonlinearity;

 protected:
  State step(const Tensor& from_x, const State& before, const Weights& w) const override;
};

/// r, z = sigmoid of W x + b + U h + d;  n = tanh(W x + b + r (U h + d));  h' = (1 - z) n + z h.
class GRU : public Recurrent {
 public:
  GRU(std::int64_t input_size, std::int64_t hidden_size, RecurrentOptions options = {},
      TensorOptions tensor_options = {})
      : Recurrent(3, input_size, hidden_size, options, tensor_options) {}
  Tensor forward(const Tensor& x) override { return forward(x, {}).output; }
  GRUResult forward(const Tensor& x, const Tensor& h0);

 protected:
  State step(const Tensor& from_x, const State& before, const Weights& w) const override;
};

}  // namespace gradus::nn
