// [optim]: every rule of the library from a configuration, with the options it says, and clipping.
#include <cmath>

#include "gradus/autograd/functions.h"
#include "gradus/optim/optim.h"
#include "gradus/tests/trainer/digits.h"

namespace gradus::trainer {
namespace {

Config config_of(const std::vector<std::string>& settings) {
  return parse_config(digits(), "a.toml", ".", settings);
}

/// A weight after three steps with gradients 0.5, -0.1 and 0.3 (times 1 ... n).
std::vector<float> moved(const std::function<std::unique_ptr<optim::Optimizer>(Tensor)>& make,
                         const Shape& shape) {
  const Tensor w = arange(1, 5).to(Dtype::f32).reshape(shape).clone();
  w.set_requires_grad(true);
  const auto optimizer = make(w);
  for (const double g : {0.5, -0.1, 0.3}) {
    optimizer->zero_grad();
    w.set_grad((arange(1, 5).to(Dtype::f32) * g).reshape(shape));
    optimizer->step();
  }
  return w.to_vector<float>();
}

std::vector<float> by_config(const std::vector<std::string>& settings, const Shape& shape = {4}) {
  std::vector<std::string> all = {"optim.lr=0.01", "optim.weight_decay=0.1", "optim.ema_decay=0",
                                  "optim.decay_by_role=false", "optim.max_grad_norm=0"};
  all.insert(all.end(), settings.begin(), settings.end());
  const Config config = config_of(all);
  return moved(
      [&](const Tensor& w) {
        return make_optimizer(config, {{"main", optim::Parameters({w}), {}}}, {});
      },
      shape);
}
template <class Rule, class Options>
std::vector<float> by_hand(const Options& options, const Shape& shape = {4}) {
  return moved(
      [&](const Tensor& w) -> std::unique_ptr<optim::Optimizer> {
        return std::make_unique<Rule>(optim::Parameters({w}), options);
      },
      shape);
}

TEST(OptimizersOfAConfiguration, AreTheLibrarysWithTheSameOptions) {
  using namespace optim;
  EXPECT_EQ(by_config({"optim.type=sgd", "optim.momentum=0.9", "optim.dampening=0.5"}),
            (by_hand<SGD>(
                SGDOptions{.lr = 0.01, .momentum = 0.9, .dampening = 0.5, .weight_decay = 0.1})));
  EXPECT_EQ(by_config({"optim.type=sgd", "optim.momentum=0.9", "optim.nesterov=true"}),
            (by_hand<SGD>(
                SGDOptions{.lr = 0.01, .momentum = 0.9, .weight_decay = 0.1, .nesterov = true})));
  EXPECT_EQ(by_config({"optim.type=adam", "optim.betas=[0.8, 0.9]", "optim.eps=1e-3"}),
            (by_hand<Adam>(
                AdamOptions{.lr = 0.01, .betas = {0.8, 0.9}, .eps = 1e-3, .weight_decay = 0.1})));
  EXPECT_EQ(
      by_config(
          {"optim.type=rmsprop", "optim.alpha=0.8", "optim.centered=true", "optim.momentum=0.5"}),
      (by_hand<RMSprop>(RMSpropOptions{
          .lr = 0.01, .alpha = 0.8, .weight_decay = 0.1, .momentum = 0.5, .centered = true})));
  EXPECT_EQ(
      by_config({"optim.type=adagrad", "optim.lr_decay=0.1", "optim.initial_accumulator=2"}),
      (by_hand<Adagrad>(AdagradOptions{
          .lr = 0.01, .lr_decay = 0.1, .weight_decay = 0.1, .initial_accumulator_value = 2})));
  EXPECT_EQ(by_config({"optim.type=lars", "optim.eta=0.01"}),
            (by_hand<LARS>(LARSOptions{.lr = 0.01, .weight_decay = 0.1, .eta = 0.01})))
      << "with LARS's own momentum, 0.9";
  EXPECT_EQ(by_config({"optim.type=lion"}),
            (by_hand<Lion>(LionOptions{.lr = 0.01, .weight_decay = 0.1})));
  EXPECT_EQ(by_config({"optim.type=lamb"}),
            (by_hand<LAMB>(LAMBOptions{.lr = 0.01, .weight_decay = 0.1})));
  EXPECT_EQ(by_config({"optim.type=muon"}, {2, 2}),
            (by_hand<Muon>(MuonOptions{.lr = 0.01}, {2, 2})))
      << "with Muon's own momentum, eps and Nesterov";
  EXPECT_EQ(by_config({"optim.type=muon", "optim.nesterov=false", "optim.momentum=0.5",
                       "optim.ns_steps=3", "optim.adjust_lr=match_rms_adamw", "optim.eps=0.1"},
                      {2, 2}),
            (by_hand<Muon>(MuonOptions{.lr = 0.01,
                                       .momentum = 0.5,
                                       .nesterov = false,
                                       .eps = 0.1,
                                       .ns_steps = 3,
                                       .adjust_lr = MuonRate::match_rms_adamw},
                           {2, 2})));
  EXPECT_EQ(by_config({"optim.type=adan", "optim.no_prox=true"}),
            (by_hand<Adan>(AdanOptions{.lr = 0.01, .weight_decay = 0.1, .no_prox = true})));
}

TEST(OptimizersOfAConfiguration, ClipByValueAndByTheLargestMagnitude) {
  const std::vector<std::string> sgd = {"optim.type=sgd", "optim.weight_decay=0", "optim.lr=1"};
  const auto with = [&](std::vector<std::string> more) {
    more.insert(more.begin(), sgd.begin(), sgd.end());
    return by_config(more);
  };
  // Gradients are g (1, 2, 3, 4): by value each of them is cut alone.
  EXPECT_EQ(with({"optim.max_grad_value=0.25"}),
            (std::vector<float>{1 - 0.25f + 0.1f - 0.25f, 2 - 0.25f + 0.2f - 0.25f,
                                3 - 0.25f + 0.25f - 0.25f, 4 - 0.25f + 0.25f - 0.25f}));
  // By the largest magnitude, 4 g, all of them by the same factor.
  const auto inf = with({"optim.max_grad_norm=0.4", "optim.grad_norm_type=infinity"});
  for (int i = 0; i < 4; ++i) {
    const double x = i + 1;
    EXPECT_NEAR(inf[static_cast<std::size_t>(i)], x - 0.1 * x + 0.1 * x - 0.1 * x, 1e-5) << i;
  }
}

TEST(OptimizersOfAConfiguration, ClipByAQuantileOfTheLastNorms) {
  // Norms of g (1, 2, 3, 4) are |g| sqrt(30). The third step clips at the median of the first two.
  const auto w = by_config({"optim.type=sgd", "optim.weight_decay=0", "optim.lr=1",
                            "optim.dynamic_clip={quantile=0.5, window=5, after=2, factor=0.5}"});
  const double clipped = 0.5 * (0.5 + 0.1) / 2;  // of 0.3
  for (int i = 0; i < 4; ++i) {
    const double x = i + 1;
    EXPECT_NEAR(w[static_cast<std::size_t>(i)], x - 0.5 * x + 0.1 * x - clipped * x, 1e-5) << i;
  }
}

TEST(OptimizersOfAConfiguration, RefuseWhatDoesNotFit) {
  const auto error = [](const std::vector<std::string>& settings) -> std::string {
    try {
      by_config(settings);
    } catch (const Error& e) {
      return e.what();
    }
    return "none";
  };
  EXPECT_NE(error({"optim.type=adan", "optim.betas=[0.9, 0.99]"}).find("expected a list of 3"),
            std::string::npos);
  EXPECT_NE(error({"optim.type=sgd", "optim.nesterov=true"}).find("nesterov needs a momentum"),
            std::string::npos);
  EXPECT_NE(error({"optim.dynamic_clip={quantile=0.9, window=10, after=20}"})
                .find("optim.dynamic_clip.after"),
            std::string::npos);
}

}  // namespace
}  // namespace gradus::trainer
