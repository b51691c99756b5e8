// Two networks against each other, each with an optimizer of its own in one trainer: a generator
// learns to put points where eight clouds of points lie on a circle, a critic learns to tell its
// points from real ones. Prints how many of the clouds are found, and by which share of the points.
// Goodfellow et al. 2014; the losses are the logistic ones, which do not saturate.
//   build/release/gradus_example_gan [steps, of which each network has every other one]
#include <cmath>
#include <cstdio>
#include <numbers>
#include <random>

#include "gradus/gradus.h"

using namespace gradus;
using namespace gradus::trainer;

namespace {

constexpr int clouds = 8;
constexpr std::int64_t noise = 8;   // numbers that the generator makes a point of
constexpr double deviation = 0.05;  // of a cloud; the circle's radius is 1

/// Points of the clouds, one a sample: "x" (2).
class Clouds final : public Dataset {
 public:
  std::int64_t size() const override { return 16384; }
  std::vector<Field> fields() const override { return {{"x", {2}}}; }
  std::vector<Tensor> get(std::int64_t index) const override {
    std::mt19937 random(static_cast<unsigned>(index));
    std::normal_distribution<float> noise(0, static_cast<float>(deviation));
    const double angle = static_cast<double>(index % clouds) * 2 * std::numbers::pi / clouds;
    const float x[] = {static_cast<float>(std::cos(angle)) + noise(random),
                       static_cast<float>(std::sin(angle)) + noise(random)};
    return {from_data(x, {2}, {})};
  }
};

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

/// Turn about, a step each: the critic of real points and made ones, and the generator, whose
/// points should be taken for real. A step names the optimizer that moves; what the other one moves
/// gets no gradient.
class Gan final : public Task {
 public:
  struct Net final : nn::Module {
    nn::Sequential generator = network(noise, 2), critic = network(2, 1);
    void visit(nn::Visitor& v) override {
      v("generator", generator);
      v("critic", critic);
    }
  };
  nn::Module& module() override { return net_; }
  std::optional<StepResult> step(const Batch& batch, const State& state) override {
    const Tensor one = ones({batch.size, 1}), zero = zeros({batch.size, 1});
    const Tensor made = net_.generator(randn({batch.size, noise}));
    StepResult result;
    if (state.attempted % 2 == 0) {
      result.losses.push_back({"critic", bce_with_logits(net_.critic(batch["x"]), one) +
                                             bce_with_logits(net_.critic(made.detach()), zero)});
      result.optimizers.push_back("critic");
    } else {
      result.losses.push_back({"generator", bce_with_logits(net_.critic(made), one)});
      result.optimizers.push_back("generator");
    }
    return result;
  }
  Tensor points(std::int64_t n) {
    const NoGrad no_grad;
    return net_.generator(randn({n, noise}));
  }

 private:
  Net net_;
};

constexpr auto configuration = R"(
[data.train]
batch_size = 128

[optimizers.critic]
parameters = ["critic.*"]
type = "adam"
lr = 1e-3
betas = [0.5, 0.9]
weight_decay = 0.0

[optimizers.generator]
parameters = ["generator.*"]
type = "adam"
lr = 5e-4
betas = [0.5, 0.9]
weight_decay = 0.0

[log]
every_n_steps = 1000
)";

}  // namespace

int main(int argc, char** argv) try {
  const std::string steps = argc > 1 ? argv[1] : "8000";
  manual_seed(1);
  const Config config =
      parse_config(configuration, "gan", ".", {"trainer.max_steps=" + steps, "run.device=cpu"});
  const auto gan = std::make_shared<Gan>();
  Trainer trainer(config, gan, {{"train", std::make_shared<Clouds>()}});
  trainer.add(make_hook("report", HookPhase::step_end, [&](HookContext& c) {
    if (c.state.attempted % 2000 == 0) report(c.state.attempted, gan->points(2000));
  }));
  const Result result = trainer.fit();
  if (result.state.attempted % 2000 != 0) report(result.state.attempted, gan->points(2000));
  return result.status == "done" ? 0 : 1;
} catch (const Error& error) {
  std::fprintf(stderr, "%s\n", error.what());
  return 2;
}
