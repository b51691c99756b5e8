#include "gradus/optim/schedule.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "gradus/tensor/error.h"

namespace gradus::optim::schedule {
namespace {

using std::numbers::pi;

void check_length(const char* name, std::int64_t n) {
  check(n > 0, ErrorKind::argument, "schedule ", name, ": expected a positive length, got ", n);
}

/// From `a` at 0 to `b` at 1.
double half_cosine(double a, double b, double share) {
  return b + (a - b) / 2 * (std::cos(pi * share) + 1);
}

double share_of(std::int64_t s, std::int64_t n) {
  return static_cast<double>(std::min(s, n)) / static_cast<double>(n);
}

template <class F>
Schedule factor(F f) {
  return Schedule([f = std::move(f)](std::int64_t s) { return Rate{f(s)}; });
}

}  // namespace

Schedule constant(double value, std::int64_t n) {
  return factor([=](std::int64_t s) { return s < n ? value : 1; });
}

Schedule linear(std::int64_t n, double start, double end) {
  check_length("linear", n);
  return factor([=](std::int64_t s) { return start + (end - start) * share_of(s, n); });
}

Schedule cosine(std::int64_t n, double end) {
  check_length("cosine", n);
  return factor([=](std::int64_t s) { return half_cosine(1, end, share_of(s, n)); });
}

Schedule warmup(std::int64_t n, Schedule then) {
  check(n >= 0, ErrorKind::argument, "schedule warmup: expected 0 or more steps, got ", n);
  return Schedule([n, then = std::move(then)](std::int64_t s) {
    if (s >= n) return then.at(s - n);
    return Rate{static_cast<double>(s + 1) / static_cast<double>(n)};
  });
}

Schedule step(std::int64_t size, double gamma) {
  check_length("step", size);
  return factor([=](std::int64_t s) { return std::pow(gamma, static_cast<double>(s / size)); });
}

Schedule multi_step(std::vector<std::int64_t> milestones, double gamma) {
  std::sort(milestones.begin(), milestones.end());
  return factor([=, milestones = std::move(milestones)](std::int64_t s) {
    const auto passed = std::upper_bound(milestones.begin(), milestones.end(), s);
    return std::pow(gamma, static_cast<double>(passed - milestones.begin()));
  });
}

Schedule three_step(std::int64_t n, double gamma) {
  check_length("three_step", n);
  return multi_step({n * 4 / 10, n * 6 / 10, n * 8 / 10}, gamma);
}

Schedule exponential(double gamma) {
  return factor([=](std::int64_t s) { return std::pow(gamma, static_cast<double>(s)); });
}

Schedule polynomial(std::int64_t n, double power) {
  check_length("polynomial", n);
  return factor([=](std::int64_t s) { return std::pow(1 - share_of(s, n), power); });
}

Schedule lambda(std::function<double(std::int64_t)> f) { return factor(std::move(f)); }

Schedule credit_lambda(std::int64_t warm, std::int64_t total) {
  check(warm >= 0 && total > warm, ErrorKind::argument,
        "schedule credit_lambda: expected 0 <= warmup < total, got ", warm, " and ", total);
  return warmup(warm, cosine(total - warm));
}

Schedule one_cycle(std::int64_t n, OneCycle o) {
  check(n > 1, ErrorKind::argument, "schedule one_cycle: expected two steps or more, got ", n);
  const double last = static_cast<double>(n - 1);
  const double rise = o.pct_start * static_cast<double>(n) - 1;
  check(rise > 0 && rise < last, ErrorKind::argument, "schedule one_cycle: pct_start ", o.pct_start,
        " leaves no step to rise or fall in ", n);
  const double start = 1 / o.div_factor, finish = start / o.final_div_factor;
  const double back = o.three_phase ? 2 * o.pct_start * static_cast<double>(n) - 2 : last;
  return Schedule([=](std::int64_t s) {
    const double t = std::min(static_cast<double>(s), last);
    const auto between = [&](double a, double b, double from, double to) {
      const double share = (t - from) / (to - from);
      return o.linear ? a + (b - a) * share : half_cosine(a, b, share);
    };
    Rate rate;
    double momentum = o.max_momentum;
    if (t <= rise) {
      rate.lr = between(start, 1, 0, rise);
      momentum = between(o.max_momentum, o.base_momentum, 0, rise);
    } else if (t <= back) {
      rate.lr = between(1, o.three_phase ? start : finish, rise, back);
      momentum = between(o.base_momentum, o.max_momentum, rise, back);
    } else {
      rate.lr = between(start, finish, back, last);
    }
    if (o.cycle_momentum) rate.momentum = momentum;
    return rate;
  });
}

Schedule cyclic(double low, std::int64_t up, std::int64_t down, Cyclic o) {
  check_length("cyclic", up);
  const double total = static_cast<double>(up + (down > 0 ? down : up));
  const double ratio = static_cast<double>(up) / total;
  return Schedule([=](std::int64_t s) {
    const double cycle = std::floor(1 + static_cast<double>(s) / total);
    const double x = 1 + static_cast<double>(s) / total - cycle;
    double height = x <= ratio ? x / ratio : (x - 1) / (ratio - 1);
    if (o.mode == Cyclic::Mode::triangular2) height /= std::pow(2, cycle - 1);
    if (o.mode == Cyclic::Mode::exp_range) height *= std::pow(o.gamma, static_cast<double>(s));
    Rate rate{low + (1 - low) * height};
    if (o.cycle_momentum)
      rate.momentum = o.max_momentum - (o.max_momentum - o.base_momentum) * height;
    return rate;
  });
}

Schedule restarts(std::int64_t first, Restarts o) {
  check_length("restarts", first);
  check(o.mult >= 1 && o.warmup >= 0 && o.warmup < first, ErrorKind::argument,
        "schedule restarts: expected mult >= 1 and 0 <= warmup < first, got ", o.mult, " and ",
        o.warmup);
  return factor([=](std::int64_t s) {
    std::int64_t t = s, length = first;
    double peak = 1;
    if (o.mult == 1) {
      peak = std::pow(o.gamma, static_cast<double>(s / first));
      t = s % first;
    } else {
      while (t >= length) {
        t -= length;
        length = std::llround(static_cast<double>(length) * o.mult);
        peak *= o.gamma;
      }
    }
    if (t < o.warmup) return peak * static_cast<double>(t + 1) / static_cast<double>(o.warmup);
    const double share = static_cast<double>(t - o.warmup) / static_cast<double>(length - o.warmup);
    return half_cosine(peak, o.end, share);
  });
}

}  // namespace gradus::optim::schedule
