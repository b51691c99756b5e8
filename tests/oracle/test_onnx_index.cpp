// ONNX's nodes that choose, place and sort by index. Theirs count from the end where negative.
#include "gradus/autograd/functions.h"
#include "gradus/tests/oracle/onnx.h"

namespace gradus::oracle::onnx {
namespace {

using N = const Node&;

/// Index with negative ones counted from the end of `size`.
Tensor wrapped(const Tensor& index, std::int64_t size) {
  const Tensor i = index.to(Dtype::i64);
  return where(i < 0, i + size, i);
}

Tensor gathered(N n) {
  const int dim = n.axis("axis", 0);
  const Tensor x = n.x(), index = wrapped(n.x(1), x.size(dim));
  const int d = dim < 0 ? dim + x.dim() : dim;
  Shape shape;
  for (int i = 0; i < x.dim(); ++i) {
    if (i != d)
      shape.push_back(x.size(i));
    else
      for (std::int64_t s : index.shape()) shape.push_back(s);
  }
  return index_select(x, d, index.reshape({-1})).reshape(shape);
}

Tensor scattered(N n) {
  const int dim = n.axis("axis", 0);
  const Tensor index = wrapped(n.x(1), n.x().size(dim));
  const std::string reduction = n.text("reduction", "none");
  if (reduction == "none") return scatter(n.x(), dim, index, n.x(2));
  if (reduction == "add") return scatter_add(n.x(), dim, index, n.x(2));
  throw LeftOut{"scatter with reduction " + reduction};
}

/// The columns of an index (..., k), each for one of x's leading dimensions.
Tensors columns(const Tensor& x, const Tensor& index, int first) {
  Tensors all;
  for (std::int64_t d = 0; d < index.size(-1); ++d) {
    all.push_back(wrapped(index.select(-1, d), x.size(first + d)));
  }
  return all;
}

Tensor gathered_nd(N n) {
  const std::int64_t batch = n.integer("batch_dims", 0);
  if (batch == 0) return index(n.x(), columns(n.x(), n.x(1), 0));
  check(batch == 1, ErrorKind::unsupported, "GatherND: ", batch, " batch dimensions");
  Tensors rows;
  for (std::int64_t i = 0; i < n.x().size(0); ++i) {
    const Tensor x = n.x()[i], at = n.x(1)[i];
    rows.push_back(index(x, columns(x, at, 0)));
  }
  return stack(rows);
}

Tensor scattered_nd(N n) {
  const std::string reduction = n.text("reduction", "none");
  if (reduction != "none" && reduction != "add")
    throw LeftOut{"scatter with reduction " + reduction};
  return index_put(n.x(), columns(n.x(), n.x(1), 0), n.x(2), reduction == "add");
}

Tensor hot(N n) {
  const std::int64_t depth = n.x(1).to_vector<std::int64_t>()[0];
  const Tensor values = n.x(2);
  Tensor index = n.x().to(Dtype::i64);
  index = where(index < 0, index + depth, index);
  const Tensor inside = logical_and(index >= 0, index < depth);
  const Tensor y = one_hot(where(inside, index, zeros_like(index)), depth);
  const Tensor on = logical_and(y == 1, inside.unsqueeze(-1));
  const int axis = n.axis("axis", -1);
  const Tensor out = where(on, values[1], values[0]);
  return out.movedim(-1, axis);
}

}  // namespace

void add_index_rules(Rules& rules) {
  rules["Gather"] = [](N n) { return Tensors{gathered(n)}; };
  rules["GatherElements"] = [](N n) {
    const int dim = n.axis("axis", 0);
    return Tensors{gather(n.x(), dim, wrapped(n.x(1), n.x().size(dim)))};
  };
  rules["GatherND"] = [](N n) { return Tensors{gathered_nd(n)}; };
  rules["Scatter"] = rules["ScatterElements"] = [](N n) { return Tensors{scattered(n)}; };
  rules["ScatterND"] = [](N n) { return Tensors{scattered_nd(n)}; };
  rules["OneHot"] = [](N n) { return Tensors{hot(n)}; };
  rules["NonZero"] = [](N n) { return Tensors{nonzero(n.x()).t()}; };
  rules["Compress"] = [](N n) {
    const bool flat = !n.has("axis");
    const Tensor x = flat ? n.x().flatten() : n.x();
    return Tensors{index_select(x, n.axis("axis", 0), nonzero(n.x(1)).flatten())};
  };
  rules["TopK"] = [](N n) {
    const auto [values, indices] = topk(n.x(), n.x(1).to_vector<std::int64_t>()[0],
                                        n.axis("axis", -1), n.integer("largest", 1) != 0);
    return Tensors{values, indices};
  };
  rules["ReverseSequence"] = [](N n) {
    const int time = n.axis("time_axis", 0), batch = n.axis("batch_axis", 1);
    const auto lengths = n.x(1).to_vector<std::int64_t>();
    Tensors rows;
    for (std::size_t i = 0; i < lengths.size(); ++i) {
      const Tensor row = n.x().narrow(batch, static_cast<std::int64_t>(i), 1);
      rows.push_back(cat({flip(row.narrow(time, 0, lengths[i]), time),
                          row.narrow(time, lengths[i], row.size(time) - lengths[i])},
                         time));
    }
    return Tensors{cat(rows, batch)};
  };
}

}  // namespace gradus::oracle::onnx
