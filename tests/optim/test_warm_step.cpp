// A warm training step asks neither operator new nor the system for memory, whatever the network;
// and with a MemoryScope everything a training needs lies in one block of the caller's.
#include <gtest/gtest.h>

#include <memory>

#include "gradus/autograd/functions.h"
#include "gradus/kernels/random.h"
#include "gradus/nn/nn.h"
#include "gradus/optim/optim.h"
#include "gradus/tensor/parallel.h"
#include "gradus/tests/allocations.h"

namespace gradus {
namespace {

class WarmStep : public ::testing::Test {
 protected:
  // One thread: which worker gets a chunk, and so asks for scratch for the first time, is chance.
  void SetUp() override { set_num_threads(1); }
  void TearDown() override { set_num_threads(2); }
};

/// Trains `net` on (x, y) until it is warm, and then over more steps than the schedule's ring has
/// rows.
void expect_warm(nn::Module& net, const Tensor& x, const Tensor& y) {
  optim::AdamW opt(net.parameters(),
                   {.lr = 1e-3,
                    .schedule = optim::schedule::warmup(5, optim::schedule::cosine(1000)),
                    .max_grad_norm = 1,
                    .ema_decay = 0.9});
  opt.track(net.named_buffers());
  const auto step = [&] {
    opt.zero_grad();
    cross_entropy(net(x), y).backward();
    opt.step();
  };
  for (int s = 0; s < 3; ++s) step();
  const testing::HeapUse use;
  for (int s = 0; s < 80; ++s) step();
  use.expect_nothing();
  EXPECT_EQ(opt.applied().item<std::int64_t>(), 83);
}

TEST_F(WarmStep, OfAnMlpAllocatesNothing) {
  nn::Sequential net{nn::Linear(64, 32), nn::ReLU(), nn::Dropout(0.2), nn::Linear(32, 10)};
  expect_warm(net, randn({64, 64}), randint(0, 10, {64}));
}

TEST_F(WarmStep, OfAConvolutionalNetworkAllocatesNothing) {
  nn::Sequential net{nn::Conv2d(1, 8, 3, {.padding = 1}),
                     nn::BatchNorm2d(8),
                     nn::ReLU(),
                     nn::MaxPool2d(2),
                     nn::Conv2d(8, 16, 3, {.padding = 1}),
                     nn::BatchNorm2d(16),
                     nn::ReLU(),
                     nn::AdaptiveAvgPool2d(1),
                     nn::Flatten(),
                     nn::Linear(16, 10)};
  expect_warm(net, randn({16, 1, 8, 8}), randint(0, 10, {16}));
}

TEST_F(WarmStep, OfATransformerAllocatesNothing) {
  struct Net : nn::Module {
    nn::Embedding embedding{20, 16};
    nn::TransformerEncoderLayer layer{16, 2, {.dim_feedforward = 32, .batch_first = true}};
    nn::LayerNorm norm{16};
    nn::Linear head{16, 20};
    Tensor forward(const Tensor& x) override {  // (N, T) -> (N T, 20)
      return head(norm(layer(embedding(x)))).flatten(0, 1);
    }
    void visit(nn::Visitor& v) override {
      v("embedding", embedding);
      v("layer", layer);
      v("norm", norm);
      v("head", head);
    }
  } net;
  expect_warm(net, randint(0, 20, {4, 8}), randint(0, 20, {32}));
}

TEST(MemoryScopeTraining, LiesInOneBlockOfTheCallers) {
  constexpr std::size_t bytes = std::size_t{4} << 20;
  const std::unique_ptr<char[]> buffer(new char[bytes]);
  set_num_threads(2);
  {
    const MemoryStats outside = memory_stats(Device::cpu());
    const MemoryScope scope(buffer.get(), bytes);
    {
      // 512 rows: products and pointwise operations are cut into chunks that both threads take.
      nn::Sequential net{nn::Linear(64, 128), nn::Tanh(), nn::Linear(128, 4)};
      const Tensor x = randn({512, 64}), y = x.narrow(1, 0, 4) * 0.5;
      optim::Adam opt(net.parameters(), {.lr = 1e-2, .max_grad_norm = 1, .ema_decay = 0.9});
      double first = 0, last = 0;
      const auto step = [&] {
        opt.zero_grad();
        const Tensor loss = mse_loss(net(x), y);
        loss.backward();
        opt.step();
        last = loss.item<double>();
      };
      step();
      first = last;
      step();
      const std::size_t peak = scope.peak();
      const std::int64_t news = testing::allocations_of_all_threads();
      for (int s = 0; s < 50; ++s) step();
      EXPECT_LT(last, 0.2 * first);
      EXPECT_EQ(testing::allocations_of_all_threads(), news);
      // The threads' scratch may meet or not: the peak moves by that, not by a leak a step.
      EXPECT_LT(scope.peak(), peak + peak / 4);
    }
    EXPECT_TRUE(scope.empty());
    const MemoryStats after = memory_stats(Device::cpu());
    EXPECT_EQ(after.now, outside.now) << "something came from the shared pool";
    EXPECT_EQ(after.peak, outside.peak);
    EXPECT_EQ(after.system_calls, outside.system_calls);
  }
}

TEST(MemoryScopeTraining, OneBlockThatIsTooSmallIsAnErrorAndLeavesNothing) {
  alignas(64) static char buffer[16384];
  const MemoryScope scope(buffer, sizeof buffer);
  EXPECT_THROW(nn::Linear(64, 128), Error);
  EXPECT_TRUE(scope.empty());
}

}  // namespace
}  // namespace gradus
