// Spectral normalisation beyond what test_fixtures.cpp compares with PyTorch.
#include <gtest/gtest.h>

#include "gradus/autograd/functions.h"
#include "gradus/autograd/gradcheck.h"
#include "gradus/nn/nn.h"
#include "gradus/nn/spectral_norm.h"

namespace gradus::nn {
namespace {

using utils::spectral_norm;
constexpr TensorOptions f64{.dtype = Dtype::f64};

std::vector<std::string> keys_of(const Module& module) {
  std::vector<std::string> keys;
  for (const auto& [key, t] : state_dict(module)) keys.push_back(key);
  return keys;
}

/// A module with a weight of its own and a layer below it.
struct Gated : Module {
  Tensor weight = randn({4, 4}, {.dtype = Dtype::f64, .requires_grad = true});
  Linear inner{4, 4, true, f64};
  Tensor forward(const Tensor& x) override { return inner(linear(x, weight)); }
  void visit(Visitor& v) override {
    v("weight", weight, Role::norm);
    v("inner", inner);
  }
};

TEST(SpectralNorm, LargestSingularValueBecomesOne) {
  manual_seed(3);
  auto layer = spectral_norm(Conv2d(3, 5, 2, {}, f64));
  const Tensor x = randn({1, 3, 4, 4}, f64);
  for (int i = 0; i < 300; ++i) layer(x);
  EXPECT_NEAR(svdvals(layer.weight.reshape({5, -1}))[0].item<double>(), 1, 1e-9);
  EXPECT_FALSE(layer.weight.requires_grad()) << "what is left to be read holds no graph";
}

TEST(SpectralNorm, OnlyTrainingMovesTheVectors) {
  auto layer = spectral_norm(Linear(4, 3));
  const Tensor x = randn({2, 4});
  const auto buffers = layer.named_buffers();
  ASSERT_EQ(buffers.size(), 2u);
  for (const Parameter& b : buffers) EXPECT_EQ(b.role, Role::power_iteration) << b.name;
  const auto before = buffers[0].to_vector<float>();
  layer.eval();
  layer(x);
  EXPECT_EQ(buffers[0].to_vector<float>(), before);
  layer.train();
  layer(x);
  EXPECT_NE(buffers[0].to_vector<float>(), before);
}

TEST(SpectralNorm, TwoPassesCanBeDifferentiatedTogether) {
  auto layer = spectral_norm(Linear(4, 3));
  const Tensor a = randn({2, 4}), b = randn({2, 4});
  (layer(a) * layer(b)).sum().backward();
  for (const Parameter& p : layer.parameters()) EXPECT_TRUE(p.grad().defined()) << p.name;
}

TEST(SpectralNorm, GradientAgreesWithDifferences) {
  const utils::SpectralWeight weight(randn({3, 2, 2}, f64), 1, 1e-12, 1);
  gradcheck(
      [&](const std::vector<Tensor>& in) {
        utils::SpectralWeight w = weight;
        w.original = in[0];
        return w.normalised(false);
      },
      {weight.original.detach().clone().set_requires_grad(true)});
}

TEST(SpectralNorm, ModulesBelowStayMembers) {
  auto module = spectral_norm(Gated());
  EXPECT_EQ(keys_of(module), (std::vector<std::string>{"inner.weight", "inner.bias", "weight_orig",
                                                       "weight_u", "weight_v"}));
  EXPECT_EQ(module.parameters().back().name, "weight_orig");
  EXPECT_EQ(module.parameters().back().role, Role::norm);
  module.eval();
  EXPECT_FALSE(module.inner.is_training());
  EXPECT_EQ(module(randn({2, 4}, f64)).shape(), Shape({2, 4}));
}

TEST(SpectralNorm, CopiesShareNothing) {
  auto layer = spectral_norm(Linear(4, 3));
  auto copy = clone(layer);
  const Tensor x = randn({2, 4});
  const auto before = state_dict(layer).at("weight_u").to_vector<float>();
  copy(x);
  EXPECT_EQ(state_dict(layer).at("weight_u").to_vector<float>(), before);
  Sequential held{layer, ReLU()};
  held.to(Dtype::f64);
  EXPECT_EQ(held(randn({2, 4}, f64)).dtype(), Dtype::f64);
  EXPECT_EQ(keys_of(held)[1], "0.weight_orig");
}

TEST(SpectralNorm, RemovedItLeavesTheWeightOfEvaluation) {
  auto layer = spectral_norm(Linear(4, 3));
  const Tensor x = randn({2, 4});
  layer(x);
  const Linear plain = utils::remove_spectral_norm(layer);
  layer.eval();
  EXPECT_EQ(linear(x, plain.weight, plain.bias).to_vector<float>(), layer(x).to_vector<float>());
  EXPECT_EQ(keys_of(plain), (std::vector<std::string>{"weight", "bias"}));
  EXPECT_TRUE(plain.weight.requires_grad());
}

TEST(SpectralNorm, WrongArgumentsAreRefused) {
  const auto text_of_error = [](auto&& f) -> std::string {
    try {
      f();
    } catch (const Error& e) {
      return e.what();
    }
    return "no error";
  };
  EXPECT_EQ(text_of_error([] { spectral_norm(Linear(2, 2), "kernel"); }),
            "spectral_norm: the module has no tensor \"kernel\" of its own");
  EXPECT_EQ(text_of_error([] { spectral_norm(Linear(2, 2), "weight", 0); }),
            "spectral_norm: n_power_iterations must be positive, got 0");
  EXPECT_EQ(text_of_error([] { spectral_norm(Linear(2, 2), "weight", 1, 1e-12, 2); }),
            "spectral_norm: dimension 2 of a weight of shape (2, 2)");
  EXPECT_EQ(text_of_error([] { spectral_norm(spectral_norm(Linear(2, 2))); }),
            "spectral_norm: the module has no tensor \"weight\" of its own");
}

}  // namespace
}  // namespace gradus::nn
