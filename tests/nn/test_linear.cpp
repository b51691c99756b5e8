// The smallest network: it prints, computes, has the right first values, and learns.
#include <gtest/gtest.h>

#include <cmath>

#include "gradus/autograd/functions.h"
#include "gradus/autograd/node.h"
#include "gradus/nn/nn.h"

namespace gradus::nn {
namespace {

TEST(Linear, ShapesValuesAndPrinting) {
  manual_seed(2);
  Linear fc(3, 2);
  EXPECT_EQ(to_string(fc), "Linear(in_features=3, out_features=2, bias=True)");
  EXPECT_EQ(fc.num_parameters(), 8);
  EXPECT_EQ(fc.parameters()[1].role, Role::bias);
  EXPECT_EQ(fc(ones({5, 4, 3})).shape(), (Shape{5, 4, 2}));
  const auto w = fc.weight.to_vector<float>(), b = fc.bias.to_vector<float>();
  for (float v : w) EXPECT_LT(std::abs(v), 1 / std::sqrt(3.0f));
  const float x[] = {1, -2, 3};
  const auto y = fc(from_data(x, {1, 3})).to_vector<float>();
  for (std::size_t i = 0; i < 2; ++i)
    EXPECT_NEAR(y[i], w[3 * i] - 2 * w[3 * i + 1] + 3 * w[3 * i + 2] + b[i], 1e-6);
  EXPECT_EQ(state_dict(Linear(3, 2, false)).size(), 1u);
  EXPECT_THROW(fc(ones({5, 4})), Error);
}

TEST(Linear, ASmallNetworkLearns) {
  manual_seed(5);
  Sequential net{Linear(2, 16), Tanh(), Linear(16, 1)};
  EXPECT_EQ(net.num_parameters(), 65);
  const float points[] = {0, 0, 0, 1, 1, 0, 1, 1}, wanted[] = {-1, 1, 1, -1};  // exclusive or
  const Tensor x = from_data(points, {4, 2}), t = from_data(wanted, {4, 1});
  double error = 0;
  for (int step = 0; step < 300; ++step) {
    net.zero_grad();
    const Tensor y = net(x);
    const Tensor difference = y.detach() - t;
    error = 0;
    for (float d : difference.to_vector<float>()) error += d * d;
    y.backward(difference * 0.5);
    const NoGrad guard;
    for (const Parameter& p : net.parameters()) p.sub_(p.grad() * 0.2);
  }
  EXPECT_LT(error, 1e-3);
}

TEST(Activations, PrintTheirOptions) {
  EXPECT_EQ(to_string(ELU()), "ELU(alpha=1.0)");
  EXPECT_EQ(to_string(GELU()), "GELU(approximate='none')");
  EXPECT_EQ(to_string(Softplus(2)), "Softplus(beta=2.0, threshold=20.0)");
  EXPECT_EQ(to_string(PReLU(3)), "PReLU(num_parameters=3)");
  EXPECT_EQ(to_string(Softmax(-1)), "Softmax(dim=-1)");
  EXPECT_EQ(to_string(Flatten()), "Flatten(start_dim=1, end_dim=-1)");
  EXPECT_EQ(to_string(Unflatten(1, {2, 3})), "Unflatten(dim=1, unflattened_size=(2, 3))");
}

}  // namespace
}  // namespace gradus::nn
