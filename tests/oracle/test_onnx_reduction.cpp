// ONNX's reductions, softmaxes and losses.
#include "gradus/autograd/functions.h"
#include "gradus/tests/oracle/onnx.h"

namespace gradus::oracle::onnx {
namespace {

using N = const Node&;

/// Dimensions of a reduction: an attribute, or the second input. `noop`: none at all.
Dims dims_of(N n, bool& noop) {
  std::vector<int> dims;
  for (std::int64_t d : n.integers("axes", 1)) dims.push_back(static_cast<int>(d));
  noop = dims.empty() && n.integer("noop_with_empty_axes", 0) != 0;
  return dims;
}

template <class F>
Rule reduction(F f) {
  return [f](N n) {
    bool noop = false;
    const Dims dims = dims_of(n, noop);
    return Tensors{noop ? n.x() : f(n.x(), dims, n.integer("keepdims", 1) != 0)};
  };
}

Tensor extreme_place(N n, bool largest) {
  const int dim = n.axis("axis", 0);
  const bool keepdim = n.integer("keepdims", 1) != 0, last = n.integer("select_last_index", 0) != 0;
  const Tensor x = last ? flip(n.x(), dim) : n.x();
  const Tensor place = largest ? argmax(x, dim, keepdim) : argmin(x, dim, keepdim);
  return last ? x.size(dim) - 1 - place : place;
}

/// x as (rows, columns), split at the axis: softmax before version 13 and Hardmax need no more.
Tensor hardmax(N n) {
  const int dim = n.axis("axis", -1);
  const Tensor place = argmax(n.x(), dim, true);
  return scatter(zeros_like(n.x()), dim, place, 1);
}

Reduction how(N n) { return Reduction(n.text("reduction", "mean")); }

Tensor as_i64(const Tensor& t) { return t.to(Dtype::i64); }

}  // namespace

void add_reduction_rules(Rules& rules) {
  using T = const Tensor&;
  using D = const Dims&;
  rules["ReduceSum"] = reduction([](T x, D d, bool keep) { return sum(x, d, keep); });
  rules["ReduceMean"] = reduction([](T x, D d, bool keep) { return mean(x, d, keep); });
  rules["ReduceMax"] = reduction([](T x, D d, bool keep) { return amax(x, d, keep); });
  rules["ReduceMin"] = reduction([](T x, D d, bool keep) { return amin(x, d, keep); });
  rules["ReduceL1"] = reduction([](T x, D d, bool keep) { return norm(x, 1, d, keep); });
  rules["ReduceL2"] = reduction([](T x, D d, bool keep) { return norm(x, 2, d, keep); });
  rules["ReduceSumSquare"] = reduction([](T x, D d, bool keep) { return sum(square(x), d, keep); });
  rules["ReduceLogSum"] = reduction([](T x, D d, bool keep) { return log(sum(x, d, keep)); });
  rules["ReduceLogSumExp"] = reduction([](T x, D d, bool keep) { return logsumexp(x, d, keep); });
  rules["ReduceProd"] = reduction([](T x, D dims, bool keep) {
    Tensor y = x;  // one dimension after the other
    Dims all = dims;
    if (dims.empty()) {
      std::vector<int> every;
      for (int d = 0; d < x.dim(); ++d) every.push_back(d);
      all = every;
    }
    for (int d : all) y = prod(y, d, true);
    if (keep) return y;
    Shape shape;
    for (int d = 0; d < x.dim(); ++d) {
      const bool gone = std::any_of(all.begin(), all.end(),
                                    [&](int a) { return (a < 0 ? a + x.dim() : a) == d; });
      if (!gone) shape.push_back(x.size(d));
    }
    return y.reshape(shape);
  });
  rules["ArgMax"] = [](N n) { return Tensors{extreme_place(n, true)}; };
  rules["ArgMin"] = [](N n) { return Tensors{extreme_place(n, false)}; };
  rules["Softmax"] = [](N n) { return Tensors{softmax(n.x(), n.axis("axis", -1))}; };
  rules["LogSoftmax"] = [](N n) { return Tensors{log_softmax(n.x(), n.axis("axis", -1))}; };
  rules["Hardmax"] = [](N n) { return Tensors{hardmax(n)}; };
  rules["CumSum"] = [](N n) {
    const int dim = static_cast<int>(n.x(1).item<std::int64_t>());
    const bool reverse = n.integer("reverse", 0) != 0;
    const Tensor x = reverse ? flip(n.x(), dim) : n.x();
    Tensor y = cumsum(x, dim);
    if (n.integer("exclusive", 0) != 0) y = y - x;
    return Tensors{reverse ? flip(y, dim) : y};
  };
  rules["NegativeLogLikelihoodLoss"] = [](N n) {
    const Tensor weight = n.has_input(2) ? n.x(2) : Tensor();
    return Tensors{
        nll_loss(n.x(), as_i64(n.x(1)), weight, n.integer("ignore_index", -100), how(n))};
  };
  rules["SoftmaxCrossEntropyLoss"] = [](N n) {
    const Tensor weight = n.has_input(2) ? n.x(2) : Tensor();
    return Tensors{
        cross_entropy(n.x(), as_i64(n.x(1)), weight, n.integer("ignore_index", -100), how(n)),
        log_softmax(n.x(), 1)};
  };
}

}  // namespace gradus::oracle::onnx
