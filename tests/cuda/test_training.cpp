// Training on the device: the optimizer's state, clock and schedule live there, and the host waits
// for nothing.
#include <gtest/gtest.h>

#include <memory>

#include "gradus/autograd/functions.h"
#include "gradus/kernels/create.h"
#include "gradus/kernels/random.h"
#include "gradus/nn/nn.h"
#include "gradus/optim/optim.h"
#include "gradus/tensor/stream.h"
#include "gradus/tests/cuda/cuda_test.h"

namespace gradus {
namespace {

using CudaTraining = testing::CudaTest;

using testing::device;

std::vector<double> values(const Tensor& t) {
  return t.detach().to(Dtype::f64).to_vector<double>();
}

Tensor numbers(const Shape& shape, std::uint64_t seed) {
  const Tensor t = empty(shape);
  cpu::normal({.seed = seed}, 0, 1, t);
  return t;
}

/// False under a sanitizer, where every block is asked for and given back alone.
bool memory_is_kept() {
  const auto ask = [] { empty({8}, {Dtype::f32, device}); };
  ask();
  const std::int64_t asked = memory_stats(device).system_calls;
  ask();
  return memory_stats(device).system_calls == asked;
}

using Make = std::unique_ptr<optim::Optimizer> (*)(const optim::Parameters&);

template <class Optimizer, class Options>
std::unique_ptr<optim::Optimizer> with(const optim::Parameters& parameters, Options options) {
  options.max_grad_norm = 0.5;
  options.ema_decay = 0.9;
  options.schedule = optim::schedule::warmup(5, optim::schedule::cosine(40));
  options.loss_scale = optim::LossScale{.init = 8, .interval = 7};
  return std::make_unique<Optimizer>(parameters, options);
}

const std::pair<const char*, Make> rules[] = {
    {"sgd",
     [](const optim::Parameters& p) { return with<optim::SGD>(p, optim::SGDOptions{.lr = 0.1}); }},
    {"momentum",
     [](const optim::Parameters& p) {
       return with<optim::SGD>(p, optim::SGDOptions{.lr = 0.1, .momentum = 0.9, .nesterov = true});
     }},
    {"adam", [](const optim::Parameters& p) { return with<optim::Adam>(p, optim::AdamOptions{}); }},
    {"adamw",
     [](const optim::Parameters& p) { return with<optim::AdamW>(p, optim::AdamWOptions{}); }},
    {"lion", [](const optim::Parameters& p) { return with<optim::Lion>(p, optim::LionOptions{}); }},
    {"adan", [](const optim::Parameters& p) { return with<optim::Adan>(p, optim::AdanOptions{}); }},
    {"rmsprop",
     [](const optim::Parameters& p) {
       return with<optim::RMSprop>(p, optim::RMSpropOptions{.momentum = 0.9, .centered = true});
     }},
    {"adagrad",
     [](const optim::Parameters& p) { return with<optim::Adagrad>(p, optim::AdagradOptions{}); }},
    {"lamb", [](const optim::Parameters& p) { return with<optim::LAMB>(p, optim::LAMBOptions{}); }},
    {"lars",
     [](const optim::Parameters& p) {
       return with<optim::LARS>(p, optim::LARSOptions{.lr = 0.1, .momentum = 0.9});
     }},
};

/// 15 steps with given gradients, of which one is not finite.
std::map<std::string, Tensor> after_steps(Make make, Device on) {
  std::vector<Tensor> leaves;
  std::uint64_t seed = 1;
  for (const Shape& shape : {Shape{30, 70}, Shape{70}, Shape{5, 4001}}) {
    Tensor p = numbers(shape, seed++).to(on);
    p.set_requires_grad(true);
    leaves.push_back(p);
  }
  const auto opt = make(leaves);
  for (int s = 0; s < 15; ++s) {
    opt->zero_grad();
    for (std::size_t i = 0; i < leaves.size(); ++i) {
      const Tensor g = numbers(leaves[i].shape(), 100 + 10 * std::uint64_t(s) + i);
      if (s == 11 && i == 1) g.view({-1})[3].fill_(INFINITY);
      leaves[i].backward(g.to(on) * 0.1);
    }
    opt->add_samples(2);
    opt->step();
  }
  std::map<std::string, Tensor> result = opt->state_dict();
  for (std::size_t i = 0; i < leaves.size(); ++i) result["p" + std::to_string(i)] = leaves[i];
  EXPECT_EQ(opt->applied().item<std::int64_t>(), 14);
  EXPECT_EQ(opt->non_finite_parameters(), std::vector<std::string>{"1"});
  return result;
}

/// Of Muon: its matrix products are a library's, whose order of summation is its own.
TEST_F(CudaTraining, MuonFollowsTheCpu) {
  const auto after = [](Device on) {
    const Tensor w = numbers({30, 70}, 1).to(on);
    w.set_requires_grad(true);
    optim::Muon opt({w}, {.lr = 0.1, .ema_decay = 0.9});
    for (int s = 0; s < 6; ++s) {
      Tensor g = numbers({30, 70}, 10 + std::uint64_t(s));
      if (s == 4) g.view({-1})[3].fill_(INFINITY);  // skipped
      w.set_grad(g.to(on));
      opt.step();
    }
    EXPECT_EQ(opt.applied().item<std::int64_t>(), 5);
    return values(w.detach());
  };
  const auto cpu = after(Device::cpu()), cuda = after(device);
  ASSERT_EQ(cpu.size(), cuda.size());
  for (std::size_t i = 0; i < cpu.size(); ++i) EXPECT_NEAR(cpu[i], cuda[i], 2e-4) << i;
}

TEST_F(CudaTraining, EveryRuleHasTheCpusBits) {
  for (const auto& [name, make] : rules) {
    const auto cpu = after_steps(make, Device::cpu()), cuda = after_steps(make, device);
    ASSERT_EQ(cpu.size(), cuda.size());
    for (const auto& [key, t] : cpu)
      EXPECT_EQ(values(t), values(cuda.at(key))) << name << ": " << key;
  }
}

struct Net : nn::Module {
  nn::Conv2d conv{1, 8, 3, {.padding = 1}};
  nn::BatchNorm2d norm{8};
  nn::Linear fc1{8 * 16, 32};
  nn::Dropout drop{0.1};
  nn::Linear fc2{32, 10};
  Tensor forward(const Tensor& x) override {  // (N, 1, 8, 8) -> (N, 10)
    const Tensor h = max_pool2d(relu(norm(conv(x))), 2).flatten(1);
    return fc2(drop(relu(fc1(h))));
  }
  void visit(nn::Visitor& v) override {
    v("conv", conv);
    v("norm", norm);
    v("fc1", fc1);
    v("drop", drop);
    v("fc2", fc2);
  }
};

/// The losses of a small network on `on`.
std::vector<double> train(Device on, int steps) {
  manual_seed(3);
  Net net;
  const Tensor x = numbers({20, 1, 8, 8}, 9).to(on);
  const Tensor y = remainder(arange(20), 10).to(Dtype::i64).to(on);
  net.to(on);
  optim::AdamW opt(net.parameters(), {.lr = 1e-2, .max_grad_norm = 1, .ema_decay = 0.9});
  opt.track(net.named_buffers());
  std::vector<double> losses;
  for (int s = 0; s < steps; ++s) {
    opt.zero_grad();
    const Tensor loss = cross_entropy(net(x), y);
    loss.backward();
    opt.step();
    losses.push_back(loss.item<double>());
  }
  return losses;
}

TEST_F(CudaTraining, ANetworkLearnsAsOnTheCpu) {
  const std::vector<double> cpu = train(Device::cpu(), 12), cuda = train(device, 12);
  EXPECT_LT(cuda.back(), 0.5 * cuda.front());
  for (std::size_t i = 0; i < cpu.size(); ++i) EXPECT_NEAR(cuda[i], cpu[i], 2e-4 * cpu[i]) << i;
  EXPECT_EQ(cuda, train(device, 12));
}

TEST_F(CudaTraining, AWarmStepWaitsForNothingAndAsksForNoMemory) {
  Net net;
  net.to(device);
  const Tensor x = numbers({20, 1, 8, 8}, 9).to(device);
  const Tensor y = remainder(arange(20), 10).to(Dtype::i64).to(device);
  optim::AdamW opt(
      net.parameters(),
      {.schedule = optim::schedule::cosine(500), .max_grad_norm = 1, .ema_decay = 0.9});
  opt.track(net.named_buffers());
  const auto step = [&] {
    opt.zero_grad();
    cross_entropy(net(x), y).backward();
    opt.step();
  };
  for (int s = 0; s < 3; ++s) step();
  synchronize(device);
  const std::int64_t launched = launches(device), waited = synchronizations(device);
  const std::int64_t asked = memory_stats(device).system_calls;
  step();
  const std::int64_t of_one = launches(device) - launched;
  for (int s = 0; s < 9; ++s) step();
  EXPECT_EQ(launches(device) - launched, 10 * of_one);
  EXPECT_EQ(synchronizations(device), waited);
  if (memory_is_kept()) {
    EXPECT_EQ(memory_stats(device).system_calls, asked);
  }
}

TEST_F(CudaTraining, AStepIsThreeLaunches) {
  Net net;
  net.to(device);
  optim::AdamW opt(net.parameters(), {.max_grad_norm = 1, .ema_decay = 0.9});
  const auto backward = [&] {
    opt.zero_grad();
    for (const Parameter& p : net.parameters()) sum(p).backward();
  };
  backward();
  opt.step();
  backward();
  const std::int64_t before = launches(device);
  opt.step();
  EXPECT_EQ(launches(device) - before, 3);
}

TEST_F(CudaTraining, AverageAndStateMoveBetweenDevices) {
  manual_seed(3);
  Net here, there;
  nn::load_state_dict(there, nn::state_dict(here));
  there.to(device);
  optim::AdamW on_cpu(here.parameters(), {.ema_decay = 0.9}),
      on_cuda(there.parameters(), {.ema_decay = 0.9});
  for (int s = 0; s < 3; ++s) {
    on_cuda.zero_grad();
    sum(square(there.fc1.weight)).backward();
    on_cuda.step();
  }
  on_cpu.load_state_dict(on_cuda.state_dict());
  EXPECT_EQ(on_cpu.applied().item<std::int64_t>(), 3);
  nn::load_state_dict(here, nn::state_dict(there));
  EXPECT_EQ(values(here.fc1.weight), values(there.fc1.weight));
  const auto live = values(there.fc1.weight);
  std::vector<double> averaged;
  {
    const auto guard = on_cuda.ema();
    averaged = values(there.fc1.weight);
  }
  EXPECT_EQ(values(there.fc1.weight), live);
  EXPECT_NE(averaged, live);
  {
    const auto guard = on_cpu.ema();
    EXPECT_EQ(values(here.fc1.weight), averaged);
  }
}

TEST_F(CudaTraining, ClipGradNormScalesWithoutAWait) {
  const Tensor g = numbers({1000}, 4);
  Tensor a = zeros({1000}), b = zeros({1000}, {Dtype::f32, device});
  a.set_requires_grad(true);
  b.set_requires_grad(true);
  a.backward(g);
  b.backward(g.to(device));
  synchronize(device);
  const std::int64_t waited = synchronizations(device);
  const Tensor cuda = optim::clip_grad_norm_({b}, 1);
  EXPECT_EQ(synchronizations(device), waited);
  EXPECT_EQ(optim::clip_grad_norm_({a}, 1).item<double>(), cuda.item<double>());
  EXPECT_EQ(values(a.grad()), values(b.grad()));
}

}  // namespace
}  // namespace gradus
