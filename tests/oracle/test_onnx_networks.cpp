// ONNX's recurrent layers, resizings and poolings with places.
#include "gradus/autograd/functions.h"
#include "gradus/nn/recurrent.h"
#include "gradus/tests/oracle/onnx.h"

namespace gradus::oracle::onnx {
namespace {

using N = const Node&;

/// (4 H, ...) with the gates in ONNX's order i, o, f, c, in ours: i, f, c, o.
Tensor gates(const Tensor& w) {
  const Tensors g = chunk(w, 4, 0);
  return cat({g[0], g[2], g[3], g[1]});
}

/// X (T, N, I) or with layout 1 (N, T, I), W (1, 4 H, I), R (1, 4 H, H), B (1, 8 H): Y, the last h.
Tensors long_short_term_memory(N n) {
  if (n.has_input(7)) throw LeftOut{"peepholes"};
  if (n.has_input(4) || n.has_input(5) || n.x(1).size(0) != 1)
    throw LeftOut{"an LSTM of lengths, with a first state or in two directions"};
  const Tensor w = n.x(1)[0], r = n.x(2)[0];
  const bool batch_first = n.integer("layout", 0) == 1;
  nn::LSTM lstm(w.size(1), r.size(1), {.batch_first = batch_first}, w.options());
  nn::Recurrent::Weights& own = lstm.weights[0];
  own.weight_ih = gates(w), own.weight_hh = gates(r);
  const Tensor b = n.has_input(3) ? n.x(3)[0] : zeros({2 * w.size(0)}, w.options());
  own.bias_ih = gates(b.narrow(0, 0, w.size(0)));
  own.bias_hh = gates(b.narrow(0, w.size(0), w.size(0)));
  const nn::LSTMResult y = lstm.forward(n.x(), {}, {});
  const int directions = batch_first ? 2 : 1;
  return {y.output.unsqueeze(directions), batch_first ? y.h.transpose(0, 1) : y.h};
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
  rules["Resize"] = [](N n) { return Tensors{resized(n)}; };
  rules["MaxUnpool"] = [](N n) { return Tensors{unpooled(n)}; };
}

}  // namespace gradus::oracle::onnx
