// Printing tensors and graphs, operations of the user's own, and regions computed twice.
#include <gtest/gtest.h>

#include "gradus/autograd/engine.h"
#include "gradus/autograd/functions.h"
#include "gradus/autograd/gradcheck.h"
#include "gradus/autograd/graph.h"
#include "gradus/kernels/literal.h"

namespace gradus {
namespace {

using Values = std::vector<double>;

TEST(Printing, LooksAsInPyTorch) {
  EXPECT_EQ(to_string(tensor(1.5)), "tensor(1.5000)");
  EXPECT_EQ(to_string(tensor({1.0, 2.5, -3.0})), "tensor([ 1.0000,  2.5000, -3.0000])");
  EXPECT_EQ(to_string(tensor({{1, 2}, {30, 4}})), "tensor([[ 1,  2],\n        [30,  4]])");
  EXPECT_EQ(to_string(tensor({1e-5, 1.0})), "tensor([1.0000e-05, 1.0000e+00])");
  EXPECT_EQ(to_string(tensor({0.0, 1.0}) / 0), "tensor([nan, inf])");
  EXPECT_EQ(to_string(tensor({true, false})), "tensor([ True, False])");
  EXPECT_EQ(to_string(tensor({1.0, 2.0}, {Dtype::f64})), "tensor([1., 2.], dtype=f64)");
  EXPECT_EQ(to_string(empty({0, 3})), "tensor([], size=(0, 3))");
  EXPECT_EQ(to_string(arange(2000)),
            "tensor([0.0000e+00, 1.0000e+00, 2.0000e+00,  ..., 1.9970e+03, 1.9980e+03,\n"
            "        1.9990e+03])");
  EXPECT_EQ(to_string(arange(8).reshape({2, 2, 2})),
            "tensor([[[0., 1.],\n         [2., 3.]],\n\n        [[4., 5.],\n         [6., 7.]]])");
  const Tensor x = tensor({1.0}, {.requires_grad = true});
  EXPECT_EQ(to_string(x), "tensor([1.], requires_grad=True)");
  EXPECT_EQ(to_string(x * 2), "tensor([2.], grad_fn=<mul>)");
  EXPECT_EQ(to_string(Tensor()), "tensor(undefined)");
}

TEST(Graph, DotNamesEveryNodeOnce) {
  const Tensor x = tensor({1.0}, {.requires_grad = true});
  const std::string dot = to_dot(exp(x) * x);
  for (const char* part : {"digraph {", "\"mul\"", "\"exp\"", "\"leaf\", shape=box", " -> "}) {
    const std::size_t at = dot.find(part);
    EXPECT_NE(at, std::string::npos) << part;
    if (part[0] == '"') {
      EXPECT_EQ(dot.find(part, at + 1), std::string::npos) << part;
    }
  }
}

TEST(Custom, IsRecordedAndChecked) {
  const auto cube = [](const Tensor& x, const Tensor& w, bool right) {
    return custom(
        "cube", {x, w}, [](const auto& in) { return in[0] * in[0] * in[0] * in[1]; },
        [right](const Tensor& dy, const auto& in, const Tensor& y) {
          return std::vector<Tensor>{dy * y / in[0] * (right ? 3 : 2), dy * y / in[1]};
        });
  };
  const Tensor x = tensor({1.0, 2.0}, {.dtype = Dtype::f64, .requires_grad = true});
  const Tensor w = tensor({0.5, 3.0}, {.dtype = Dtype::f64, .requires_grad = true});
  gradcheck([&](const auto& in) { return cube(in[0] * 2, in[1], true); }, {x, w});
  EXPECT_THROW(gradcheck([&](const auto& in) { return cube(in[0], in[1], false); }, {x, w}), Error);
  const Tensor y = custom(
      "bad", {x}, [](const auto& in) { return in[0] * 2; },
      [](const Tensor& dy, const auto&, const Tensor&) { return std::vector<Tensor>{dy[0]}; });
  try {
    y.backward(ones({2}, {Dtype::f64}));
    FAIL();
  } catch (const Error& e) {
    EXPECT_NE(std::string(e.what()).find("bad: the gradient of input 0"), std::string::npos);
  }
}

TEST(Checkpoint, GivesTheSameGradientsWithTheSameRandomNumbers) {
  const Tensor w = tensor({0.3, -0.7, 1.1}, {.requires_grad = true});
  int calls = 0;
  bool again = false;
  const auto region = [&](const std::vector<Tensor>& in) {
    ++calls;
    again = is_recomputing();
    return dropout(tanh(in[0] * w), 0.5, true) * in[1];
  };
  const auto run = [&](bool checkpointed) {
    manual_seed(7);
    const Tensor x = tensor({1.0, 2.0, 3.0}, {.requires_grad = true});
    const Tensor c = tensor({5.0, 6.0, 7.0});
    w.zero_grad();
    const Tensor y = checkpointed ? checkpoint(region, {x * 2, c}) : region({x * 2, c});
    sum(y * rand({3})).backward();
    Values all = y.to_vector<double>();
    for (const Tensor& g : {x.grad(), w.grad()}) {
      for (double v : g.to_vector<double>()) all.push_back(v);
    }
    return all;
  };
  const Values plain = run(false);
  EXPECT_EQ(calls, 1);
  EXPECT_EQ(run(true), plain);
  EXPECT_EQ(calls, 3);
  EXPECT_TRUE(again);
  EXPECT_FALSE(is_recomputing());
}

TEST(Checkpoint, GradOfItsInputs) {
  const Tensor x = tensor({1.0, 2.0}, {.dtype = Dtype::f64, .requires_grad = true});
  const auto region = [](const std::vector<Tensor>& in) { return exp(in[0]) * in[0]; };
  gradcheck([&](const auto& in) { return checkpoint(region, {in[0]}); }, {x});
  EXPECT_FALSE(x.grad().defined());
  const Tensor g = grad({sum(checkpoint(region, {x}))}, {x})[0];
  EXPECT_EQ(g.to_vector<double>(), grad({sum(region({x}))}, {x})[0].to_vector<double>());
}

}  // namespace
}  // namespace gradus
