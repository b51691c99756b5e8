// ONNX's products, convolutions, poolings and normalisations.
#include <cmath>
#include <limits>

#include "gradus/autograd/functions.h"
#include "gradus/tests/oracle/device.h"
#include "gradus/tests/oracle/onnx.h"

namespace gradus::oracle::onnx {
namespace {

using N = const Node&;
using Sizes = std::vector<std::int64_t>;

Sizes or_ones(Sizes v, std::size_t n) { return v.empty() ? Sizes(n, 1) : v; }

/// Windows over the spatial dimensions of x, padding made explicit.
struct Windows {
  Sizes kernel, stride, dilation, begin, end;

  Windows(N n, const Sizes& kernel_shape) : kernel(kernel_shape) {
    const std::size_t dims = kernel.size();
    stride = or_ones(n.integers("strides"), dims);
    dilation = or_ones(n.integers("dilations"), dims);
    begin = end = Sizes(dims, 0);
    const Sizes pads = n.integers("pads");
    const std::string automatic = n.text("auto_pad", "NOTSET");
    for (std::size_t d = 0; d < dims; ++d) {
      if (!pads.empty()) begin[d] = pads[d], end[d] = pads[d + dims];
      if (!automatic.starts_with("SAME")) continue;
      const std::int64_t in = n.x().size(static_cast<std::int64_t>(d) + 2);
      const std::int64_t out = (in + stride[d] - 1) / stride[d];
      const std::int64_t total =
          std::max<std::int64_t>(0, (out - 1) * stride[d] + (kernel[d] - 1) * dilation[d] + 1 - in);
      begin[d] = automatic == "SAME_UPPER" ? total / 2 : total - total / 2;
      end[d] = total - begin[d];
    }
  }
  /// Pads of pad(): the last dimension first.
  Sizes pads() const {
    Sizes p;
    for (std::size_t d = begin.size(); d-- > 0;) p.push_back(begin[d]), p.push_back(end[d]);
    return p;
  }
};

Pair pair(const Sizes& v) { return {v.at(0), v.at(1)}; }
Triple triple(const Sizes& v) { return {v.at(0), v.at(1), v.at(2)}; }

Sizes kernel_of(const Tensor& w) {
  Sizes k;
  for (int d = 2; d < w.dim(); ++d) k.push_back(w.size(d));
  return k;
}

Tensor convolved(N n, const Tensor& input, const Tensor& w, const Tensor& bias) {
  const Windows v(n, kernel_of(w));
  const Tensor x = pad(input, v.pads());
  const std::int64_t groups = n.integer("group", 1);
  if (v.kernel.size() == 1) return conv1d(x, w, bias, v.stride[0], 0, v.dilation[0], groups);
  if (v.kernel.size() == 2) return conv2d(x, w, bias, pair(v.stride), 0, pair(v.dilation), groups);
  return conv3d(x, w, bias, triple(v.stride), 0, triple(v.dilation), groups);
}

/// Input i of a product of small integers, less its zero point, as i32.
Tensor whole(N n, std::size_t i) {
  const Tensor x = n.x(i).to(Dtype::i32);
  return n.has_input(i + 2) ? x - n.x(i + 2).to(Dtype::i32) : x;
}

/// Without padding, then cut: what is cut away follows from pads, output_shape or auto_pad.
Tensor conv_transposed(N n) {
  const Windows v(n, kernel_of(n.x(1)));
  const std::size_t dims = v.kernel.size();
  if (dims > 2) throw LeftOut{"transposed convolution of volumes"};
  Sizes more = n.integers("output_padding");
  if (more.empty()) more = Sizes(dims, 0);
  const Tensor bias = n.has_input(2) ? n.x(2) : Tensor();
  const std::int64_t groups = n.integer("group", 1);
  Tensor y = dims == 1 ? conv_transpose1d(n.x(), n.x(1), bias, v.stride[0], 0, more[0], groups,
                                          v.dilation[0])
                       : conv_transpose2d(n.x(), n.x(1), bias, pair(v.stride), 0, pair(more),
                                          groups, pair(v.dilation));
  Sizes wanted = n.integers("output_shape");
  const std::string automatic = n.text("auto_pad", "NOTSET");
  if (wanted.empty() && automatic.starts_with("SAME")) {
    for (std::size_t d = 0; d < dims; ++d)
      wanted.push_back(n.x().size(static_cast<std::int64_t>(d) + 2) * v.stride[d]);
  }
  for (std::size_t d = 0; d < dims; ++d) {
    const int dim = static_cast<int>(d) + 2;
    std::int64_t begin = v.begin[d], end = v.end[d];
    if (!wanted.empty()) {
      const std::int64_t total = y.size(dim) - wanted[d];
      if (total < 0) {  // output_padding that the shape implies
        Sizes grow(2 * (dims - d), 0);
        grow.back() = -total;
        y = pad(y, grow);
        continue;
      }
      begin = automatic == "SAME_UPPER" ? total / 2 : total - total / 2;
      end = total - begin;
    }
    y = y.narrow(dim, begin, y.size(dim) - begin - end);
  }
  return y;
}

/// ONNX counts places through the whole tensor: those of one plane are ours.
Tensors pooled_with_places(N n, const Windows& v) {
  if (n.integer("storage_order", 0) != 0) throw LeftOut{"places counted column by column"};
  if (v.kernel.size() != 2 || n.x().size(0) * n.x().size(1) != 1)
    throw LeftOut{"places in several planes"};
  const ValuesIndices r = max_pool2d_with_indices(n.x(), pair(v.kernel), pair(v.stride),
                                                  pair(v.begin), pair(v.dilation));
  return {r.values, r.indices};
}

Tensor max_pooled(N n) {
  const Windows v(n, n.integers("kernel_shape"));
  if (v.kernel.size() == 3) throw LeftOut{"pooling of volumes"};
  const bool up = n.integer("ceil_mode", 0) != 0;
  constexpr double infinity = std::numeric_limits<double>::infinity();
  if (!n.x().is_floating() && n.x().dtype() != Dtype::u8) throw LeftOut{"padding of integers"};
  const double lowest = n.x().is_floating() ? -infinity : 0;
  const Tensor x = pad(n.x(), v.pads(), "constant", lowest);
  if (v.kernel.size() == 1) return max_pool1d(x, v.kernel[0], v.stride[0], 0, v.dilation[0], up);
  return max_pool2d(x, pair(v.kernel), pair(v.stride), 0, pair(v.dilation), up);
}

Tensor average_pooled(N n) {
  const Windows v(n, n.integers("kernel_shape"));
  if (v.kernel.size() == 3) throw LeftOut{"pooling of volumes"};
  const bool up = n.integer("ceil_mode", 0) != 0;
  const Tensor x = pad(n.x(), v.pads());
  const auto pooled = [&](const Tensor& t) {
    if (v.kernel.size() == 1) return avg_pool1d(t, v.kernel[0], v.stride[0], 0, up);
    return avg_pool2d(t, pair(v.kernel), pair(v.stride), 0, up);
  };
  if (n.integer("count_include_pad", 0) != 0) return pooled(x);
  return pooled(x) / pooled(pad(ones_like(n.x()), v.pads()));  // by how many are no padding
}

Tensor normalised(N n, const Tensor& mean, const Tensor& var, double eps) {
  return batch_norm(n.x(), mean, var, n.x(1), n.x(2), false, 0, eps);
}

Tensors batch_normalised(N n) {
  const double eps = n.real("epsilon", 1e-5), momentum = n.real("momentum", 0.9);
  if (n.integer("training_mode", 0) == 0) return {normalised(n, n.x(3), n.x(4), eps)};
  std::vector<int> dims = {0};
  for (int d = 2; d < n.x().dim(); ++d) dims.push_back(d);
  const Tensor m = mean(n.x(), dims), v = var(n.x(), dims, 0);
  return {normalised(n, m, v, eps), n.x(3) * momentum + m * (1 - momentum),
          n.x(4) * momentum + v * (1 - momentum)};
}

Tensors layer_normalised(N n) {
  const int dims = n.x().dim(), axis = n.axis("axis", -1), first = axis < 0 ? axis + dims : axis;
  const double eps = n.real("epsilon", 1e-5);
  Shape rest;
  std::vector<int> over;
  for (int d = first; d < dims; ++d) rest.push_back(n.x().size(d)), over.push_back(d);
  const Tensor bias = n.has_input(2) ? n.x(2) : Tensor();
  return {layer_norm(n.x(), rest, n.x(1), bias, eps), mean(n.x(), over, true),
          rsqrt(var(n.x(), over, 0, true) + eps)};
}

Tensor locally_normalised(N n) {  // x / (bias + alpha / size sum of x^2 over near channels)^beta
  const std::int64_t size = n.integer("size", 1), before = (size - 1) / 2;
  const Tensor squares = pad(square(n.x()), {0, 0, 0, 0, before, size - 1 - before});
  const Tensor near = squares.unfold(1, size, 1).sum(-1);
  const double alpha = n.real("alpha", 1e-4), beta = n.real("beta", 0.75), bias = n.real("bias", 1);
  return n.x() / pow(near * (alpha / static_cast<double>(size)) + bias, beta);
}

Tensor general_product(N n) {
  const Tensor a = n.integer("transA", 0) != 0 ? n.x(0).t() : n.x(0);
  const Tensor b = n.integer("transB", 0) != 0 ? n.x(1).t() : n.x(1);
  const double alpha = n.real("alpha", 1), beta = n.real("beta", 1);
  if (!n.has_input(2)) return mm(a, b) * alpha;
  return addmm(n.x(2), a, b, beta, alpha);
}

Tensor all_spatial(N n, bool largest) {
  std::vector<int> dims;
  for (int d = 2; d < n.x().dim(); ++d) dims.push_back(d);
  return largest ? amax(n.x(), dims, true) : mean(n.x(), dims, true);
}

}  // namespace

void add_layer_rules(Rules& rules) {
  rules["MatMul"] = [](N n) { return Tensors{matmul(n.x(0), n.x(1))}; };
  rules["Gemm"] = [](N n) { return Tensors{general_product(n)}; };
  rules["Einsum"] = [](N n) { return Tensors{einsum(n.text("equation", ""), n.inputs)}; };
  rules["MatMulInteger"] = [](N n) { return Tensors{matmul(whole(n, 0), whole(n, 1))}; };
  rules["Conv"] = [](N n) {
    return Tensors{convolved(n, n.x(0), n.x(1), n.has_input(2) ? n.x(2) : Tensor())};
  };
  rules["ConvInteger"] = [](N n) {
    if (!n.x().device().is_cpu()) throw LeftOut{on_the_cpu_alone};
    return Tensors{convolved(n, whole(n, 0), whole(n, 1), {})};
  };
  rules["ConvTranspose"] = [](N n) { return Tensors{conv_transposed(n)}; };
  rules["MaxPool"] = [](N n) {
    if (n.outputs > 1) return pooled_with_places(n, Windows(n, n.integers("kernel_shape")));
    return Tensors{max_pooled(n)};
  };
  rules["AveragePool"] = [](N n) { return Tensors{average_pooled(n)}; };
  rules["GlobalAveragePool"] = [](N n) { return Tensors{all_spatial(n, false)}; };
  rules["GlobalMaxPool"] = [](N n) { return Tensors{all_spatial(n, true)}; };
  rules["BatchNormalization"] = batch_normalised;
  rules["LayerNormalization"] = layer_normalised;
  rules["InstanceNormalization"] = [](N n) {
    return Tensors{
        instance_norm(n.x(), {}, {}, n.x(1), n.x(2), true, 0.1, n.real("epsilon", 1e-5))};
  };
  rules["MeanVarianceNormalization"] = [](N n) {
    std::vector<int> dims = {0, 2, 3};
    if (n.has("axes")) {
      dims.clear();
      for (std::int64_t d : n.integers("axes")) dims.push_back(static_cast<int>(d));
    }
    return Tensors{(n.x() - mean(n.x(), dims, true)) / sqrt(var(n.x(), dims, 0, true) + 1e-9)};
  };
  rules["LRN"] = [](N n) { return Tensors{locally_normalised(n)}; };
  rules["Dropout"] = [](N n) {
    if (n.has_input(2) && n.x(2).item<double>() != 0 &&
        !(n.has_input(1) && n.x(1).item<double>() == 0))
      throw LeftOut{"random"};
    return Tensors{dropout(n.x(), 0.5, false), ones_like(n.x()).to(Dtype::boolean)};
  };
}

}  // namespace gradus::oracle::onnx
