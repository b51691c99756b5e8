// ONNX's recurrent layers, resizings and poolings with places.
#include "gradus/autograd/functions.h"
#include "gradus/nn/recurrent.h"
#include "gradus/tests/oracle/onnx.h"

namespace gradus::oracle::onnx {
namespace {

using N = const Node&;

/// A Layer with the weights of the node, which are W (1, gates H, I), R (1, gates H, H) and B (1, 2
/// gates H) with the gates in the order that `gates` gives for ours.
template <class Layer, class... Options>
Layer recurrent(N n, const std::vector<std::size_t>& gates, Options... options) {
  if (n.has_input(4) || n.has_input(5) || n.x(1).size(0) != 1)
    throw LeftOut{"a recurrent layer of lengths, with a first state or in two directions"};
  for (const char* name : {"activations", "clip", "direction"})
    if (n.has(name)) throw LeftOut{std::string("a recurrent layer with ") + name};
  const auto ordered = [&](const Tensor& w) {
    const Tensors parts = chunk(w, static_cast<std::int64_t>(gates.size()), 0);
    Tensors own;
    for (std::size_t g : gates) own.push_back(parts[g]);
    return cat(own);
  };
  const Tensor w = n.x(1)[0], r = n.x(2)[0];
  Layer layer(w.size(1), r.size(1), {.batch_first = n.integer("layout", 0) == 1}, options...,
              w.options());
  nn::Recurrent::Weights& own = layer.weights[0];
  own.weight_ih = ordered(w), own.weight_hh = ordered(r);
  const Tensor b = n.has_input(3) ? n.x(3)[0] : zeros({2 * w.size(0)}, w.options());
  own.bias_ih = ordered(b.narrow(0, 0, w.size(0)));
  own.bias_hh = ordered(b.narrow(0, w.size(0), w.size(0)));
  return layer;
}

/// Y (T, 1, N, H) and the last h (1, N, H), of X (T, N, I); with layout 1 N comes first in all.
Tensors with_directions(N n, const Tensor& output, const Tensor& h) {
  const bool batch_first = n.integer("layout", 0) == 1;
  return {output.unsqueeze(batch_first ? 2 : 1), batch_first ? h.transpose(0, 1) : h};
}

Tensors long_short_term_memory(N n) {
  if (n.has_input(7)) throw LeftOut{"peepholes"};
  auto lstm = recurrent<nn::LSTM>(n, {0, 2, 3, 1});  // from i, o, f, c
  const nn::LSTMResult y = lstm.forward(n.x(), {}, {});
  return with_directions(n, y.output, y.h);
}

/// With linear_before_reset = 0 the reset scales h instead of what R makes of it: the same for one
/// step from zeros without a bias there.
Tensors gated_recurrent_unit(N n) {
  auto gru = recurrent<nn::GRU>(n, {1, 0, 2});  // from z, r, h
  const Tensor of_reset = chunk(gru.weights[0].bias_hh, 3, 0)[2];
  const std::int64_t steps = n.x().size(n.integer("layout", 0) == 1 ? 1 : 0);
  if (n.integer("linear_before_reset", 0) == 0 && (steps > 1 || any(of_reset != 0).item<bool>()))
    throw LeftOut{"a GRU that resets before its matrix"};
  const nn::GRUResult y = gru.forward(n.x(), {});
  return with_directions(n, y.output, y.h);
}

Tensors elman_network(N n) {
  auto rnn = recurrent<nn::RNN>(n, {0}, nn::Nonlinearity::tanh);
  const nn::RNNResult y = rnn.forward(n.x(), {});
  return with_directions(n, y.output, y.h);
}

/// The ones that interpolate() means: bilinear, and nearest by a whole factor.
Tensor resized(N n) {
  const std::string mode = n.text("mode", "nearest");
  const std::string where = n.text("coordinate_transformation_mode", "half_pixel");
  if (n.x().dim() != 4 || mode == "cubic") throw LeftOut{"resizing with mode " + mode};
  if (where != "half_pixel" && where != "align_corners")
    throw LeftOut{"resizing with coordinates " + where};
  const auto scales = n.has_input(2) ? n.x(2).to_vector<double>() : std::vector<double>();
  if (mode == "nearest") {
    if (where != "half_pixel" || n.has("nearest_mode") || scales.empty())
      throw LeftOut{"resizing with mode nearest that rounds another way"};
    const Pair to(static_cast<std::int64_t>(scales[2]) * n.x().size(2),
                  static_cast<std::int64_t>(scales[3]) * n.x().size(3));
    if (scales[2] != static_cast<double>(to.h / n.x().size(2)) ||
        scales[3] != static_cast<double>(to.w / n.x().size(3)))
      throw LeftOut{"resizing with mode nearest that rounds another way"};
    return interpolate(n.x(), to);
  }
  if (scales.empty() || scales[2] != scales[3]) throw LeftOut{"resizing by two factors"};
  if (where == "align_corners" && scales[2] < 1)
    throw LeftOut{"resizing with corners aligned to a size that is not whole"};
  return interpolate(n.x(), {}, scales[2], "bilinear", where == "align_corners");
}

/// ONNX counts places through the whole tensor, which is one plane in these, of the size that the
/// windows give; an output_shape adds zeros behind.
Tensor unpooled(N n) {
  const auto k = n.integers("kernel_shape"), s = n.integers("strides");
  check(n.x().size(0) == 1 && n.x().size(1) == 1, ErrorKind::unsupported,
        "MaxUnpool: ", n.x().shape());
  const Tensor y = max_unpool2d(n.x(), n.x(1), {k[0], k[1]}, {s[0], s[1]});
  if (!n.has_input(2)) return y;
  const auto size = n.x(2).to_vector<std::int64_t>();
  return pad(y, {0, size[3] - y.size(3), 0, size[2] - y.size(2)});
}

}  // namespace

void add_network_rules(Rules& rules) {
  rules["LSTM"] = long_short_term_memory;
  rules["GRU"] = gated_recurrent_unit;
  rules["RNN"] = elman_network;
  rules["Resize"] = [](N n) { return Tensors{resized(n)}; };
  rules["MaxUnpool"] = [](N n) { return Tensors{unpooled(n)}; };
}

}  // namespace gradus::oracle::onnx
