// Softmax and cross-entropy of its rows in one: a block for each row reads it for the maximum, for
// the sum of exponentials and, with smoothing or probabilities, for the loss; the backward reads
// and writes it once. One more block then adds the rows up, in f64 and in a fixed order.
#include "gradus/kernels/cross_entropy_problem.h"
#include "gradus/kernels/cuda/report.cuh"
#include "gradus/kernels/cuda/rows.cuh"

namespace gradus::cuda {
namespace {

template <class T>
struct Problem : CrossEntropyProblem<T> {
  Reporter out;
  Problem(const Tensor& x, const Tensor& target, const Tensor& weight, const CrossEntropy& o,
          const Tensor& stats)
      : CrossEntropyProblem<T>(x, target, weight, o, stats),
        out(reporter("cross_entropy", x.device().index())) {}
};

template <int threads, class T>
__global__ void __launch_bounds__(threads) loss_rows(Problem<T> p) {
  using C = compute_t<T>;
  const std::int64_t r = blockIdx.x, n = p.classes;
  const bool first = threadIdx.x == 0;
  if (p.ignored(r)) {  // the whole block alike
    if (first) p.max[r] = p.log_sum[r] = p.loss[r] = 0;
    return;
  }
  if (p.t != nullptr && !(p.t[r] >= 0 && p.t[r] < n)) {
    if (first) p.out.in_range(p.t[r], n);
    if (first) p.max[r] = p.log_sum[r] = p.loss[r] = 0;
    return;
  }
  const T* x = p.x + r * n;
  const C m = row_max<threads>(x, n);
  const C s =
      math::log(row_sum<threads, C>(n, [&](std::int64_t c) { return math::exp(C(x[c]) - m); }));
  const auto log_p = [&](std::int64_t c) { return (C(x[c]) - m) - s; };
  C loss = 0;
  if (p.t == nullptr) {
    loss = row_sum<threads, C>(n, [&](std::int64_t c) { return p.target_of(r, c) * log_p(c); });
  } else {
    loss = p.keep * p.weight_of(p.t[r]) * log_p(p.t[r]);
    if (p.spread != 0) {
      loss += p.spread *
              row_sum<threads, C>(n, [&](std::int64_t c) { return p.weight_of(c) * log_p(c); });
    }
  }
  if (!first) return;
  p.max[r] = m;
  p.log_sum[r] = s;
  p.loss[r] = -loss;
}

enum class Result { each, mean, sum };

/// y from the rows' losses; the divisor of a mean into the stats. One block.
template <int threads, class T>
__global__ void __launch_bounds__(threads) join_rows(Problem<T> p, Result result, T* y) {
  using C = compute_t<T>;
  if (result == Result::each) {
    each_in_row<threads>(p.rows, [&](std::int64_t r) { y[r] = T(p.loss[r]); });
    return;
  }
  double divisor = static_cast<double>(p.rows);
  if (p.t != nullptr) {
    divisor = row_sum<threads, double>(p.rows, [&](std::int64_t r) {
      const bool counts = !p.ignored(r) && p.t[r] >= 0 && p.t[r] < p.classes;
      return counts ? static_cast<double>(p.weight_of(p.t[r])) : 0.0;
    });
  }
  const double sum = row_sum<threads, double>(
      p.rows, [&](std::int64_t r) { return static_cast<double>(p.loss[r]); });
  if (threadIdx.x != 0) return;
  *p.divisor = static_cast<C>(divisor);
  *y = T(static_cast<C>(result == Result::mean ? sum / divisor : sum));
}

/// dx_c = (p_c total - w_c q_c) g, where total is the sum of w_c q_c.
template <int threads, class T>
__global__ void __launch_bounds__(threads)
    loss_backward_rows(Problem<T> p, Result result, const T* dy, T* dx) {
  using C = compute_t<T>;
  const std::int64_t r = blockIdx.x, n = p.classes;
  const T* x = p.x + r * n;
  dx += r * n;
  if (p.ignored(r) || (p.t != nullptr && !(p.t[r] >= 0 && p.t[r] < n))) {
    each_in_row<threads>(n, [&](std::int64_t c) { dx[c] = T(C(0)); });
    return;
  }
  // Divided, not multiplied by 1 / n: that is not exact.
  C g = C(result == Result::each ? dy[r] : *dy);
  if (result == Result::mean) g /= *p.divisor;
  const C m = p.max[r], s = p.log_sum[r];
  const auto softmax = [&](std::int64_t c) { return math::exp((C(x[c]) - m) - s); };
  if (p.t == nullptr) {
    const C total = row_sum<threads, C>(n, [&](std::int64_t c) { return p.target_of(r, c); });
    each_in_row<threads>(
        n, [&](std::int64_t c) { dx[c] = T((softmax(c) * total - p.target_of(r, c)) * g); });
    return;
  }
  const std::int64_t t = p.t[r];
  if (p.spread == 0) {
    g *= p.weight_of(t);
    each_in_row<threads>(
        n, [&](std::int64_t c) { dx[c] = T((c == t ? softmax(c) - 1 : softmax(c)) * g); });
    return;
  }
  const C own = p.keep * p.weight_of(t);
  const C all = p.weight == nullptr
                    ? C(n)
                    : row_sum<threads, C>(n, [&](std::int64_t c) { return p.weight_of(c); });
  const C total = own + p.spread * all;
  each_in_row<threads>(n, [&](std::int64_t c) {
    const C rest = softmax(c) * total - p.spread * p.weight_of(c);
    dx[c] = T((c == t ? rest - own : rest) * g);
  });
}

Result result_of(const CrossEntropy& o) {
  return o.reduction == Reduction::none   ? Result::each
         : o.reduction == Reduction::mean ? Result::mean
                                          : Result::sum;
}

}  // namespace

void cross_entropy(const Tensor& x, const Tensor& target, const Tensor& weight,
                   const CrossEntropy& options, const Tensor& y, const Tensor& stats) {
  const Stream stream = compute_stream(x.device().index());
  visit_floating(x.dtype(), "cross_entropy", [&]<class T> {
    const Problem<T> p(x, target, weight, options, stats);
    with_row_threads(p.classes, [&]<int threads> {
      launch<loss_rows<threads, T>>(p.rows, threads, 0, stream, p);
    });
    launch<join_rows<512, T>>(1, 512, 0, stream, p, result_of(options), y.data<T>());
  });
}

void cross_entropy_backward(const Tensor& x, const Tensor& target, const Tensor& weight,
                            const CrossEntropy& options, const Tensor& stats, const Tensor& dy,
                            const Tensor& dx) {
  const Stream stream = compute_stream(x.device().index());
  visit_floating(x.dtype(), "cross_entropy", [&]<class T> {
    const Problem<T> p(x, target, weight, options, stats);
    with_row_threads(p.classes, [&]<int threads> {
      launch<loss_backward_rows<threads, T>>(p.rows, threads, 0, stream, p, result_of(options),
                                             dy.data<T>(), dx.data<T>());
    });
  });
}

}  // namespace gradus::cuda
