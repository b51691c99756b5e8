#include "gradus/kernels/batch_norm.h"

#include <cmath>

#include "gradus/kernels/cpu/channel_sum.h"
#include "gradus/kernels/cpu/scratch.h"

namespace gradus::cpu {
namespace {

/// running = (1 - momentum) running + momentum batch, for channels that are finite.
void update_running(const Tensor& running_mean, const Tensor& running_var, double momentum,
                    const double* mean, const double* squares, double count) {
  const std::int64_t channels = running_mean ? running_mean.numel() : running_var.numel();
  const auto mix = [&](const Tensor& running, std::int64_t c, double batch) {
    visit_floating(running.dtype(), "batch_norm", [&]<class R> {
      R* r = static_cast<R*>(running.data()) + c * running.strides()[0];
      const double old = static_cast<double>(compute_t<R>(*r));
      *r = R(static_cast<compute_t<R>>((1 - momentum) * old + momentum * batch));
    });
  };
  for (std::int64_t c = 0; c < channels; ++c) {
    const double var = count > 1 ? squares[c] / (count - 1) : NAN;
    if (!std::isfinite(mean[c]) || !std::isfinite(var)) continue;
    if (running_mean) mix(running_mean, c, mean[c]);
    if (running_var) mix(running_var, c, var);
  }
}

template <class T>
void statistics(const Tensor& input, double eps, double momentum, const Tensor& running_mean,
                const Tensor& running_var, const Tensor& stats) {
  using C = compute_t<T>;
  const ChannelPlan p(input);
  const T* x = static_cast<const T*>(input.data());
  const std::int64_t n = p.channels;
  // For each group and channel: the mean, and the sum of squares of differences from it.
  const Scratch<double> parts(2 * p.groups * n), joined(2 * n);
  p.for_each_block([&](std::int64_t group, std::int64_t c0, std::int64_t c1) {
    C sum[ChannelPlan::block], mean[ChannelPlan::block];
    double* to = parts.data() + 2 * group * n;
    const double count = static_cast<double>(p.group_count(group));
    group_sum(
        p, group, c0, c1, [=](std::int64_t at, std::int64_t) { return C(x[at]); }, sum);
    for (std::int64_t c = c0; c < c1; ++c) {
      mean[c - c0] = static_cast<C>(static_cast<double>(sum[c - c0]) / count);
      to[c] = mean[c - c0];
    }
    const C* m = mean - c0;
    group_sum(
        p, group, c0, c1,
        [=](std::int64_t at, std::int64_t c) { return (C(x[at]) - m[c]) * (C(x[at]) - m[c]); },
        sum);
    for (std::int64_t c = c0; c < c1; ++c) to[n + c] = sum[c - c0];
  });
  // Groups are joined in order (Chan, Golub and LeVeque): with d the difference of the means,
  // mean += d n_b / n and squares += squares_b + d^2 n_a n_b / n.
  double *mean = joined.data(), *squares = mean + n;
  std::fill_n(mean, 2 * n, 0.0);
  double before = 0;
  for (std::int64_t group = 0; group < p.groups; ++group) {
    const double *mean_b = parts.data() + 2 * group * n, *squares_b = mean_b + n;
    const double count = static_cast<double>(p.group_count(group)), all = before + count;
    const double part = count / all, cross = before * part;
    for (std::int64_t c = 0; c < n; ++c) {
      const double d = mean_b[c] - mean[c];
      mean[c] += d * part;
      squares[c] += squares_b[c] + d * d * cross;
    }
    before = all;
  }
  C *out_mean = static_cast<C*>(stats.data()), *out_rstd = out_mean + n;
  for (std::int64_t c = 0; c < n; ++c) {
    out_mean[c] = static_cast<C>(mean[c]);
    out_rstd[c] = static_cast<C>(1 / std::sqrt(squares[c] / before + eps));
  }
  if (running_mean || running_var) {
    update_running(running_mean, running_var, momentum, mean, squares, before);
  }
}

/// What an element is computed with, by channel.
template <class T>
struct Constants {
  using C = compute_t<T>;
  const T *weight, *bias;  // or null
  const C *mean, *rstd;
  Constants(const Tensor& w, const Tensor& b, const Tensor& stats)
      : weight(w ? static_cast<const T*>(w.data()) : nullptr),
        bias(b ? static_cast<const T*>(b.data()) : nullptr),
        mean(static_cast<const C*>(stats.data())),
        rstd(mean + stats.shape()[1]) {}
  C scale(std::int64_t c) const { return weight != nullptr ? rstd[c] * C(weight[c]) : rstd[c]; }
  C shift(std::int64_t c) const { return bias != nullptr ? C(bias[c]) : C(0); }
};

}  // namespace

void batch_norm_statistics(const Tensor& x, double eps, double momentum, const Tensor& running_mean,
                           const Tensor& running_var, const Tensor& stats) {
  visit_floating(x.dtype(), "batch_norm", [&]<class T> {
    statistics<T>(x, eps, momentum, running_mean, running_var, stats);
  });
}

void batch_norm_from_running(const Tensor& running_mean, const Tensor& running_var, double eps,
                             const Tensor& stats) {
  const std::int64_t n = stats.shape()[1];
  const auto read = [](const Tensor& t, std::int64_t c) {
    return visit_floating(t.dtype(), "batch_norm", [&]<class R> {
      return static_cast<double>(compute_t<R>(static_cast<const R*>(t.data())[c * t.strides()[0]]));
    });
  };
  visit_floating(stats.dtype(), "batch_norm", [&]<class C> {
    C* out = static_cast<C*>(stats.data());
    for (std::int64_t c = 0; c < n; ++c) {
      out[c] = C(compute_t<C>(read(running_mean, c)));
      out[n + c] = C(compute_t<C>(1 / std::sqrt(read(running_var, c) + eps)));
    }
  });
}

void batch_norm(const Tensor& x, const Tensor& weight, const Tensor& bias, const Tensor& stats,
                const Tensor& y) {
  const ChannelPlan p(x);
  visit_floating(x.dtype(), "batch_norm", [&]<class T> {
    using C = compute_t<T>;
    const T* from = static_cast<const T*>(x.data());
    T* to = static_cast<T*>(y.data());
    const Constants<T> k(weight, bias, stats);
    const Scratch<C> both(2 * p.channels);
    C *scale = both.data(), *shift = scale + p.channels;
    for (std::int64_t c = 0; c < p.channels; ++c) {
      scale[c] = k.scale(c);
      shift[c] = k.shift(c);
    }
    const C* mean = k.mean;
    for_each_run(p, [=, last = p.channels_last](std::int64_t at, std::int64_t n, std::int64_t c) {
      const T* a = from + at;
      T* b = to + at;
      if (last) {
        for (std::int64_t i = 0; i < n; ++i) b[i] = T((C(a[i]) - mean[i]) * scale[i] + shift[i]);
      } else {
        const C m = mean[c], s = scale[c], t = shift[c];
        for (std::int64_t i = 0; i < n; ++i) b[i] = T((C(a[i]) - m) * s + t);
      }
    });
  });
}

void batch_norm_backward_sums(const Tensor& x, const Tensor& stats, const Tensor& dy,
                              const Tensor& sums) {
  const ChannelPlan p(x);
  visit_floating(x.dtype(), "batch_norm", [&]<class T> {
    using C = compute_t<T>;
    const T *a = static_cast<const T*>(x.data()), *d = static_cast<const T*>(dy.data());
    const std::int64_t n = p.channels;
    const C *mean = static_cast<const C*>(stats.data()), *rstd = mean + n;
    const Scratch<double> parts(2 * p.groups * n), joined(2 * n);
    p.for_each_block([&](std::int64_t group, std::int64_t c0, std::int64_t c1) {
      C sum[ChannelPlan::block];
      double* to = parts.data() + 2 * group * n;
      group_sum(
          p, group, c0, c1, [=](std::int64_t at, std::int64_t) { return C(d[at]); }, sum);
      for (std::int64_t c = c0; c < c1; ++c) to[c] = sum[c - c0];
      group_sum(
          p, group, c0, c1,
          [=](std::int64_t at, std::int64_t c) { return C(d[at]) * (C(a[at]) - mean[c]); }, sum);
      for (std::int64_t c = c0; c < c1; ++c) to[n + c] = sum[c - c0];
    });
    double* total = joined.data();
    std::fill_n(total, 2 * n, 0.0);
    for (std::int64_t group = 0; group < p.groups; ++group) {
      const double* part = parts.data() + 2 * group * n;
      for (std::int64_t c = 0; c < 2 * n; ++c) total[c] += part[c];
    }
    C* out = static_cast<C*>(sums.data());
    for (std::int64_t c = 0; c < n; ++c) {
      out[c] = static_cast<C>(total[c]);
      out[n + c] = static_cast<C>(total[n + c] * static_cast<double>(rstd[c]));
    }
  });
}

void batch_norm_backward(const Tensor& x, const Tensor& weight, const Tensor& stats,
                         const Tensor& sums, bool training, const Tensor& dy, const Tensor& dx) {
  const ChannelPlan p(x);
  visit_floating(x.dtype(), "batch_norm", [&]<class T> {
    using C = compute_t<T>;
    const T *from = static_cast<const T*>(x.data()), *d = static_cast<const T*>(dy.data());
    T* to = static_cast<T*>(dx.data());
    const Constants<T> k(weight, {}, stats);
    const Scratch<C> all(3 * p.channels);
    // dx = scale (dy - a - (x - mean) b)
    C *scale = all.data(), *a = scale + p.channels, *b = a + p.channels;
    const C count = static_cast<C>(p.count());
    const C* sum = training ? static_cast<const C*>(sums.data()) : nullptr;
    for (std::int64_t c = 0; c < p.channels; ++c) {
      scale[c] = k.scale(c);
      if (!training) continue;
      a[c] = sum[c] / count;
      b[c] = sum[p.channels + c] / count * k.rstd[c];
    }
    const C* mean = k.mean;
    for_each_run(p, [=, last = p.channels_last](std::int64_t at, std::int64_t n, std::int64_t c) {
      const T *u = from + at, *g = d + at;
      T* v = to + at;
      if (!training) {  // statistics are constants
        for (std::int64_t i = 0; i < n; ++i) v[i] = T(scale[last ? i : c] * C(g[i]));
      } else if (last) {
        for (std::int64_t i = 0; i < n; ++i) {
          v[i] = T(scale[i] * (C(g[i]) - a[i] - (C(u[i]) - mean[i]) * b[i]));
        }
      } else {
        const C s = scale[c], ac = a[c], bc = b[c], m = mean[c];
        for (std::int64_t i = 0; i < n; ++i) v[i] = T(s * (C(g[i]) - ac - (C(u[i]) - m) * bc));
      }
    });
  });
}

}  // namespace gradus::cpu
