// NaN and infinity put into one element of one gradient: the step is skipped, and not a bit of
// weights, state, averages or counts of applied steps is another.
#include <cstring>
#include <limits>
#include <memory>

#include "gradus/autograd/functions.h"
#include "gradus/kernels/create.h"
#include "gradus/nn/nn.h"
#include "gradus/optim/optim.h"
#include "gradus/tests/crash/soak.h"

namespace gradus {
namespace {

std::string bits(const Tensor& t) {
  const Tensor here = t.detach().contiguous();
  return {static_cast<const char*>(here.data()),
          static_cast<std::size_t>(here.numel()) * size_of(here.dtype())};
}

struct Watched {
  nn::Sequential net{nn::Linear(12, 16), nn::Tanh(), nn::BatchNorm1d(16), nn::Linear(16, 3)};
  std::unique_ptr<optim::Optimizer> optimizer;

  explicit Watched(int rule) {
    const auto p = net.named_parameters();
    switch (rule) {
      case 0:
        optimizer = std::make_unique<optim::AdamW>(
            p, optim::AdamWOptions{.max_grad_norm = 1.0, .ema_decay = 0.9});
        break;
      case 1:
        optimizer = std::make_unique<optim::SGD>(
            p, optim::SGDOptions{.lr = 0.1, .momentum = 0.9, .max_grad_norm = 1.0});
        break;
      case 2: optimizer = std::make_unique<optim::Lion>(p, optim::LionOptions{}); break;
      case 3:
        optimizer = std::make_unique<optim::Adan>(p, optim::AdanOptions{.ema_decay = 0.99});
        break;
      default: optimizer = std::make_unique<optim::LARS>(p, optim::LARSOptions{.lr = 0.1}); break;
    }
  }
  /// All bits that a skipped step must not change, by name.
  std::map<std::string, std::string> all() const {
    std::map<std::string, std::string> m;
    for (const Parameter& p : net.named_parameters()) m["p." + p.name] = bits(p);
    for (const auto& [name, t] : optimizer->state_dict()) {
      if (name.rfind("clock.", 0) != 0) m[name] = bits(t);
    }
    m["applied"] = bits(optimizer->applied());
    return m;
  }
  void backward(std::uint64_t seed) {
    Generator g{seed};
    optimizer->zero_grad();
    const Tensor x = randn({8, 12}, {}, g);
    mean(square(net(x))).backward();
  }
};

TEST(Injection, one_bad_element_leaves_every_bit) {
  testing::Chance chance;
  const int count = testing::soak_count(150, 10000);
  constexpr int rules = 5;
  constexpr float bad[] = {std::numeric_limits<float>::quiet_NaN(),
                           std::numeric_limits<float>::infinity(),
                           -std::numeric_limits<float>::infinity()};
  for (int rule = 0; rule < rules; ++rule) {
    Watched w(rule);
    std::int64_t skipped = 0;
    for (int i = 0; i < count / rules; ++i) {
      w.backward(static_cast<std::uint64_t>(i));
      if (chance.below(4) == 0) {  // good steps in between: there is state to be damaged
        const auto before = w.all();
        w.optimizer->step();
        ASSERT_NE(w.all(), before);
        continue;
      }
      const auto parameters = w.net.parameters();
      Tensor gradient =
          parameters[static_cast<std::size_t>(chance.below(static_cast<int>(parameters.size())))]
              .grad();
      gradient.data<float>()[chance.below(static_cast<int>(gradient.numel()))] =
          bad[chance.below(3)];
      const auto before = w.all();
      w.optimizer->step();
      ASSERT_EQ(w.all(), before) << w.optimizer->name() << ", injection " << i << ", seed "
                                 << testing::soak_seed();
      ASSERT_EQ(w.optimizer->skipped().item<std::int64_t>(), ++skipped);
    }
  }
}

}  // namespace
}  // namespace gradus
