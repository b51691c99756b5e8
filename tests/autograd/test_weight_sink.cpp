// Gradients that go straight into the weights: the same steps as plain SGD's, and no gradient
// buffer.
#include <gtest/gtest.h>

#include <memory>

#include "gradus/autograd/autocast.h"
#include "gradus/autograd/functions.h"
#include "gradus/autograd/weight_sink.h"
#include "gradus/kernels/literal.h"
#include "gradus/kernels/random.h"
#include "gradus/nn/nn.h"
#include "gradus/optim/sgd.h"
#include "gradus/tensor/parallel.h"
#include "gradus/tests/allocations.h"
#include "gradus/tests/autograd/numbers.h"

namespace gradus {
namespace {

using testing::expect_error;

/// Every kind of target and of op that gives: embedding, convolution, norms, products with both
/// sides learned, and factors that a pointwise op reads again.
struct Net : nn::Module {
  nn::Embedding embedding{12, 6};
  nn::Conv1d conv{6, 8, 3, {.padding = 1}};
  nn::BatchNorm1d batch_norm{8};
  nn::LayerNorm norm{8};
  nn::Linear fc{8, 5};
  Tensor left = randn({4, 5}).set_requires_grad(true),
         right = randn({5, 5}).set_requires_grad(true);
  Tensor scale = (rand({5}) + 0.5).set_requires_grad(true);
  Tensor forward(const Tensor& x) override {  // (N, T) -> (N, T, 4)
    const Tensor c = batch_norm(conv(embedding(x).transpose(1, 2))).transpose(1, 2);
    return matmul(tanh(fc(norm(c)) * scale), matmul(left, right).t());
  }
  void visit(nn::Visitor& v) override {
    v("embedding", embedding);
    v("conv", conv);
    v("batch_norm", batch_norm);
    v("norm", norm);
    v("fc", fc);
    v("left", left);
    v("right", right);
    v("scale", scale);
  }
};

TEST(WeightSink, StepsAsPlainSgdDoes) {
  manual_seed(4);
  Net a;
  Net b = nn::clone(a);
  const Tensor x = randint(0, 12, {3, 7}), y = randn({3, 7, 4});
  const std::vector<Parameter> weights = a.parameters(), expected = b.parameters();
  WeightSink sink(weights, 0.05);
  optim::SGD opt(expected, {.lr = 0.05});
  double first = 0, last = 0;
  for (int s = 0; s < 20; ++s) {
    const Tensor loss = mse_loss(a(x), y);
    backward(loss, sink);
    last = loss.item<double>();
    if (s == 0) first = last;
    opt.zero_grad();
    mse_loss(b(x), y).backward();
    opt.step();
    for (std::size_t i = 0; i < weights.size(); ++i) {
      EXPECT_FALSE(weights[i].grad().defined());
      const double off = amax(abs(weights[i].detach() - expected[i].detach())).item<double>();
      EXPECT_LT(off, 2e-5) << weights[i].name << " at step " << s;
    }
  }
  EXPECT_LT(last, 0.8 * first);
}

TEST(WeightSink, MovesOnlyItsOwnAndWithTheRateOfTheMoment) {
  const Tensor w = full({2}, 1, {.requires_grad = true}),
               other = full({2}, 1, {.requires_grad = true});
  WeightSink sink(std::vector<Tensor>{w, w}, 0.5);
  backward(sum(w * 2 + other * 3), sink);
  EXPECT_EQ(w.to_vector<float>(), (std::vector<float>{0, 0}));
  EXPECT_EQ(other.to_vector<float>(), (std::vector<float>{1, 1}));
  sink.set_lr(0.25);
  backward(sum(w * 2), sink);
  EXPECT_EQ(w.to_vector<float>(), (std::vector<float>{-0.5, -0.5}));
  EXPECT_FALSE(w.grad().defined());
  expect_error(ErrorKind::argument, {"WeightSink"},
               [] { WeightSink(std::vector<Tensor>{ones({2})}, 0.1); });
}

TEST(WeightSink, AWeightReadTwiceByABackwardIsAnError) {
  const Tensor w = randn({4, 4}).set_requires_grad(true), x = randn({2, 4});
  WeightSink sink(std::vector<Tensor>{w}, 0.1);
  expect_error(ErrorKind::argument, {"linear", "changed in place"},
               [&] { backward(linear(tanh(linear(x, w)), w).sum(), sink); });
}

TEST(WeightSink, HalfWeightsAndTransposedOnesMoveToo) {
  const Tensor half = full({3, 3}, 1, {Dtype::bf16}).set_requires_grad(true);
  WeightSink sink(std::vector<Tensor>{half}, 1);
  backward(sum(matmul(ones({1, 3}, {Dtype::bf16}), half)), sink);
  EXPECT_EQ(half.to_vector<float>(), std::vector<float>(9, 0));
  const Tensor turned = ones({2, 3}).t().detach().set_requires_grad(true);
  WeightSink other(std::vector<Tensor>{turned}, 1);
  backward(sum(matmul(ones({1, 3}), turned)), other);
  EXPECT_EQ(turned.to_vector<float>(), std::vector<float>(6, 0));
}

TEST(WeightSink, UnderAutocastTheWeightsStayFloat) {
  const Tensor w = full({2, 2}, 1, {.requires_grad = true});
  WeightSink sink(std::vector<Tensor>{w}, 0x1p-12);  // far below the spacing of bf16 at 1
  for (int s = 0; s < 3; ++s) {
    Tensor loss;
    {
      const Autocast guard(Dtype::bf16);
      loss = linear(ones({1, 2}), w).sum();
    }
    EXPECT_EQ(loss.item<float>(), 4);
    backward(loss, sink);
  }
  EXPECT_EQ(w.to_vector<float>(), std::vector<float>(4, 1 - 3 * 0x1p-12f));
}

/// The embedded profile: a 784-32-10 network, trained sample by sample in one block of 160 KiB of
/// which 102 kB are its weights.
TEST(WeightSink, AnMlpTrainsInABlockHardlyLargerThanItself) {
  set_num_threads(1);
  constexpr std::size_t bytes = 160 << 10;
  alignas(64) static char buffer[bytes];
  const std::int64_t outside = memory_stats(Device::cpu()).now;
  const MemoryScope scope(buffer, bytes);
  {
    nn::Sequential net{nn::Linear(784, 32), nn::ReLU(), nn::Linear(32, 10)};
    WeightSink sgd(net.parameters(), 0.05);
    const Tensor x = rand({1, 784}), y = tensor({3});
    double first = 0, last = 0;
    const auto step = [&] {
      const Tensor loss = cross_entropy(net(x), y);
      backward(loss, sgd);
      last = loss.item<double>();
    };
    step();
    first = last;
    const std::int64_t news = testing::allocations_of_all_threads();
    for (int s = 0; s < 30; ++s) step();
    EXPECT_EQ(testing::allocations_of_all_threads(), news);
    EXPECT_LT(last, 0.1 * first);
  }
  EXPECT_EQ(memory_stats(Device::cpu()).now, outside);
  EXPECT_LE(scope.peak(), 160'000u);
  ::testing::Test::RecordProperty("peak_bytes", static_cast<int>(scope.peak()));
  set_num_threads(2);
}

}  // namespace
}  // namespace gradus
