// Two networks against each other, each with an optimizer of its own: a generator learns to put
// points where eight clouds of points lie on a circle, a critic learns to tell its points from real
// ones. Prints how many of the clouds are found, and by which share of the points.
// Goodfellow et al. 2014; the losses are the logistic ones, which do not saturate.
//   build/release/gradus_example_gan [steps]
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <numbers>

#include "gradus/gradus.h"

using namespace gradus;

namespace {

constexpr int clouds = 8;
constexpr double deviation = 0.05;  // of a cloud; the circle's radius is 1

/// n points of the clouds: (n, 2).
Tensor real_points(std::int64_t n) {
  const Tensor angle = floor(rand({n}) * clouds) * (2 * std::numbers::pi / clouds);
  return stack({cos(angle), sin(angle)}, 1) + randn({n, 2}) * deviation;
}

nn::Sequential network(std::int64_t in, std::int64_t out) {
  return nn::Sequential{nn::Linear(in, 64), nn::LeakyReLU(0.2), nn::Linear(64, 64),
                        nn::LeakyReLU(0.2), nn::Linear(64, out)};
}

/// How many clouds have at least a quarter of their share of the points within four deviations.
void report(std::int64_t step, const Tensor& points) {
  const std::vector<float> p = points.to_vector<float>();
  int inside = 0, found[clouds] = {};
  for (std::size_t i = 0; i < p.size(); i += 2) {
    const double x = double{p[i]}, y = double{p[i + 1]};
    const int k =
        static_cast<int>(std::lround((std::atan2(y, x) / (2 * std::numbers::pi) + 1) * clouds)) %
        clouds;
    const double angle = k * 2 * std::numbers::pi / clouds;
    if (std::hypot(x - std::cos(angle), y - std::sin(angle)) > 4 * deviation) continue;
    ++inside;
    ++found[k];
  }
  const double n = static_cast<double>(p.size()) / 2;
  int modes = 0;
  for (const int count : found) modes += count > n / clouds / 4;
  std::printf("step %6lld: %d of %d clouds, %.0f %% of the points\n", static_cast<long long>(step),
              modes, clouds, 100 * inside / n);
}

}  // namespace

int main(int argc, char** argv) {
  const std::int64_t steps = argc > 1 ? std::atoll(argv[1]) : 4000, batch = 128, noise = 8;
  manual_seed(1);
  nn::Sequential generator = network(noise, 2), critic = network(2, 1);
  optim::Adam generator_step(generator.parameters(), {.lr = 5e-4, .betas = {0.5, 0.9}});
  optim::Adam critic_step(critic.parameters(), {.lr = 1e-3, .betas = {0.5, 0.9}});
  const Tensor one = ones({batch, 1}), zero = zeros({batch, 1});

  for (std::int64_t step = 1; step <= steps; ++step) {
    // The critic: real points are 1, made ones 0. What it would ask of the generator is cut off.
    const Tensor made = generator(randn({batch, noise}));
    critic_step.zero_grad();
    (bce_with_logits(critic(real_points(batch)), one) +
     bce_with_logits(critic(made.detach()), zero))
        .backward();
    critic_step.step();

    // The generator: its points should be taken for real ones. The critic's gradients, which come
    // along, are cleared before its next step.
    generator_step.zero_grad();
    bce_with_logits(critic(made), one).backward();
    generator_step.step();

    if (step % 1000 == 0 || step == steps) {
      const NoGrad no_grad;
      report(step, generator(randn({2000, noise})));
    }
  }
}
