// How the results of a replay are held against PyTorch's: the bounds of docs/correctness.md.
#include <cmath>

#include "gradus/kernels/create.h"
#include "gradus/tests/oracle/replay.h"

namespace gradus::oracle {

double largest(const Tensor& t, double top) {
  if (!t.is_floating()) return top;
  for (double v : t.detach().to(Dtype::f64).to_vector<double>()) {
    if (std::isfinite(v)) top = std::max(top, std::abs(v));
  }
  return top;
}

/// Sums of |a| |b|: the op itself on absolute values.
std::vector<double> Replay::sizes_of_terms(std::size_t result) const {
  Tensors sizes = inputs(Dtype::f64);
  for (Tensor& x : sizes) {
    if (!x.is_floating()) continue;
    x = x.detach().abs();
  }
  return call_->f(Args(case_->args, sizes))[result].to(Dtype::f64).to_vector<double>();
}

/// The number of terms of a contraction is at most this.
double Replay::terms() const {
  std::int64_t first = 1, second = 1;
  for (const Stored& s : case_->inputs) {
    const std::int64_t n = s.shape.numel();
    if (n > first)
      second = first, first = n;
    else
      second = std::max(second, n);
  }
  return static_cast<double>(second > 1 ? second : first);
}

Tolerance Replay::tolerance(const Tensor& expected, std::size_t result, Dtype dtype) const {
  const Bound& bound = call_->bound;
  const double u = unit_roundoff(dtype);
  Tolerance t;
  if (is_half(dtype)) t.units = 1;
  if (!expected.is_floating()) return t;
  if (bound.kind == Bound::ulp) {
    if (dtype == Dtype::f64) t.relative = 1e-12, t.units = 2;
    if (dtype == Dtype::f32) t.units = bound.n;
  } else if (bound.kind == Bound::contraction) {
    t.relative = dtype == Dtype::f64 ? 1e-12 : 2 * (terms() + 2) * u;
    t.magnitude = sizes_of_terms(result);
  } else if (bound.kind == Bound::roundings) {
    t.relative = dtype == Dtype::f64 ? 1e-12 : bound.n * u;
    double top = largest(expected);
    for (const Stored& s : case_->inputs) top = largest(samples_.read(s), top);
    t.magnitude = {top};
  }
  return t;
}

bool Replay::agrees(const Answer& a, Dtype dtype) {
  const std::size_t count = call_->compared == 0 ? case_->outputs.size() : call_->compared;
  if (a.results.size() != count) {
    fail(std::to_string(a.results.size()) + " results, expected " + std::to_string(count));
    return false;
  }
  for (std::size_t i = 0; i < count; ++i) {
    const Tensor expected = samples_.read(case_->outputs[i]);
    const bool converted = case_->dtype == Dtype::f64 && expected.dtype() == Dtype::f64;
    const Dtype wanted = converted ? dtype : expected.dtype();
    const Tensor& y = a.results[i];
    Tolerance t = tolerance(expected, i, y.is_floating() ? y.dtype() : dtype);
    if (!is_floating(dtype) && y.is_floating()) t.units += 2;  // the expected is f32, too
    std::string what = difference(y, expected, t);
    if (what.empty() && y.dtype() != wanted) {
      what = "the dtype is " + std::string(to_string(y.dtype())) + ", expected " +
             std::string(to_string(wanted));
    }
    if (!what.empty()) {
      fail(std::string(to_string(dtype)) + ", result " + std::to_string(i) + ": " + what);
      return false;
    }
  }
  return true;
}

/// What the errors of gradients are relative to: where terms cancel, a gradient is far smaller
/// than they are. Upstream gradients lie around 1.
double Replay::gradient_scale() const {
  double top = 0.1;
  for (const auto& g : case_->gradients) {
    if (g) top = largest(samples_.read(*g), top);
  }
  return top;
}

bool Replay::gradients_agree(const Answer& a) {
  const double scale = gradient_scale();
  for (std::size_t i = 0; i < case_->gradients.size(); ++i) {
    const std::string which = "gradient " + std::to_string(i) + ": ";
    const Tensor got = i < a.gradients.size() ? a.gradients[i] : Tensor();
    const std::optional<Stored>& stored = case_->gradients[i];
    const Tensor expected = stored ? samples_.read(*stored) : Tensor();
    if (!got) {  // nothing flows: the same as zeros
      if (!expected || largest(expected) == 0) continue;
      fail(which + "none, expected one");
      return false;
    }
    const std::string what =
        difference(got, expected ? expected : zeros(got.shape(), got.options()),
                   {call_->gradient, 0, {scale}});
    if (!what.empty()) {
      fail(which + what);
      return false;
    }
  }
  return true;
}

}  // namespace gradus::oracle
