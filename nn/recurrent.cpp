#include "gradus/nn/recurrent.h"

#include <cmath>

#include "gradus/autograd/functions.h"
#include "gradus/nn/init.h"
#include "gradus/nn/text.h"

namespace gradus::nn {
namespace {

/// Part i of (..., parts H).
Tensor gate(const Tensor& x, int i, std::int64_t size) { return x.narrow(-1, i * size, size); }

}  // namespace

Recurrent::Recurrent(std::int64_t gates, std::int64_t input_size, std::int64_t hidden_size,
                     RecurrentOptions options, TensorOptions tensor_options)
    : input_size(input_size), hidden_size(hidden_size), options(options) {
  check(input_size > 0 && hidden_size > 0 && options.num_layers > 0, ErrorKind::argument, name(),
        ": ", input_size, " inputs, ", hidden_size, " hidden, ", options.num_layers, " layers");
  tensor_options.requires_grad = true;
  for (std::int64_t layer = 0; layer < options.num_layers; ++layer) {
    const std::int64_t inputs = layer == 0 ? input_size : directions() * hidden_size;
    for (int direction = 0; direction < directions(); ++direction) {
      Weights w;
      w.weight_ih = empty({gates * hidden_size, inputs}, tensor_options);
      w.weight_hh = empty({gates * hidden_size, hidden_size}, tensor_options);
      if (options.bias) {
        w.bias_ih = empty({gates * hidden_size}, tensor_options);
        w.bias_hh = empty({gates * hidden_size}, tensor_options);
      }
      weights.push_back(w);
    }
  }
  reset_parameters();
}

void Recurrent::reset_parameters() {
  const double bound = 1 / std::sqrt(static_cast<double>(hidden_size));
  for (const Weights& w : weights) {
    for (const Tensor& t : {w.weight_ih, w.weight_hh, w.bias_ih, w.bias_hh}) {
      if (t) init::uniform_(t, -bound, bound);
    }
  }
}

void Recurrent::visit(Visitor& v) {
  for (std::size_t i = 0; i < weights.size(); ++i) {
    const auto n = static_cast<std::size_t>(directions());
    const std::string suffix = "_l" + std::to_string(i / n) + (i % n == 1 ? "_reverse" : "");
    v("weight_ih" + suffix, weights[i].weight_ih, Role::weight);
    v("weight_hh" + suffix, weights[i].weight_hh, Role::weight);
    v("bias_ih" + suffix, weights[i].bias_ih, Role::bias);
    v("bias_hh" + suffix, weights[i].bias_hh, Role::bias);
  }
}

std::string Recurrent::extra() const {
  std::string text = text_of(input_size) + ", " + text_of(hidden_size);
  if (options.num_layers != 1) text += ", num_layers=" + text_of(options.num_layers);
  if (!options.bias) text += ", bias=False";
  if (options.batch_first) text += ", batch_first=True";
  if (options.dropout != 0) text += ", dropout=" + text_of(options.dropout);
  if (options.bidirectional) text += ", bidirectional=True";
  return text;
}

Recurrent::Sequence Recurrent::run(const Tensor& x, const Tensor& h0, const Tensor& c0) {
  if (x.dim() == 2) {  // one sequence
    for (const Tensor& s : {h0, c0})
      check(!s || s.dim() == 2, ErrorKind::shape, name(), ": expected a state of (layers, ",
            hidden_size, ") with x ", x.shape(), ", got ", s ? s.shape() : Shape{});
    const int n = options.batch_first ? 0 : 1;
    const auto one = [](const Tensor& t, int dim) { return t ? t.unsqueeze(dim) : t; };
    Sequence result = run(one(x, n), one(h0, 1), one(c0, 1));
    result.output = result.output.squeeze(n);
    for (State& s : result.finals)
      for (Tensor* t : {&s.h, &s.c})
        if (*t) *t = t->squeeze(0);
    return result;
  }
  check(x.dim() == 3 && x.size(-1) == input_size && x.numel() > 0, ErrorKind::shape, name(),
        ": expected ", options.batch_first ? "(N, T, " : "(T, N, ", input_size, "), got ",
        x.shape());
  const Tensor by_time = options.batch_first ? x.transpose(0, 1) : x;
  const std::int64_t steps = by_time.size(0), batch = by_time.size(1);
  const Shape states{static_cast<std::int64_t>(weights.size()), batch, hidden_size};
  for (const Tensor& s : {h0, c0}) {
    check(!s || s.shape() == states, ErrorKind::shape, name(), ": expected a state of ", states,
          ", got ", s ? s.shape() : states);
  }
  Sequence result;
  Tensor layer_input = by_time;
  const auto n = static_cast<std::size_t>(directions());
  for (std::size_t layer = 0; layer * n < weights.size(); ++layer) {
    std::vector<Tensor> outputs;
    for (std::size_t direction = 0; direction < n; ++direction) {
      const std::size_t at = layer * n + direction;
      const Weights& w = weights[at];
      const Tensor from_x = linear(layer_input, w.weight_ih, w.bias_ih);  // (T, N, gates H)
      const auto first = [&](const Tensor& s) {
        return s ? s[static_cast<std::int64_t>(at)] : zeros({batch, hidden_size}, x.options());
      };
      State state{first(h0), first(c0)};
      std::vector<Tensor> hidden(static_cast<std::size_t>(steps));
      for (std::int64_t i = 0; i < steps; ++i) {
        const std::int64_t t = direction == 0 ? i : steps - 1 - i;
        state = step(from_x[t], state, w);
        hidden[static_cast<std::size_t>(t)] = state.h;
      }
      outputs.push_back(stack(hidden, 0));
      result.finals.push_back(state);
    }
    layer_input = n == 1 ? outputs[0] : cat(outputs, -1);
    if ((layer + 1) * n < weights.size())
      layer_input = dropout(layer_input, options.dropout, is_training());
  }
  result.output = options.batch_first ? layer_input.transpose(0, 1) : layer_input;
  return result;
}

Recurrent::State RNN::step(const Tensor& from_x, const State& before, const Weights& w) const {
  const Tensor sum = from_x + linear(before.h, w.weight_hh, w.bias_hh);
  return {nonlinearity == Nonlinearity::tanh ? tanh(sum) : relu(sum), {}};
}

Recurrent::State LSTM::step(const Tensor& from_x, const State& before, const Weights& w) const {
  const Tensor gates = from_x + linear(before.h, w.weight_hh, w.bias_hh);
  const Tensor i = sigmoid(gate(gates, 0, hidden_size)), f = sigmoid(gate(gates, 1, hidden_size));
  const Tensor g = tanh(gate(gates, 2, hidden_size)), o = sigmoid(gate(gates, 3, hidden_size));
  const Tensor c = f * before.c + i * g;
  return {o * tanh(c), c};
}

Recurrent::State GRU::step(const Tensor& from_x, const State& before, const Weights& w) const {
  const Tensor from_h = linear(before.h, w.weight_hh, w.bias_hh);
  const auto both = [&](int i) {
    return sigmoid(gate(from_x, i, hidden_size) + gate(from_h, i, hidden_size));
  };
  const Tensor r = both(0), z = both(1);
  const Tensor n = tanh(gate(from_x, 2, hidden_size) + r * gate(from_h, 2, hidden_size));
  return {n + z * (before.h - n), {}};
}

namespace {

/// (layers directions, N, H) from the last state of each.
template <class States, class Member>
Tensor stacked(const States& states, Member member) {
  std::vector<Tensor> all;
  for (const auto& s : states) all.push_back(s.*member);
  return stack(all, 0);
}

}  // namespace

RNNResult RNN::forward(const Tensor& x, const Tensor& h0) {
  const Sequence s = run(x, h0, {});
  return {s.output, stacked(s.finals, &State::h)};
}

LSTMResult LSTM::forward(const Tensor& x, const Tensor& h0, const Tensor& c0) {
  const Sequence s = run(x, h0, c0);
  return {s.output, stacked(s.finals, &State::h), stacked(s.finals, &State::c)};
}

GRUResult GRU::forward(const Tensor& x, const Tensor& h0) {
  const Sequence s = run(x, h0, {});
  return {s.output, stacked(s.finals, &State::h)};
}

}  // namespace gradus::nn
