// Schedules: pure functions of the applied step s = 0, 1, ... (the steps applied before this one).
//
// A schedule gives a factor of the group's lr, so it composes: warmup(500, cosine(10'000)). It has
// no state: after a resume the same s gives the same factor. s is in steps; a caller who thinks in
// epochs multiplies. Each equals the torch.optim.lr_scheduler named beside it at every s, except
// that past its length it holds its last value where torch's would rise again.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

namespace gradus::optim {

/// What a schedule says about one step.
struct Rate {
  double lr = 1;                        // times the group's lr
  std::optional<double> momentum = {};  // instead of the group's momentum or beta1
};

class Schedule {
 public:
  Schedule() = default;  // constant
  Schedule(std::function<Rate(std::int64_t)> f) : f_(std::move(f)) {}
  Rate at(std::int64_t s) const { return f_ ? f_(s) : Rate{}; }

 private:
  std::function<Rate(std::int64_t)> f_;
};

namespace schedule {

/// `factor` for s < n, then 1 (ConstantLR). constant() is 1.
Schedule constant(double factor = 1, std::int64_t n = INT64_MAX);
/// start + (end - start) min(s, n) / n (LinearLR).
Schedule linear(std::int64_t n, double start = 1.0 / 3, double end = 1);
/// end + (1 - end) (1 + cos(pi min(s, n) / n)) / 2 (CosineAnnealingLR, T_max = n, eta_min =
/// end lr).
Schedule cosine(std::int64_t n, double end = 0);
/// (s + 1) / n for s < n, so that the first step moves and step n - 1 is at full rate; then
/// `then` at s - n.
Schedule warmup(std::int64_t n, Schedule then = {});
/// gamma^(s / size), integer division (StepLR).
Schedule step(std::int64_t size, double gamma = 0.1);
/// gamma^(milestones <= s) (MultiStepLR).
Schedule multi_step(std::vector<std::int64_t> milestones, double gamma = 0.1);
/// 0.3 at 40, 60 and 80 % of n: multi_step({0.4 n, 0.6 n, 0.8 n}, 0.3).
Schedule three_step(std::int64_t n, double gamma = 0.3);
/// gamma^s (ExponentialLR).
Schedule exponential(double gamma);
/// (1 - min(s, n) / n)^power (PolynomialLR).
Schedule polynomial(std::int64_t n, double power = 1);
/// f(s) (LambdaLR).
Schedule lambda(std::function<double(std::int64_t)> f);
/// CREDIT's: linear over `warmup`, then half a cosine to 0 at `total`. Steps, not epochs.
Schedule credit_lambda(std::int64_t warmup = 10, std::int64_t total = 100);

struct OneCycle {
  double pct_start = 0.3;  // share of the rise
  bool linear = false;     // cosine otherwise
  bool cycle_momentum = true;
  double base_momentum = 0.85, max_momentum = 0.95;
  double div_factor = 25, final_div_factor = 1e4;
  bool three_phase = false;
};
/// Rises from 1 / div_factor to 1 and falls to 1 / (div_factor final_div_factor) at n - 1
/// (OneCycleLR with max_lr = the group's lr, total_steps = n).
Schedule one_cycle(std::int64_t n, OneCycle options = {});

struct Cyclic {
  enum class Mode { triangular, triangular2, exp_range } mode = Mode::triangular;
  double gamma = 1;  // exp_range
  bool cycle_momentum = true;
  double base_momentum = 0.8, max_momentum = 0.9;
};
/// Between `low` and 1, `up` steps up and `down` down; down = 0 means up (CyclicLR with base_lr =
/// low lr, max_lr = the group's lr).
Schedule cyclic(double low, std::int64_t up, std::int64_t down = 0, Cyclic options = {});

struct Restarts {
  double mult = 1;          // each cycle is this much longer than the one before (rounded)
  std::int64_t warmup = 0;  // (t + 1) / warmup at the start of each cycle
  double gamma = 1;         // peak of each cycle against the one before
  double end = 0;
};
/// Cosine cycles of `first`, first mult, first mult^2 ... steps (CosineAnnealingWarmRestarts, T_0 =
/// first, T_mult = mult).
Schedule restarts(std::int64_t first, Restarts options = {});

}  // namespace schedule
}  // namespace gradus::optim
