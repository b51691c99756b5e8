// Loss curves of an MLP, a CNN with batch norm and a transformer against PyTorch's in f64, from the
// same weights and data: every step's loss within 1e-9. tests/oracle/make_curves.py wrote them.
#include <gtest/gtest.h>

#include <cmath>

#include "gradus/autograd/functions.h"
#include "gradus/nn/nn.h"
#include "gradus/optim/optim.h"
#include "gradus/tensor/safetensors.h"

namespace gradus {
namespace {

struct Encoder : nn::Module {
  nn::TransformerEncoderLayer layer{
      8, 2, {.dim_feedforward = 16, .dropout = 0, .batch_first = true}};
  nn::Linear head{8, 4};
  Tensor forward(const Tensor& x) override { return head(mean(layer(x), 1)); }
  void visit(nn::Visitor& v) override {
    v("layer", layer);
    v("head", head);
  }
};

/// `make` takes the parameters once the weights are there.
template <class Make>
void expect_curve(const std::string& name, nn::Module& model, Make&& make) {
  const TensorMap all = load_safetensors(GRADUS_SOURCE_DIR "/tests/oracle/curves.safetensors");
  const std::string prefix = name + "/state.";
  std::map<std::string, Tensor> state;
  for (const auto& [key, t] : all) {
    if (key.starts_with(prefix)) state.emplace(key.substr(prefix.size()), t);
  }
  model.to(Dtype::f64);
  nn::load_state_dict(model, state);
  auto optimizer = make(model.parameters());
  const Tensor x = all.at(name + "/x"), y = all.at(name + "/y");
  const auto expected = all.at(name + "/losses").to_vector<double>();
  ASSERT_EQ(expected.size(), 200u);
  EXPECT_LT(expected.back(), 0.9 * expected.front()) << "the model does not learn";
  for (std::size_t s = 0; s < expected.size(); ++s) {
    const auto at = static_cast<std::int64_t>(s) * 8 % x.size(0);
    const Tensor loss = cross_entropy(model(x.narrow(0, at, 8)), y.narrow(0, at, 8));
    ASSERT_NEAR(loss.item<double>(), expected[s], 1e-9 * std::abs(expected[s])) << "step " << s;
    optimizer.zero_grad();
    loss.backward();
    optimizer.step();
  }
}

TEST(LossCurves, MlpIsPyTorchs) {
  nn::Sequential model{nn::Linear(8, 16), nn::Tanh(), nn::Linear(16, 4)};
  expect_curve("mlp", model, [](auto p) { return optim::SGD(p, {.lr = 0.05, .momentum = 0.9}); });
}

TEST(LossCurves, CnnWithBatchNormIsPyTorchs) {
  nn::Sequential model{nn::Conv2d(1, 4, 3, {.padding = 1}),
                       nn::BatchNorm2d(4),
                       nn::ReLU(),
                       nn::MaxPool2d(2),
                       nn::Flatten(),
                       nn::Linear(36, 4)};
  expect_curve("cnn", model, [](auto p) { return optim::Adam(p, {.lr = 0.01}); });
}

TEST(LossCurves, TransformerIsPyTorchs) {
  Encoder model;
  expect_curve("transformer", model, [](auto p) { return optim::AdamW(p, {.lr = 0.003}); });
}

}  // namespace
}  // namespace gradus
