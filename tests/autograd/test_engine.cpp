// The engine: order, accumulation, errors, hooks, and graphs too long for recursion.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "gradus/autograd/engine.h"
#include "gradus/autograd/functions.h"
#include "gradus/autograd/gradcheck.h"

namespace gradus {
namespace {

Tensor leaf(std::vector<double> values, Shape shape) {
  Tensor t = from_data(values.data(), shape, {Dtype::f64});
  return t.set_requires_grad(true);
}

TEST(Engine, GradientsOfASharedInputAreSummed) {
  Tensor x = leaf({1, 2, 3}, {3});
  Tensor y = x * x + x;
  y.backward(ones({3}, {Dtype::f64}));
  EXPECT_EQ(x.grad().to_vector<double>(), (std::vector<double>{3, 5, 7}));
  (x * 2.0).backward(ones({3}, {Dtype::f64}));
  EXPECT_EQ(x.grad().to_vector<double>(), (std::vector<double>{5, 7, 9}));
  x.zero_grad();
  EXPECT_FALSE(x.grad().defined());
}

TEST(Engine, ASecondBackwardNeedsRetainGraph) {
  Tensor x = leaf({2}, {1});
  Tensor y = x * x;
  y.backward(Tensor(), true);
  y.backward();
  EXPECT_EQ(x.grad().to_vector<double>(), std::vector<double>{8});
  EXPECT_THROW(y.backward(), Error);
}

TEST(Engine, WritingASavedTensorInPlaceIsFound) {
  Tensor x = leaf({2}, {1}), w = from_data(std::vector<double>{3}.data(), {1}, {Dtype::f64});
  Tensor y = x * w;
  w.fill_(5);
  try {
    y.backward();
    FAIL();
  } catch (const Error& e) {
    EXPECT_NE(std::string(e.what()).find("mul: "), std::string::npos) << e.what();
  }
}

TEST(Engine, GradOfChosenTensorsLeavesTheRestAlone) {
  Tensor a = leaf({2}, {1}), b = leaf({3}, {1});
  Tensor m = a * b;
  Tensor y = m * a;
  std::vector<Tensor> g = grad({y}, {b, m});
  EXPECT_EQ(g[0].item<double>(), 4);
  EXPECT_EQ(g[1].item<double>(), 2);
  EXPECT_FALSE(a.grad().defined());
  EXPECT_FALSE(b.grad().defined());
}

TEST(Engine, HooksSeeTheSumAndMayReplaceIt) {
  Tensor x = leaf({2}, {1});
  double seen = 0;
  x.register_hook([&](const Tensor& g) {
    seen = g.item<double>();
    return g * 10.0;
  });
  Tensor y = x * x + x;
  y.backward();
  EXPECT_EQ(seen, 5);
  EXPECT_EQ(x.grad().item<double>(), 50);
}

TEST(Engine, AChainOfAMillionNodesIsBuiltWalkedAndFreed) {
  Tensor x = leaf({1}, {1});
  Tensor y = x;
  for (int i = 0; i < 1'000'000; ++i) y = y + x;
  y.backward();
  EXPECT_EQ(x.grad().item<double>(), 1'000'001);
}

TEST(Engine, AFirstGradientGoesStraightToTheBufferThatWaits) {
  const Tensor x = full({3}, 0.5).set_requires_grad(true);
  (x * x).backward(ones({3}));
  const void* place = x.grad().data();
  x.zero_grad();
  tanh(x).backward(ones({3}));
  EXPECT_EQ(x.grad().data(), place);
  const double y = std::tanh(0.5);
  EXPECT_NEAR(x.grad().to_vector<double>()[2], 1 - y * y, 1e-6);
  (x * x).backward(ones({3}));  // both inputs, on top of what is there
  EXPECT_NEAR(x.grad().to_vector<double>()[0], 1 - y * y + 1, 1e-6);
}

TEST(Engine, ABufferThatTheGraphUsesIsNotWrittenTooEarly) {
  const Tensor x = leaf({1, 2, 3, 4}, {2, 2});
  (x * 3).backward(ones({2, 2}));
  const Tensor dy = x.grad();  // the leaf's own buffer: 3 everywhere
  {
    const NoGrad guard;
    dy.mul_(x.detach());
  }
  x.zero_grad();
  square(x).backward(dy.t());  // read in another order than it is written
  EXPECT_EQ(x.grad().to_vector<double>(), (std::vector<double>{6, 36, 36, 96}));
}

TEST(Engine, ManyBranchesAreWalkedFromTheLastToTheFirst) {
  const Tensor x = full({2}, 1).set_requires_grad(true);
  std::vector<int> order;
  const auto note = [&order](const Tensor& t, int number) {
    t.register_hook([&order, number](const Tensor&) {
      order.push_back(number);
      return Tensor();
    });
  };
  Tensor sum = zeros({2});
  for (int i = 0; i < 50; ++i) {
    const Tensor branch = x * (i + 1);
    sum = i % 2 == 0 ? sum + branch : branch + sum;
    note(branch, 2 * i);
    note(sum, 2 * i + 1);
  }
  sum.backward(ones({2}));
  ASSERT_EQ(order.size(), 100u);
  EXPECT_TRUE(std::is_sorted(order.rbegin(), order.rend()));
  EXPECT_EQ(x.grad().to_vector<double>()[0], 50 * 51 / 2);
}

TEST(Engine, BroadcastGradientsAreSummedBack) {
  gradcheck([](const std::vector<Tensor>& in) { return in[0] * in[1] - in[1] / in[2]; },
            {leaf({1, 2, 3, 4, 5, 6}, {2, 3}), leaf({.5, .7, .9}, {3}), leaf({3, 4}, {2, 1})});
}

TEST(Engine, GradcheckFindsAWrongDerivative) {
  auto wrong = [](const std::vector<Tensor>& in) { return in[0] * in[0].detach(); };
  EXPECT_THROW(gradcheck(wrong, {leaf({1, 2}, {2})}), Error);
}

}  // namespace
}  // namespace gradus
