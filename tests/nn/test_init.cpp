#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "gradus/kernels/create.h"
#include "gradus/nn/init.h"
#include "gradus/tensor/random.h"

namespace gradus::nn {
namespace {

double deviation(const Tensor& t) {
  double sum = 0, square = 0;
  for (double v : t.to_vector<double>()) sum += v, square += v * v;
  const double n = static_cast<double>(t.numel()), mean = sum / n;
  return std::sqrt(square / n - mean * mean);
}
double largest(const Tensor& t) {
  double most = 0;
  for (double v : t.to_vector<double>()) most = std::max(most, std::abs(v));
  return most;
}

TEST(Init, VariancesFollowTheFans) {
  manual_seed(3);
  const Tensor w = empty({40, 30, 3, 5});  // fan in 450, fan out 600
  EXPECT_EQ(init::fans(w).in, 450);
  EXPECT_EQ(init::fans(w).out, 600);
  EXPECT_NEAR(deviation(init::kaiming_normal_(w)) / std::sqrt(2.0 / 450), 1, 0.02);
  EXPECT_NEAR(deviation(init::kaiming_normal_(w, 0, init::FanMode::fan_out, "tanh")) /
                  (5.0 / 3 / std::sqrt(600.0)),
              1, 0.02);
  init::kaiming_uniform_(w, std::sqrt(5.0));  // what layers start with
  EXPECT_LE(largest(w), 1 / std::sqrt(450.0));
  EXPECT_GE(largest(w), 0.99 / std::sqrt(450.0));
  EXPECT_NEAR(deviation(init::xavier_uniform_(w, 2)) / (2 * std::sqrt(2.0 / 1050)), 1, 0.02);
  EXPECT_NEAR(deviation(init::xavier_normal_(w)) / std::sqrt(2.0 / 1050), 1, 0.02);
  EXPECT_LE(largest(init::trunc_normal_(w, 0, 0.02, -0.03, 0.03)), 0.03f);
  EXPECT_EQ(largest(init::constant_(w, -3)), 3);
  EXPECT_THROW(init::fans(empty({3})), Error);
  EXPECT_THROW(init::calculate_gain("relux"), Error);
}

TEST(Init, OrthogonalRowsOrColumns) {
  manual_seed(4);
  for (const Shape& shape : {Shape{5, 9}, Shape{9, 5}, Shape{6, 6}, Shape{4, 2, 3}}) {
    const Tensor t = empty(shape, {Dtype::f64});
    const auto v = init::orthogonal_(t, 2).to_vector<double>();
    const std::int64_t rows = t.size(0), columns = t.numel() / rows;
    const bool wide = rows < columns;
    const std::int64_t m = wide ? rows : columns, n = wide ? columns : rows;
    const auto at = [&](std::int64_t i, std::int64_t k) {
      return v[static_cast<std::size_t>(wide ? i * columns + k : k * columns + i)];
    };
    for (std::int64_t i = 0; i < m; ++i) {
      for (std::int64_t j = 0; j < m; ++j) {
        double dot = 0;
        for (std::int64_t k = 0; k < n; ++k) dot += at(i, k) * at(j, k);
        EXPECT_NEAR(dot, i == j ? 4 : 0, 1e-13);
      }
    }
  }
  // Uniform over all orthogonal matrices: both determinants, every sign of an entry.
  int positive = 0;
  const Tensor t = empty({3, 3});
  for (int i = 0; i < 400; ++i) positive += init::orthogonal_(t).to_vector<float>()[0] > 0;
  EXPECT_NEAR(positive, 200, 40);
}

TEST(Init, DrawsFromItsOwnStreamAndKeepsTheLeaf) {
  const Tensor t = empty({8}, {.requires_grad = true});
  manual_seed(1);
  const auto a = init::normal_(t).to_vector<float>();
  EXPECT_EQ(random_state().op, 1u);
  {
    const RandomScope scope(1, 0, 0, 4, 8, 4);  // a parameter is not a row of a batch
    EXPECT_EQ(init::normal_(t).to_vector<float>(), a);
  }
  EXPECT_TRUE(t.requires_grad());
}

}  // namespace
}  // namespace gradus::nn
