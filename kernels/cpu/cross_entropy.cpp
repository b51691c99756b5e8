#include "gradus/kernels/cpu/lanes.h"
#include "gradus/kernels/cross_entropy_problem.h"
#include "gradus/tensor/parallel.h"

namespace gradus::cpu {
namespace {

template <class T>
using Problem = CrossEntropyProblem<T>;

template <class T>
std::int64_t grain(const Problem<T>& p) {
  return std::max<std::int64_t>(1, pointwise_grain / 8 / std::max<std::int64_t>(1, p.classes));
}

template <class T>
void forward_row(const Problem<T>& p, std::int64_t r) {
  using C = compute_t<T>;
  if (p.ignored(r)) {
    p.max[r] = p.log_sum[r] = p.loss[r] = 0;
    return;
  }
  const std::int64_t n = p.classes;
  check(p.t == nullptr || (p.t[r] >= 0 && p.t[r] < n), ErrorKind::argument, "cross_entropy: class ",
        p.t == nullptr ? 0 : p.t[r], " in row ", r, " is out of range for ", n, " classes");
  const T* x = p.x + r * n;
  const C m = max_row<C>(x, n), s = math::log(sum_exp_row(x, n, m));
  p.max[r] = m;
  p.log_sum[r] = s;
  const auto log_p = [=](std::int64_t c) { return (C(x[c]) - m) - s; };
  if (p.t != nullptr) {
    C loss = p.keep * p.weight_of(p.t[r]) * log_p(p.t[r]);
    if (p.spread != 0) {
      loss += p.spread * sum_row<C>(n, [&](std::int64_t c) { return p.weight_of(c) * log_p(c); });
    }
    p.loss[r] = -loss;
  } else {
    p.loss[r] = -sum_row<C>(n, [&](std::int64_t c) { return p.target_of(r, c) * log_p(c); });
  }
}

/// dx_c = (p_c total - w_c q_c) g, where total is the sum of w_c q_c.
template <class T>
void backward_row(const Problem<T>& p, std::int64_t r, compute_t<T> g, T* dx) {
  using C = compute_t<T>;
  const std::int64_t n = p.classes;
  if (p.ignored(r)) {
    std::fill_n(dx, n, T(C(0)));
    return;
  }
  const T* x = p.x + r * n;
  const C m = p.max[r], s = p.log_sum[r];
  const auto softmax = [=](C v) { return math::exp((v - m) - s); };
  if (p.t == nullptr) {
    const C total = sum_row<C>(n, [&](std::int64_t c) { return p.target_of(r, c); });
    map_row(
        x, dx, n, [&](C v) { return softmax(v) * total; },
        [&](std::int64_t c, C v) { return (v - p.target_of(r, c)) * g; });
    return;
  }
  const std::int64_t t = p.t[r];
  const C at_target = softmax(C(x[t]));
  if (p.spread == 0) {
    g *= p.weight_of(t);
    map_row(x, dx, n, [=](C v) { return softmax(v) * g; });
    dx[t] = T((at_target - 1) * g);
    return;
  }
  const C own = p.keep * p.weight_of(t);
  const C all =
      p.weight == nullptr ? C(n) : sum_row<C>(n, [&](std::int64_t c) { return p.weight_of(c); });
  const C total = own + p.spread * all;
  map_row(
      x, dx, n, [&](C v) { return softmax(v) * total; },
      [&](std::int64_t c, C v) { return (v - p.spread * p.weight_of(c)) * g; });
  dx[t] = T((at_target * total - p.spread * p.weight_of(t) - own) * g);
}

}  // namespace

void cross_entropy(const Tensor& x, const Tensor& target, const Tensor& weight,
                   const CrossEntropy& options, const Tensor& y, const Tensor& stats) {
  visit_floating(x.dtype(), "cross_entropy", [&]<class T> {
    using C = compute_t<T>;
    const Problem<T> p(x, target, weight, options, stats);
    parallel_for(p.rows, grain(p), [&p](std::int64_t begin, std::int64_t end) {
      for (std::int64_t r = begin; r < end; ++r) forward_row(p, r);
    });
    T* to = static_cast<T*>(y.data());
    if (options.reduction == Reduction::none) {
      for (std::int64_t r = 0; r < p.rows; ++r) to[r] = T(p.loss[r]);
      return;
    }
    double divisor = static_cast<double>(p.rows);
    if (p.t != nullptr) {
      divisor = sum_row<double>(p.rows, [&p](std::int64_t r) {
        return p.ignored(r) ? 0.0 : static_cast<double>(p.weight_of(p.t[r]));
      });
    }
    *p.divisor = static_cast<C>(divisor);
    const double sum = sum_row<double>(p.rows, [&p](std::int64_t r) { return p.loss[r]; });
    *to = T(static_cast<C>(options.reduction == Reduction::mean ? sum / divisor : sum));
  });
}

void cross_entropy_backward(const Tensor& x, const Tensor& target, const Tensor& weight,
                            const CrossEntropy& options, const Tensor& stats, const Tensor& dy,
                            const Tensor& dx) {
  visit_floating(x.dtype(), "cross_entropy", [&]<class T> {
    using C = compute_t<T>;
    const Problem<T> p(x, target, weight, options, stats);
    const T* d = static_cast<const T*>(dy.data());
    T* to = static_cast<T*>(dx.data());
    const bool each = options.reduction == Reduction::none;
    // Divided, not multiplied by 1 / n: that is not exact.
    const C all = each ? C(0) : options.reduction == Reduction::mean ? C(*d) / *p.divisor : C(*d);
    parallel_for(p.rows, grain(p), [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t r = begin; r < end; ++r) {
        backward_row(p, r, each ? C(d[r]) : all, to + r * p.classes);
      }
    });
  });
}

}  // namespace gradus::cpu
