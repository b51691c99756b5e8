#include "gradus/autograd/gradcheck.h"

#include <cmath>

#include "gradus/autograd/engine.h"
#include "gradus/kernels/create.h"

namespace gradus {
namespace {

/// Element `i` (in row-major order) of `t`, wherever its strides put it.
double& element(const Tensor& t, std::int64_t i) {
  std::int64_t at = 0;
  for (int d = t.dim() - 1; d >= 0; --d) {
    at += i % t.shape()[d] * t.strides()[d];
    i /= t.shape()[d];
  }
  return t.data<double>()[at];
}

}  // namespace

void gradcheck(const std::function<Tensor(const std::vector<Tensor>&)>& f,
               const std::vector<Tensor>& inputs, double eps, double atol, double rtol) {
  std::vector<Tensor> wanted;
  for (const Tensor& x : inputs) {
    if (!x.requires_grad()) continue;
    check(x.dtype() == Dtype::f64 && x.device().is_cpu(), ErrorKind::argument,
          "gradcheck: expected f64 inputs on the cpu, got ", x.dtype(), " on ", x.device());
    wanted.push_back(x);
  }
  check(!wanted.empty(), ErrorKind::argument, "gradcheck: no input requires a gradient");
  const Tensor y = f(inputs);
  check(y.requires_grad(), ErrorKind::argument,
        "gradcheck: the output does not depend on the inputs");

  // Rows of the Jacobian by autograd: one backward for each output element.
  const std::int64_t m = y.numel();
  std::vector<std::vector<Tensor>> rows;
  for (std::int64_t j = 0; j < m; ++j) {
    Tensor dy = zeros(y.shape(), {Dtype::f64});
    dy.data<double>()[j] = 1;
    rows.push_back(grad({y}, wanted, {dy}, true));
  }

  // Columns by differences: one pair of evaluations for each input element.
  double worst = 0;
  std::string text;
  const NoGrad guard;
  for (std::size_t k = 0; k < wanted.size(); ++k) {
    for (std::int64_t i = 0; i < wanted[k].numel(); ++i) {
      double& x = element(wanted[k], i);
      const double before = x;
      x = before + eps;
      const std::vector<double> above = f(inputs).to_vector<double>();
      x = before - eps;
      const std::vector<double> below = f(inputs).to_vector<double>();
      x = before;
      for (std::int64_t j = 0; j < m; ++j) {
        const auto at = static_cast<std::size_t>(j);
        const double numeric = (above[at] - below[at]) / (2 * eps);
        const Tensor& row = rows[at][k];
        const double analytic = row ? element(row, i) : 0;
        const double excess = std::abs(analytic - numeric) / (atol + rtol * std::abs(numeric));
        if (excess <= worst && !std::isnan(excess)) continue;
        worst = std::isnan(excess) ? INFINITY : excess;
        text = "d y[" + std::to_string(j) + "] / d input " + std::to_string(k) + "[" +
               std::to_string(i) + "]: backward gives " + std::to_string(analytic) +
               ", differences give " + std::to_string(numeric);
      }
    }
  }
  check(worst <= 1, ErrorKind::internal, "gradcheck: ", text, " (", worst, " times the tolerance)");
}

}  // namespace gradus
