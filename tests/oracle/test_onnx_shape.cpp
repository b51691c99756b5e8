// ONNX's nodes that join, cut, move and make tensors.
#include <algorithm>

#include "gradus/autograd/functions.h"
#include "gradus/tests/oracle/onnx.h"

namespace gradus::oracle::onnx {
namespace {

using N = const Node&;

Shape shape_of(const std::vector<std::int64_t>& sizes) {
  Shape shape;
  for (std::int64_t n : sizes) shape.push_back(n);
  return shape;
}

Tensor i64(const std::vector<std::int64_t>& values) {
  return from_data(values.data(), {static_cast<std::int64_t>(values.size())}, {Dtype::i64});
}

int wrapped(std::int64_t dim, int dims) { return static_cast<int>(dim < 0 ? dim + dims : dim); }

Tensor reshaped(N n) {
  std::vector<std::int64_t> sizes = n.integers("shape", 1);
  if (n.integer("allowzero", 0) == 0) {  // 0 keeps a size
    for (std::size_t i = 0; i < sizes.size(); ++i) {
      if (sizes[i] == 0) sizes[i] = n.x().size(static_cast<std::int64_t>(i));
    }
  }
  return n.x().reshape(shape_of(sizes));
}

Tensor squeezed(N n) {
  auto axes = n.integers("axes", 1);
  if (axes.empty()) return n.x().squeeze();
  for (auto& a : axes) a = wrapped(a, n.x().dim());
  std::sort(axes.rbegin(), axes.rend());
  Tensor y = n.x();
  for (std::int64_t a : axes) y = y.squeeze(static_cast<int>(a));
  return y;
}

Tensor unsqueezed(N n) {
  auto axes = n.integers("axes", 1);
  for (auto& a : axes) a = wrapped(a, n.x().dim() + static_cast<int>(axes.size()));
  std::sort(axes.begin(), axes.end());
  Tensor y = n.x();
  for (std::int64_t a : axes) y = y.unsqueeze(static_cast<int>(a));
  return y;
}

Tensor sliced(N n) {
  const auto starts = n.integers("starts", 1), ends = n.integers("ends", 2);
  auto axes = n.integers("axes", 3), steps = n.integers("steps", 4);
  Tensor y = n.x();
  for (std::size_t i = 0; i < starts.size(); ++i) {
    const int dim = wrapped(axes.empty() ? static_cast<std::int64_t>(i) : axes[i], y.dim());
    const std::int64_t step = steps.empty() ? 1 : steps[i], size = y.size(dim);
    if (step > 0) {
      y = y.slice(dim, starts[i], ends[i], step);
      continue;
    }
    // Backwards: the flipped dimension, from size - 1 - start up to size - 1 - end.
    const auto from_end = [&](std::int64_t at) {
      return size - 1 - std::clamp<std::int64_t>(at < 0 ? at + size : at, -1, size - 1);
    };
    y = flip(y, dim).slice(dim, from_end(starts[i]), from_end(ends[i]), -step);
  }
  return y;
}

Tensors parts(N n) {
  const int dim = n.axis("axis", 0);
  auto sizes = n.integers("split", 1);
  if (sizes.empty()) {
    const std::int64_t size = n.x().size(dim), count = static_cast<std::int64_t>(n.outputs);
    return split(n.x(), (size + count - 1) / count, dim);
  }
  return split(n.x(), sizes, dim);
}

Tensor padded(N n) {
  const auto pads = n.integers("pads", 1);
  std::vector<std::int64_t> ours;
  const std::size_t dims = pads.size() / 2;
  for (std::size_t d = dims; d-- > 0;) {
    ours.push_back(pads[d]);
    ours.push_back(pads[d + dims]);
  }
  const std::string mode = n.text("mode", "constant");
  const double value = n.has_input(2) ? n.x(2).item<double>() : n.real("value", 0);
  return pad(n.x(), ours, mode == "edge" ? "replicate" : mode, value);
}

/// (N, C, H, W) in blocks of b by b: depth to space, or back.
Tensor to_space(N n) {
  const std::int64_t b = n.integer("blocksize", 1);
  if (n.text("mode", "DCR") == "CRD") return pixel_shuffle(n.x(), b);
  const Shape& s = n.x().shape();
  return n.x()
      .reshape({s[0], b, b, s[1] / (b * b), s[2], s[3]})
      .permute({0, 3, 4, 1, 5, 2})
      .reshape({s[0], s[1] / (b * b), s[2] * b, s[3] * b});
}
Tensor to_depth(N n) {
  const std::int64_t b = n.integer("blocksize", 1);
  const Shape& s = n.x().shape();
  return n.x()
      .reshape({s[0], s[1], s[2] / b, b, s[3] / b, b})
      .permute({0, 3, 5, 1, 2, 4})
      .reshape({s[0], s[1] * b * b, s[2] / b, s[3] / b});
}

Tensor shape_tensor(N n) {
  const Shape& s = n.x().shape();
  const int dims = s.size();
  const auto clamped = [&](std::int64_t at) {
    return std::clamp<std::int64_t>(at < 0 ? at + dims : at, 0, dims);
  };
  std::vector<std::int64_t> sizes;
  for (std::int64_t d = clamped(n.integer("start", 0)); d < clamped(n.integer("end", dims)); ++d) {
    sizes.push_back(s[static_cast<int>(d)]);
  }
  return i64(sizes);
}

Tensor constant_of(N n) {
  const Tensor value = n.has("value") ? n.attributes.at("value").tensor : zeros({1});
  return value.reshape({}).expand(shape_of(n.x().to_vector<std::int64_t>())).contiguous();
}

}  // namespace

void add_shape_rules(Rules& rules) {
  rules["Reshape"] = [](N n) { return Tensors{reshaped(n)}; };
  rules["Squeeze"] = [](N n) { return Tensors{squeezed(n)}; };
  rules["Unsqueeze"] = [](N n) { return Tensors{unsqueezed(n)}; };
  rules["Slice"] = [](N n) { return Tensors{sliced(n)}; };
  rules["Split"] = parts;
  rules["Pad"] = [](N n) { return Tensors{padded(n)}; };
  rules["DepthToSpace"] = [](N n) { return Tensors{to_space(n)}; };
  rules["SpaceToDepth"] = [](N n) { return Tensors{to_depth(n)}; };
  rules["Shape"] = [](N n) { return Tensors{shape_tensor(n)}; };
  rules["Size"] = [](N n) {
    return Tensors{full({}, static_cast<double>(n.x().numel()), {Dtype::i64})};
  };
  rules["ConstantOfShape"] = [](N n) { return Tensors{constant_of(n)}; };
  rules["Constant"] = [](N n) { return Tensors{n.attributes.at("value").tensor}; };
  rules["Concat"] = [](N n) { return Tensors{cat(n.inputs, n.axis("axis", 0))}; };
  rules["Tile"] = [](N n) { return Tensors{tile(n.x(), shape_of(n.integers("repeats", 1)))}; };
  rules["Expand"] = [](N n) {
    const Shape wanted = shape_of(n.x(1).to_vector<std::int64_t>());
    return Tensors{n.x().expand(broadcast_shapes("Expand", n.x().shape(), wanted))};
  };
  rules["Flatten"] = [](N n) {
    const int axis = wrapped(n.integer("axis", 1), n.x().dim());
    std::int64_t rows = 1;
    for (int d = 0; d < axis; ++d) rows *= n.x().size(d);
    return Tensors{n.x().reshape({rows, rows == 0 ? 0 : n.x().numel() / rows})};
  };
  rules["Transpose"] = [](N n) {
    std::vector<int> order;
    for (std::int64_t d : n.integers("perm")) order.push_back(static_cast<int>(d));
    for (int d = n.x().dim(); order.size() < static_cast<std::size_t>(n.x().dim());)
      order.push_back(--d);
    return Tensors{n.x().permute(order)};
  };
  rules["Trilu"] = [](N n) {
    const std::int64_t k = n.has_input(1) ? n.x(1).item<std::int64_t>() : 0;
    return Tensors{n.integer("upper", 1) != 0 ? triu(n.x(), k) : tril(n.x(), k)};
  };
  rules["Range"] = [](N n) {
    return Tensors{arange(n.x(0).item<double>(), n.x(1).item<double>(), n.x(2).item<double>(),
                          {n.x(0).dtype()})};
  };
  rules["EyeLike"] = [](N n) {
    const std::int64_t k = n.integer("k", 0), rows = n.x().size(0), columns = n.x().size(1);
    const std::int64_t type = n.integer("dtype", 0);
    const Dtype dtype = type == 11 ? Dtype::f64 : type == 1 ? Dtype::f32 : n.x().dtype();
    const Tensor at = arange(static_cast<double>(columns), {Dtype::i64}) -
                      arange(static_cast<double>(rows), {Dtype::i64}).unsqueeze(1);
    return Tensors{(at == k).to(dtype)};
  };
}

}  // namespace gradus::oracle::onnx
