// Autocast: the same bits as explicit casts, f32 gradients for f32 leaves, and shadows that are
// always true.
#include <gtest/gtest.h>

#include <thread>

#include "gradus/autograd/autocast.h"
#include "gradus/autograd/functions.h"
#include "gradus/autograd/graph.h"
#include "gradus/nn/nn.h"
#include "gradus/optim/optim.h"
#include "gradus/tests/autograd/numbers.h"

namespace gradus {
namespace {

using testing::expect_error;
using F = std::function<Tensor(const std::vector<Tensor>&)>;

Tensor rounded_leaf(const Tensor& t, Dtype low) {
  return t.detach().to(low).to(Dtype::f32).set_requires_grad(true);
}

/// Under an Autocast f gives the bits of f in float on operands that were rounded, rounded once;
/// and the gradients of its leaves are those of that, in f32 and not rounded (but attention's,
/// which are `halved`). `exact` says which inputs are not operands (biases are added in float).
void expect_like_explicit_casts(const F& f, const std::vector<Shape>& shapes,
                                const std::vector<bool>& exact = {}, bool halved = false) {
  for (const Dtype low : {Dtype::bf16, Dtype::f16}) {
    std::vector<Tensor> leaves, rounded;
    for (std::size_t i = 0; i < shapes.size(); ++i) {
      leaves.push_back(randn(shapes[i]).set_requires_grad(true));
      const bool kept = i < exact.size() && exact[i];
      rounded.push_back(kept ? leaves[i].detach().clone().set_requires_grad(true)
                             : rounded_leaf(leaves[i], low));
    }
    Tensor y;
    {
      const Autocast guard(low);
      y = f(leaves);
    }
    const Tensor expected = f(rounded).to(low);
    ASSERT_EQ(y.dtype(), low);
    EXPECT_EQ(y.to_vector<float>(), expected.to_vector<float>());
    const Tensor dy = randn(y.shape()).to(low);
    y.backward(dy);
    expected.backward(dy);
    for (std::size_t i = 0; i < shapes.size(); ++i) {
      const bool kept = i < exact.size() && exact[i];
      const Tensor grad = rounded[i].grad().to(halved && !kept ? low : Dtype::f32);
      EXPECT_EQ(leaves[i].grad().dtype(), Dtype::f32);
      EXPECT_EQ(leaves[i].grad().to_vector<float>(), grad.to_vector<float>())
          << "input " << i << " in " << to_string(low);
    }
  }
}

TEST(Autocast, ProductsAreThoseOfRoundedOperands) {
  expect_like_explicit_casts([](const auto& in) { return matmul(in[0], in[1]); },
                             {{5, 37}, {37, 9}});
  expect_like_explicit_casts([](const auto& in) { return matmul(in[0], in[1]); },
                             {{3, 1, 4, 7}, {2, 7, 5}});
  expect_like_explicit_casts([](const auto& in) { return mv(in[0], in[1]); }, {{6, 8}, {8}});
  expect_like_explicit_casts([](const auto& in) { return linear(in[0], in[1], in[2]); },
                             {{2, 3, 16}, {10, 16}, {10}}, {false, false, true});
}

TEST(Autocast, ConvolutionsAreThoseOfRoundedOperands) {
  expect_like_explicit_casts([](const auto& in) { return conv1d(in[0], in[1], in[2], 2, 1); },
                             {{2, 4, 11}, {6, 4, 3}, {6}}, {false, false, true});
  expect_like_explicit_casts([](const auto& in) { return conv2d(in[0], in[1], in[2], 1, 1, 1, 2); },
                             {{2, 4, 6, 5}, {6, 2, 3, 3}, {6}}, {false, false, true});
}

TEST(Autocast, AttentionIsThatOfRoundedOperands) {
  expect_like_explicit_casts(
      [](const auto& in) {
        return scaled_dot_product_attention(in[0], in[1], in[2], in[3], 0, true);
      },
      {{2, 3, 5, 8}, {2, 3, 5, 8}, {2, 3, 5, 4}, {5, 5}}, {false, false, false, true}, true);
}

TEST(Autocast, NormsSoftmaxAndLossesComputeInFloatAndGiveIt) {
  const Tensor x = randn({4, 6, 2}).to(Dtype::bf16), wide = x.to(Dtype::f32);
  const Tensor weight = rand({6}) + 0.5, bias = randn({6}), labels = randint(0, 6, {4, 2});
  const auto check = [&](const char* name, const std::function<Tensor(const Tensor&)>& f) {
    const Autocast guard(Dtype::bf16);
    const Tensor leaf = x.detach().clone().set_requires_grad(true), y = f(leaf);
    EXPECT_EQ(y.dtype(), Dtype::f32) << name;
    EXPECT_EQ(y.to_vector<float>(), f(wide).to_vector<float>()) << name;
    y.backward(ones_like(y));
    EXPECT_EQ(leaf.grad().dtype(), Dtype::bf16) << name;  // the type of what it belongs to
  };
  check("layer_norm", [](const Tensor& t) { return layer_norm(t, {6, 2}); });
  check("rms_norm", [](const Tensor& t) { return rms_norm(t, {2}); });
  check("group_norm", [&](const Tensor& t) { return group_norm(t, 3, weight, bias); });
  check("instance_norm", [&](const Tensor& t) { return instance_norm(t, {}, {}, weight, bias); });
  check("batch_norm", [&](const Tensor& t) { return batch_norm(t, {}, {}, weight, bias, true); });
  check("softmax", [](const Tensor& t) { return softmax(t, 1); });
  check("log_softmax", [](const Tensor& t) { return log_softmax(t, 1); });
  check("cross_entropy", [&](const Tensor& t) { return cross_entropy(t, labels); });
  check("nll_loss", [&](const Tensor& t) { return nll_loss(t, labels); });
  check("mse_loss", [](const Tensor& t) { return mse_loss(t, t.detach() * 0.5); });
  check("bce_with_logits", [](const Tensor& t) { return bce_with_logits(t, ones_like(t)); });
  check("cosine_embedding_loss", [](const Tensor& t) {
    const Tensor rows = t.flatten(1);
    return cosine_embedding_loss(rows, flip(rows, {0}), ones({4}));
  });
}

TEST(Autocast, GuardsNestAndBelongToTheirThread) {
  const Tensor a = randn({3, 3}), b = randn({3, 3}, {Dtype::f64});
  EXPECT_EQ(autocast_dtype(), Dtype::f32);
  {
    const Autocast outer(Dtype::bf16);
    EXPECT_EQ(matmul(a, a).dtype(), Dtype::bf16);
    {
      const Autocast inner(Dtype::f16);
      EXPECT_EQ(matmul(a, a.to(Dtype::bf16)).dtype(), Dtype::f16);
      const Autocast none(Dtype::f32);
      EXPECT_EQ(matmul(a, a).dtype(), Dtype::f32);
    }
    EXPECT_EQ(autocast_dtype(), Dtype::bf16);
    EXPECT_EQ(matmul(b, b).dtype(), Dtype::f64);
    expect_error(ErrorKind::dtype, {"matmul", "f64"}, [&] { matmul(a, b); });
    std::thread([&] { EXPECT_EQ(matmul(a, a).dtype(), Dtype::f32); }).join();
  }
  EXPECT_EQ(matmul(a, a).dtype(), Dtype::f32);
  expect_error(ErrorKind::argument, {"Autocast", "i32"}, [] { Autocast guard(Dtype::i32); });
  // A backward inside the guard is the same as one outside.
  const Tensor w = randn({4, 4}).set_requires_grad(true);
  const Autocast guard(Dtype::bf16);
  const Tensor c = custom(
      "pick", {w}, [](const auto& in) { return in[0] * 2; },
      [](const Tensor& dy, const auto&, const Tensor&) {
        EXPECT_EQ(autocast_dtype(), Dtype::f32);
        return std::vector<Tensor>{dy * 2};
      });
  c.sum().backward();
}

TEST(Autocast, AWeightIsConvertedOnceAndAgainWhenItChanged) {
  const Tensor w = randn({8, 8}).set_requires_grad(true), x = randn({2, 8});
  const Storage& storage = *w.raw()->storage;
  const auto forward = [&](const Tensor& weight) {
    const Autocast guard(Dtype::bf16);
    return linear(x, weight);
  };
  const auto expect_true = [&] {
    const Tensor plain = linear(x.to(Dtype::bf16), w.detach().to(Dtype::bf16));
    EXPECT_EQ(forward(w).to_vector<float>(), plain.to_vector<float>());
  };
  expect_true();
  ASSERT_NE(storage.shadow, nullptr);
  const Storage* first = storage.shadow;
  const std::uint64_t made = storage.shadow->version.load();
  expect_true();
  forward(w.narrow(0, 2, 4));  // a view reads the same shadow
  EXPECT_EQ(storage.shadow, first);
  EXPECT_EQ(storage.shadow->version.load(), made) << "converted again for nothing";
  {
    const NoGrad guard;
    w.mul_(3);
  }
  expect_true();
  EXPECT_EQ(storage.shadow, first) << "nobody held it: its memory is used again";

  optim::SGD opt({w}, {.lr = 0.1});  // moves w to memory of its own choice
  forward(w).sum().backward();
  const Storage& moved = *w.raw()->storage;
  ASSERT_NE(moved.shadow, nullptr);
  opt.step();
  EXPECT_EQ(moved.shadow_version, moved.version.load()) << "the step rewrites the shadow";
  expect_true();
  // Not the activations of a batch: they are read once.
  EXPECT_EQ(x.raw()->storage->shadow, nullptr);
}

TEST(Autocast, AGraphWhoseShadowWasRewrittenSaysSo) {
  const Tensor w = randn({4, 4}).set_requires_grad(true), x = randn({2, 4}).set_requires_grad(true);
  optim::SGD opt({w}, {.lr = 0.1});
  Tensor y;
  {
    const Autocast guard(Dtype::bf16);
    y = linear(x, w).sum();
  }
  y.backward(ones({}, {Dtype::bf16}), /*retain_graph=*/true);
  opt.step();
  expect_error(ErrorKind::argument, {"linear", "changed in place"}, [&] { y.backward(); });
}

TEST(Autocast, AShadowLivesWhereItsWeightDoes) {
  const Tensor w = randn({16, 16}).set_requires_grad(true);
  alignas(64) static char buffer[1 << 16];
  {
    const MemoryScope scope(buffer, sizeof buffer);
    {
      const Autocast guard(Dtype::bf16);
      EXPECT_EQ(matmul(ones({2, 16}), w).dtype(), Dtype::bf16);
    }
    EXPECT_TRUE(scope.empty());
  }
  const Autocast guard(Dtype::bf16);
  EXPECT_EQ(matmul(ones({2, 16}), w).numel(), 32);
}

TEST(Autocast, GradientsDoNotDependOnHowTheBatchWasSplit) {
  const Tensor x = randn({8, 3, 6, 6}), w = randn({4, 3, 3, 3}), head = randn({5, 4});
  const Tensor dy = randn({8, 5});
  const auto gradients = [&](std::int64_t rows) {
    const Tensor a = w.clone().set_requires_grad(true), b = head.clone().set_requires_grad(true),
                 bias = zeros({5}, {.requires_grad = true});
    for (std::int64_t i = 0; i < 8; i += rows) {
      Tensor y;
      {
        const Autocast guard(Dtype::bf16);
        y = linear(mean(relu(conv2d(x.narrow(0, i, rows), a)), {2, 3}), b, bias);
      }
      y.backward(dy.narrow(0, i, rows));
    }
    std::vector<float> all;
    for (const Tensor& t : {a, b, bias}) {
      for (const float v : t.grad().to_vector<float>()) all.push_back(v);
    }
    return all;
  };
  const std::vector<float> whole = gradients(8);
  EXPECT_EQ(gradients(4), whole);
  EXPECT_EQ(gradients(1), whole);
}

TEST(Autocast, ACheckpointIsComputedAgainInTheSamePrecision) {
  const Tensor x = randn({4, 8}), w = randn({8, 8}).set_requires_grad(true);
  const auto gradient = [&](bool checkpointed) {
    w.zero_grad();
    const auto region = [&](const std::vector<Tensor>& in) { return tanh(matmul(in[0], w)); };
    Tensor y;
    {
      const Autocast guard(Dtype::bf16);
      y = checkpointed ? checkpoint(region, {x}) : region({x});
    }
    EXPECT_EQ(y.dtype(), Dtype::bf16);
    y.backward(ones_like(y));
    return w.grad().to_vector<float>();
  };
  EXPECT_EQ(gradient(true), gradient(false));
}

TEST(Autocast, EveryLayerRunsAndGivesFloatGradients) {
  const auto expect_runs = [](nn::Module& net, const Tensor& x) {
    Tensor y;
    {
      const Autocast guard(Dtype::bf16);
      y = net(x);
      mean(square(y)).backward();
    }
    for (const Parameter& p : net.parameters()) {
      ASSERT_TRUE(p.grad().defined()) << net.name() << " " << p.name;
      EXPECT_EQ(p.grad().dtype(), Dtype::f32) << net.name() << " " << p.name;
      EXPECT_TRUE(all(isfinite(p.grad())).item<bool>()) << net.name() << " " << p.name;
    }
  };
  nn::TransformerEncoderLayer encoder(8, 2, {.dim_feedforward = 16, .batch_first = true});
  expect_runs(encoder, randn({2, 5, 8}));
  nn::LSTM lstm(8, 6, {.num_layers = 2, .bidirectional = true});
  expect_runs(lstm, randn({4, 2, 8}));
  nn::GRU gru(8, 6);
  expect_runs(gru, randn({4, 2, 8}));
  nn::Sequential cnn{nn::Conv2d(2, 4, 3), nn::BatchNorm2d(4), nn::ReLU(),
                     nn::MaxPool2d(2),    nn::Flatten(),      nn::Linear(16, 3)};
  expect_runs(cnn, randn({3, 2, 6, 6}));
}

/// The loss of an MLP after 150 steps on a smooth function.
double trained(std::optional<Dtype> precision, double* worst_gradient) {
  manual_seed(11);
  nn::Sequential net{nn::Linear(6, 32),  nn::LayerNorm(32), nn::GELU(),
                     nn::Linear(32, 32), nn::Tanh(),        nn::Linear(32, 3)};
  const Tensor x = randn({128, 6}), y = sin(matmul(x, randn({6, 3})));
  optim::AdamW opt(net.parameters(), {.lr = 5e-3});
  const auto loss_of = [&] {
    const Autocast guard(precision.value_or(Dtype::f32));
    return mse_loss(net(x), y);
  };
  // The gradient beside that of float: off by roundings of 2^-8, not by a factor.
  mse_loss(net(x), y).backward();
  std::vector<Tensor> exact;
  for (const Parameter& p : net.parameters()) exact.push_back(p.grad().clone());
  net.zero_grad();
  loss_of().backward();
  *worst_gradient = 0;
  for (std::size_t i = 0; i < exact.size(); ++i) {
    const Tensor g = net.parameters()[i].grad();
    EXPECT_EQ(g.dtype(), Dtype::f32);
    *worst_gradient =
        std::max(*worst_gradient, (norm(g - exact[i]) / (norm(exact[i]) + 1e-9)).item<double>());
  }
  double last = 0;
  for (int s = 0; s < 150; ++s) {
    opt.zero_grad();
    const Tensor loss = loss_of();
    EXPECT_EQ(loss.dtype(), Dtype::f32);
    loss.backward();
    opt.step();
    last = loss.item<double>();
  }
  return last;
}

TEST(Autocast, AnMlpTrainsAsInFloat) {
  double off = 0;
  const double exact = trained({}, &off);
  EXPECT_EQ(off, 0);
  EXPECT_LT(exact, 0.1);
  for (const Dtype low : {Dtype::bf16, Dtype::f16}) {
    const double loss = trained(low, &off);
    EXPECT_NEAR(loss, exact, 0.25 * exact) << to_string(low);
    EXPECT_GT(off, 1e-5) << to_string(low);  // it did compute in low precision
    EXPECT_LT(off, low == Dtype::bf16 ? 0.03 : 0.005) << to_string(low);
  }
}

}  // namespace
}  // namespace gradus
