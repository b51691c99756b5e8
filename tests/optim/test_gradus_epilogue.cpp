// The step on raw pointers, through the C interface: the bits of the optimizer of our own.
#include <gtest/gtest.h>

#include <cmath>

#include "gradus/autograd/functions.h"
#include "gradus/kernels/create.h"
#include "gradus/kernels/split_master.h"
#include "gradus/optim/gradus_epilogue.h"
#include "gradus/optim/optim.h"
#include "gradus/tensor/stream.h"

namespace gradus {
namespace {

struct Foreign {
  std::vector<Tensor> weights, gradients, m, v, low, average;
  std::vector<gradus_epilogue_tensor> list;

  explicit Foreign(Device device) {
    for (const Shape& shape : {Shape{70, 33}, Shape{20001}}) {
      const Tensor w = cos(arange(shape.numel(), {Dtype::f32})).reshape(shape).to(device);
      weights.push_back(w);
      gradients.push_back(zeros_like(w));
      m.push_back(zeros_like(w));
      v.push_back(zeros_like(w));
      low.push_back(w.to(Dtype::bf16));
      average.push_back(w.clone());
      gradus_epilogue_tensor t{};
      t.weight = w.data();
      t.gradient = gradients.back().data();
      t.state[0] = m.back().data();
      t.state[1] = v.back().data();
      t.low = low.back().data();
      t.average = average.back().data();
      t.n = w.numel();
      t.weight_type = t.gradient_type = GRADUS_F32;
      t.low_type = GRADUS_BF16;
      t.decays = 1;
      list.push_back(t);
    }
  }
};

Tensor gradient_at(const Tensor& w, int step) {
  return sin(arange(w.numel(), {Dtype::f32}) * (0.01 * (step + 1))).reshape(w.shape());
}

gradus_epilogue_options adamw() {
  gradus_epilogue_options o{};
  o.rule = "adamw";
  o.constants[0] = 0.999;
  o.constants[1] = 1e-8;
  o.max_norm = 0.5;
  return o;
}

void expect_the_optimizers_bits(Device device) {
  Foreign f(device);
  std::vector<Tensor> own;
  for (const Tensor& w : f.weights) own.push_back(w.clone().set_requires_grad(true));
  optim::AdamW opt(own, {.lr = 1e-2, .weight_decay = 0.1, .max_grad_norm = 0.5, .ema_decay = 0.9});
  const gradus_epilogue_options options = adamw();
  gradus_epilogue_state state{};
  gradus_epilogue* e =
      gradus_epilogue_new(f.list.data(), 2, &options, device.is_cpu() ? -1 : device.index());
  ASSERT_NE(e, nullptr) << gradus_epilogue_error();
  for (int s = 0; s < 6; ++s) {
    opt.zero_grad();
    for (std::size_t i = 0; i < own.size(); ++i) {
      Tensor g = gradient_at(own[i], s).to(device);
      if (s == 3 && i == 1) g = g * INFINITY;  // skipped by both
      own[i].backward(g);
      f.gradients[i].copy_(g);
    }
    synchronize(device);
    opt.add_samples(3);
    opt.step();
    // Our average begins with a copy of the first step's weights.
    const gradus_epilogue_rates rates{1e-2, 0.9, 0.1, s == 0 ? 0 : 0.9};
    ASSERT_EQ(gradus_epilogue_add_samples(e, 3, nullptr), 0);
    ASSERT_EQ(gradus_epilogue_step(e, &rates, nullptr), 0) << gradus_epilogue_error();
    // The next gradients are written in another stream, which must not be ahead of this one.
    ASSERT_EQ(gradus_epilogue_read(e, &state), 0);
  }
  EXPECT_EQ(state.attempted, 6);
  EXPECT_EQ(state.applied, 5);
  EXPECT_EQ(state.finite, 1);
  EXPECT_EQ(state.norm, opt.grad_norm().item<double>());
  const auto averages = opt.ema_state_dict();
  for (std::size_t i = 0; i < own.size(); ++i) {
    EXPECT_EQ(f.weights[i].to_vector<float>(), own[i].detach().to_vector<float>());
    EXPECT_EQ(f.low[i].to(Dtype::f32).to_vector<float>(),
              own[i].detach().to(Dtype::bf16).to(Dtype::f32).to_vector<float>());
    EXPECT_EQ(f.average[i].to_vector<float>(), averages.at(std::to_string(i)).to_vector<float>());
  }
  gradus_epilogue_free(e);
}

TEST(GradusEpilogue, HasTheOptimizersBits) { expect_the_optimizers_bits(Device::cpu()); }

TEST(GradusEpilogue, HasTheOptimizersBitsOnADevice) {
  if (!cuda_available()) GTEST_SKIP() << "no CUDA device";
  expect_the_optimizers_bits(Device::cuda());
}

/// The same steps with the master split into `low` and a remainder.
TEST(GradusEpilogue, ASplitMasterHasTheBitsOfAWholeOne) {
  std::vector<Device> devices = {Device::cpu()};
  if (cuda_available()) devices.push_back(Device::cuda());
  for (const Device device : devices) {
    Foreign whole(device), split(device);
    const gradus_epilogue_options options = adamw();
    std::vector<Tensor> remainders;
    for (std::size_t i = 0; i < 2; ++i) {
      whole.weights[i].copy_(whole.low[i]);  // both begin as the bf16
      remainders.push_back(zeros({2 * whole.weights[i].numel()}, {Dtype::u8, device}));
      split.list[i].weight = nullptr;
      split.list[i].remainder = static_cast<std::uint16_t*>(remainders[i].data());
    }
    const int index = device.is_cpu() ? -1 : device.index();
    gradus_epilogue* a = gradus_epilogue_new(whole.list.data(), 2, &options, index);
    gradus_epilogue* b = gradus_epilogue_new(split.list.data(), 2, &options, index);
    ASSERT_NE(b, nullptr) << gradus_epilogue_error();
    const gradus_epilogue_rates rates{1e-2, 0.9, 0.1, 0.9};
    for (int s = 0; s < 5; ++s) {
      for (std::size_t i = 0; i < 2; ++i) {
        const Tensor g = gradient_at(whole.weights[i], s).to(device);
        whole.gradients[i].copy_(g);
        split.gradients[i].copy_(g);
      }
      synchronize(device);
      ASSERT_EQ(gradus_epilogue_step(a, &rates, nullptr), 0) << gradus_epilogue_error();
      ASSERT_EQ(gradus_epilogue_step(b, &rates, nullptr), 0) << gradus_epilogue_error();
      gradus_epilogue_state state;
      ASSERT_EQ(gradus_epilogue_read(a, &state), 0);
      ASSERT_EQ(gradus_epilogue_read(b, &state), 0);
    }
    for (std::size_t i = 0; i < 2; ++i) {
      const std::vector<float> weights = whole.weights[i].to_vector<float>();
      const Tensor low = split.low[i].to(Device::cpu()), rest = remainders[i].to(Device::cpu());
      const auto* remainder = static_cast<const std::uint16_t*>(rest.data());
      for (std::size_t k = 0; k < weights.size(); ++k)
        ASSERT_EQ(join_float(low.data<bf16>()[k], remainder[k]), weights[k]) << k;
      EXPECT_EQ(split.average[i].to_vector<float>(), whole.average[i].to_vector<float>());
    }
    gradus_epilogue_free(a);
    gradus_epilogue_free(b);
  }
}

TEST(GradusEpilogue, SaysWhatIsWrong) {
  Foreign f(Device::cpu());
  gradus_epilogue_options o = adamw();
  const auto refused = [&](const char* part) {
    EXPECT_EQ(gradus_epilogue_new(f.list.data(), 2, &o, -1), nullptr);
    EXPECT_NE(std::string(gradus_epilogue_error()).find(part), std::string::npos)
        << gradus_epilogue_error();
  };
  o.rule = "adamv";
  refused("there is no rule \"adamv\"; there are: sgd");
  o = adamw();
  f.list[1].state[1] = nullptr;
  refused("tensor 1: this rule needs 2 state tensors");
  f = Foreign(Device::cpu());
  f.list[0].weight_type = GRADUS_BF16;
  refused("tensor 0: a weight is f32 or f64");
  f = Foreign(Device::cpu());
  std::uint16_t remainder[1];
  f.list[0].remainder = remainder;
  refused("tensor 0: `remainder` goes with a bf16 `low`");
  f = Foreign(Device::cpu());
  gradus_epilogue* e = gradus_epilogue_new(f.list.data(), 2, &o, -1);
  f.list[0].n = 5;
  EXPECT_EQ(gradus_epilogue_set_tensors(e, f.list.data()), -1);
  EXPECT_EQ(gradus_epilogue_set_tensors(e, nullptr), -1);
  EXPECT_EQ(gradus_epilogue_set_tensors(nullptr, f.list.data()), -1);
  gradus_epilogue_free(e);
  gradus_epilogue_free(nullptr);
}

TEST(GradusEpilogue, RefusedTensorsLeaveThoseBeforeInPlace) {
  Foreign f(Device::cpu()), other(Device::cpu());
  const gradus_epilogue_options o = adamw();
  gradus_epilogue* e = gradus_epilogue_new(f.list.data(), 2, &o, -1);
  other.list[1].state[1] = nullptr;  // the first one is good
  ASSERT_EQ(gradus_epilogue_set_tensors(e, other.list.data()), -1);
  for (Tensor& g : f.gradients) g.fill_(1);
  const gradus_epilogue_rates rates{1e-2, 0.9, 0.1, 0.9};
  const float own = f.weights[0].data<float>()[0], others = other.weights[0].data<float>()[0];
  ASSERT_EQ(gradus_epilogue_add_samples(e, 1, nullptr), 0);
  ASSERT_EQ(gradus_epilogue_step(e, &rates, nullptr), 0);
  EXPECT_NE(f.weights[0].data<float>()[0], own);
  EXPECT_EQ(other.weights[0].data<float>()[0], others);
  gradus_epilogue_free(e);
}

}  // namespace
}  // namespace gradus
