// Elman's network against its formula, written out over numbers; LSTM and GRU are held to PyTorch's
// results in test_fixtures.cpp.
#include "gradus/autograd/engine.h"
#include "gradus/nn/recurrent.h"
#include "gradus/nn/state_dict.h"
#include "gradus/tests/autograd/numbers.h"

namespace gradus::nn {
namespace {

/// h' = f(W x + b + U h + d) for x (T, N, I), step by step, from the end if `backwards`: (T, N, H).
Tensor by_formula(const RNN& net, const Recurrent::Weights& w, const Tensor& x, Tensor h,
                  bool backwards) {
  std::vector<Tensor> all(static_cast<std::size_t>(x.size(0)));
  for (std::int64_t i = 0; i < x.size(0); ++i) {
    const std::int64_t t = backwards ? x.size(0) - 1 - i : i;
    const Tensor sum =
        matmul(x[t], w.weight_ih.t()) + w.bias_ih + matmul(h, w.weight_hh.t()) + w.bias_hh;
    h = net.nonlinearity == Nonlinearity::relu ? maximum(sum, zeros_like(sum)) : tanh(sum);
    all[static_cast<std::size_t>(t)] = h;
  }
  return stack(all);
}

TEST(Rnn, IsItsFormula) {
  manual_seed(1);
  const Tensor x = testing::uniform({5, 2, 4}, 1, -1, 1, Dtype::f64),
               h0 = testing::uniform({1, 2, 3}, 2, -1, 1, Dtype::f64);
  for (Nonlinearity f : {Nonlinearity::tanh, Nonlinearity::relu}) {
    RNN net(4, 3, {}, f, {.dtype = Dtype::f64});
    const Tensor expected = by_formula(net, net.weights[0], x, h0[0], false);
    const RNNResult y = net.forward(x, h0);
    testing::expect_near(y.output, expected, 1e-14);
    testing::expect_near(y.h, expected.slice(0, 4, 5), 1e-14);
    const auto first = grad({expected.sum()}, {net.weights[0].weight_hh});
    testing::expect_near(grad({y.output.sum()}, {net.weights[0].weight_hh})[0], first[0], 1e-13);
  }
}

TEST(Rnn, LayersAndDirectionsAreTheFormulaAgain) {
  manual_seed(2);
  const Tensor x = testing::uniform({2, 5, 4}, 1, -1, 1, Dtype::f64),
               none = zeros({2, 3}, {Dtype::f64});
  RNN net(4, 3, {.num_layers = 2, .batch_first = true, .bidirectional = true}, Nonlinearity::tanh,
          {.dtype = Dtype::f64});
  Tensor expected = x.transpose(0, 1);
  for (std::size_t layer : {0, 2}) {
    expected = cat({by_formula(net, net.weights[layer], expected, none, false),
                    by_formula(net, net.weights[layer + 1], expected, none, true)},
                   -1);
  }
  testing::expect_near(net(x), expected.transpose(0, 1), 1e-14);
  EXPECT_EQ(to_string(net), "RNN(4, 3, num_layers=2, batch_first=True, bidirectional=True)");
  EXPECT_EQ(state_dict(net).size(), 16u);
  EXPECT_EQ(net.weights[3].weight_ih.shape(), (Shape{3, 6}));
  testing::expect_error(ErrorKind::shape, {"RNN", "(N, T, 4)"}, [&] { net(ones({2, 5, 3})); });
}

/// One sequence without N is the batch of one.
TEST(Recurrent, TakesOneSequence) {
  manual_seed(3);
  const Tensor x = testing::uniform({5, 4}, 1, -1, 1), h0 = testing::uniform({4, 3}, 2, -1, 1),
               c0 = testing::uniform({4, 3}, 3, -1, 1);
  for (const bool batch_first : {false, true}) {
    LSTM net(4, 3, {.num_layers = 2, .batch_first = batch_first, .bidirectional = true});
    const int n = batch_first ? 0 : 1;
    const LSTMResult one = net.forward(x, h0, c0),
                     batch = net.forward(x.unsqueeze(n), h0.unsqueeze(1), c0.unsqueeze(1));
    testing::expect_same_bits(one.output, batch.output.squeeze(n));
    testing::expect_same_bits(one.h, batch.h.squeeze(1));
    testing::expect_same_bits(one.c, batch.c.squeeze(1));
    EXPECT_EQ(net(x).shape(), (Shape{5, 6}));
    testing::expect_error(ErrorKind::shape, {"LSTM", "expected a state of (layers, 3)"},
                          [&] { net.forward(x, h0.unsqueeze(1), c0); });
  }
  GRU net(4, 3);
  EXPECT_EQ(net.forward(x, {}).h.shape(), (Shape{1, 3}));
}

}  // namespace
}  // namespace gradus::nn
