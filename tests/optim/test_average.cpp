// Moving averages: their recurrence, what they cover, and the swap.
#include <limits>
#include <stdexcept>

#include "gradus/tests/optim/reference.h"

namespace gradus {
namespace {

using namespace optim_reference;
using optim::AdamW;
using optim::SGD;

TEST(Average, AdaptiveDecayIsItsFormula) {
  const Tensor a = leaf(start_a), b = leaf(start_b);
  SGD opt({a, b}, {.lr = 0.01, .ema_decay = 0.95, .ema_adaptive = true});
  std::vector<double> average = values_of(a, b);
  for (int s = 0; s < 1000; ++s) {
    set_gradients(a, b, s);
    opt.step();
    const double t = s + 1, decay = std::min(0.95, (1 + t) / (10 + t));  // first 2/11
    const std::vector<double> w = values_of(a, b);
    for (std::size_t i = 0; i < w.size(); ++i) average[i] = decay * average[i] + (1 - decay) * w[i];
  }
  const optim::AverageGuard guard = opt.ema();
  const std::vector<double> got = values_of(a, b);
  for (std::size_t i = 0; i < got.size(); ++i)
    EXPECT_NEAR(got[i], average[i], 1e-12 * std::abs(average[i]));
}

TEST(Average, TheFirstConstantUpdateCopies) {
  const Tensor a = leaf({5}, Dtype::f32);
  SGD opt({a}, {.lr = 1, .ema_decay = 0.999});
  set_gradient(a, {1});
  opt.step();
  EXPECT_EQ(opt.ema_state_dict().at("0").item<float>(), 4);
}

TEST(Average, TheSwapExchangesValuesAndLeavesAddresses) {
  const Tensor a = leaf({1, 2, 3}, Dtype::f32);
  SGD opt({a}, {.lr = 1, .ema_decay = 0.5});
  for (int s = 0; s < 2; ++s) {
    set_gradient(a, {1, 1, 1});
    opt.step();
  }
  const void* address = a.data();
  {
    const optim::AverageGuard guard = opt.ema();
    EXPECT_TRUE(guard.averaged());
    EXPECT_EQ(a.to_vector<double>(), (std::vector<double>{-0.5, 0.5, 1.5}));
    EXPECT_EQ(a.data(), address);
    EXPECT_THROW(opt.step(), Error);
    EXPECT_THROW((void)opt.ema(), Error);
    EXPECT_THROW((void)opt.state_dict(), Error);
    EXPECT_THROW(opt.load_state_dict({}), Error);
  }
  EXPECT_EQ(a.to_vector<double>(), (std::vector<double>{-1, 0, 1}));
  try {
    const optim::AverageGuard guard = opt.ema();
    throw std::runtime_error("validation failed");
  } catch (const std::runtime_error&) {
  }
  EXPECT_EQ(a.to_vector<double>(), (std::vector<double>{-1, 0, 1}));
  opt.step();
}

TEST(Average, BeforeTheFirstAppliedStepTheLiveWeightsAreUsed) {
  const Tensor a = leaf({1}, Dtype::f32);
  SGD opt({a}, {.lr = 1, .ema_decay = 0.5});
  {
    const NoGrad guard;
    a.fill_(7);  // loaded after the optimizer was made
  }
  {
    const optim::AverageGuard guard = opt.ema();
    EXPECT_FALSE(guard.averaged());
    EXPECT_EQ(a.item<float>(), 7);
    EXPECT_THROW(opt.step(), Error);
  }
  EXPECT_EQ(opt.ema_state_dict().at("0").item<float>(), 7);
  SGD without({leaf({1})}, {.lr = 1});
  EXPECT_THROW((void)without.ema(), Error);
}

TEST(Average, BuffersGoByTheirRole) {
  const Tensor a = leaf({0}, Dtype::f32);
  const Tensor mean = zeros({2}), vector = zeros({2}), count = zeros({}, {Dtype::i64});
  const std::vector<Parameter> buffers = {{mean, "bn.running_mean", Role::running_statistic},
                                          {count, "bn.num_batches_tracked", Role::counter},
                                          {vector, "sn.u", Role::power_iteration}};
  SGD opt({a}, {.lr = 1, .ema_decay = 0.5});
  opt.track(buffers);
  for (int s = 1; s <= 3; ++s) {
    mean.fill_(8 * s);
    vector.fill_(s);
    count.fill_(s);
    set_gradient(a, {0});
    opt.step();
  }
  const auto averages = opt.ema_state_dict();
  EXPECT_EQ(averages.size(), 3u);  // the weight, the mean, the counter
  EXPECT_EQ(averages.at("bn.running_mean").to_vector<double>(), (std::vector<double>{18, 18}));
  EXPECT_EQ(averages.at("bn.num_batches_tracked").item<std::int64_t>(), 3);
  {
    const optim::AverageGuard guard = opt.ema();
    EXPECT_EQ(mean.to_vector<double>(), (std::vector<double>{18, 18}));
    EXPECT_EQ(vector.to_vector<double>(), (std::vector<double>{3, 3}));
    EXPECT_EQ(count.item<std::int64_t>(), 3);
  }
  EXPECT_EQ(mean.to_vector<double>(), (std::vector<double>{24, 24}));
}

TEST(Average, CopiedStatisticsAreThoseOfTheLastAppliedStep) {
  const Tensor a = leaf({0}, Dtype::f32);
  const Tensor mean = zeros({2});
  SGD opt({a}, {.lr = 1, .ema_decay = 0.5});
  opt.track(std::vector<Parameter>{{mean, "mean", Role::running_statistic}}, true);
  mean.fill_(3);
  set_gradient(a, {0});
  opt.step();
  mean.fill_(4);
  set_gradient(a, {std::numeric_limits<double>::infinity()});
  opt.step();
  EXPECT_EQ(opt.ema_state_dict().at("mean").to_vector<double>(), (std::vector<double>{3, 3}));
}

TEST(Average, AParameterWithoutAGradientIsAveragedToo) {
  const Tensor a = leaf({0}, Dtype::f32), idle = leaf({8}, Dtype::f32);
  SGD opt({a, idle}, {.lr = 1, .ema_decay = 0.5});
  set_gradient(a, {0});
  opt.step();
  {
    const NoGrad guard;
    idle.fill_(16);
  }
  opt.step();
  EXPECT_EQ(idle.item<float>(), 16);
  EXPECT_EQ(opt.ema_state_dict().at("1").item<float>(), 12);
}

TEST(Average, ATeacherFollowsWithItsOwnCoefficient) {
  const Tensor student = leaf({0}),
               teacher = from_data(std::vector<double>{100}.data(), {1}, {Dtype::f64});
  SGD opt({student}, {.lr = 1, .ema_decay = 0.9});
  opt.teach({teacher}, optim::schedule::lambda([](std::int64_t s) { return s == 0 ? 0.5 : 0.75; }));
  set_gradient(student, {-8});
  opt.step();
  EXPECT_EQ(teacher.item<double>(), 54);  // halfway to 8
  set_gradient(student, {std::numeric_limits<double>::infinity()});
  opt.step();
  EXPECT_EQ(teacher.item<double>(), 54);
  set_gradient(student, {-8});
  opt.step();
  EXPECT_EQ(teacher.item<double>(), 54 + 0.25 * (16 - 54));
  EXPECT_THROW(opt.teach({}, {}), Error);
  EXPECT_THROW(opt.teach({zeros({2}, {Dtype::f64})}, {}), Error);
}

}  // namespace
}  // namespace gradus
