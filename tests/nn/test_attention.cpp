// What the fixtures leave open in attention: causal masks, dropout, both ways of computing, errors.
#include <gtest/gtest.h>

#include <cmath>

#include "gradus/kernels/create.h"
#include "gradus/kernels/random.h"
#include "gradus/nn/attention.h"

namespace gradus::nn {
namespace {

void expect_near(const Tensor& a, const Tensor& b, double tolerance) {
  ASSERT_EQ(a.shape(), b.shape());
  const auto u = a.detach().to_vector<double>(), v = b.detach().to_vector<double>();
  for (std::size_t i = 0; i < u.size(); ++i) ASSERT_NEAR(u[i], v[i], tolerance);
}

TEST(MultiheadAttention, WithAndWithoutWeightsAreTheSame) {
  manual_seed(6);
  MultiheadAttention attention(8, 2, {.batch_first = true}, {Dtype::f64});
  const Tensor x = randn({3, 5, 8}, {Dtype::f64}), memory = randn({3, 7, 8}, {Dtype::f64});
  for (bool causal : {false, true}) {
    for (bool padded : {false, true}) {
      AttentionOptions call;
      call.is_causal = causal;
      if (padded) {
        call.key_padding_mask = zeros({3, 5}, {Dtype::boolean});
        call.key_padding_mask.data<bool>()[9] = true;
      }
      const AttentionResult with = attention(x, x, x, call);
      call.need_weights = false;
      const AttentionResult without = attention(x, x, x, call);
      expect_near(with.output, without.output, 1e-12);
      EXPECT_FALSE(without.weights);
      EXPECT_EQ(with.weights.shape(), (Shape{3, 5, 5}));
      const auto w = with.weights.detach().to_vector<double>();
      EXPECT_EQ(w[1] == 0, causal);
      EXPECT_EQ(w[25 + 4] == 0, padded || causal);
      double sum = 0;
      for (std::size_t i = 5; i < 10; ++i) sum += w[i];
      EXPECT_NEAR(sum, 1, 1e-12);
    }
  }
  const AttentionResult cross = attention(x, memory, memory);
  EXPECT_EQ(cross.weights.shape(), (Shape{3, 5, 7}));
  expect_near(attention(x), attention(x, x, x).output, 1e-12);
}

TEST(MultiheadAttention, ThePackedProductIsTheSameAsThree) {
  manual_seed(7);
  MultiheadAttention packed(6, 3);
  const Tensor x = randn({4, 2, 6});
  const Tensor same = x.detach();  // another handle: the packed product is not used
  expect_near(packed(x, x, x).output, packed(x, same, same).output, 1e-6);
}

TEST(MultiheadAttention, DropoutWorksWhileTrainingOnly) {
  manual_seed(8);
  TransformerEncoderLayer layer(8, 2, {.dim_feedforward = 16, .dropout = 0.5});
  const Tensor x = randn({4, 2, 8});
  const auto a = layer(x).to_vector<float>(), b = layer(x).to_vector<float>();
  EXPECT_NE(a, b);
  layer.eval();
  EXPECT_EQ(layer(x).to_vector<float>(), layer(x).to_vector<float>());
}

TEST(MultiheadAttention, RefusesWhatDoesNotFit) {
  EXPECT_THROW(MultiheadAttention(8, 3), Error);
  EXPECT_THROW(TransformerEncoderLayer(8, 2, {.activation = "tanh"}), Error);
  MultiheadAttention attention(8, 2);
  const Tensor x = zeros({5, 3, 8});
  AttentionOptions call;
  call.attn_mask = zeros({4, 5});
  EXPECT_THROW(attention(x, x, x, call), Error);
  call.attn_mask = {};
  call.key_padding_mask = zeros({5, 3}, {Dtype::boolean});
  EXPECT_THROW(attention(x, x, x, call), Error);
  EXPECT_THROW(attention(zeros({1, 5, 3, 8})), Error);
}

}  // namespace
}  // namespace gradus::nn
