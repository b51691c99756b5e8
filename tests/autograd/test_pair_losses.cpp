// What the losses of pairs promise beyond their gradients: PyTorch's values, exact means,
// broadcasting, special values, errors, and bits that do not depend on threads.
#include "gradus/tests/autograd/numbers.h"

namespace gradus::testing {
namespace {

TEST(PairLoss, ValuesAreThoseOfPyTorch) {
  const Tensor x = tensor_of<double>({-2, -0.5, 0, 0.25, 1.5, 3}, {6});
  const Tensor t = tensor_of<double>({-1.5, 0.5, 0, 2, 1.25, -1}, {6});
  const Tensor p = tensor_of<double>({1.5, 0.5, 0, 2, 1.25, 1}, {6});
  const auto agree = [](auto f, const std::vector<double>& each, double mean) {
    expect_values(f("none"), each, 2e-12);
    expect_values(f("mean"), {mean}, 1e-15);
    expect_values(f("sum"), {6 * mean}, 1e-14);
  };
  agree([&](Reduction r) { return mse_loss(x, t, r); }, {0.25, 1, 0, 3.0625, 0.0625, 16},
        3.3958333333333335);
  agree([&](Reduction r) { return l1_loss(x, t, r); }, {0.5, 1, 0, 1.75, 0.25, 4}, 1.25);
  agree([&](Reduction r) { return smooth_l1_loss(x, t, r, 0.75); },
        {0.166666666667, 0.625, 0, 1.375, 0.041666666667, 3.625}, 0.9722222222222222);
  agree([&](Reduction r) { return huber_loss(x, t, r, 1.5); }, {0.125, 0.5, 0, 1.5, 0.03125, 4.875},
        1.171875);
  agree([&](Reduction r) { return kl_div(x, p, r); },
        {3.608197662162, -0.09657359028, 0, 0.88629436112, -1.596070560857, -3},
        -0.03302535464251229);
  agree([&](Reduction r) { return kl_div(x, t, r, true); },
        {0.111565080074, 1.6487212707, 0, 12.930848173129, -0.872585739365, -1.471517764686},
        2.0578385033086253);
}

TEST(PairLoss, BatchmeanIsTheSumByTheFirstSize) {
  const Tensor x = uniform({4, 3}, 1, -3, 0, Dtype::f64), t = uniform({4, 3}, 2, 0, 1, Dtype::f64);
  expect_near(kl_div(x, t, "batchmean"), div(kl_div(x, t, "sum"), full({}, 4, {Dtype::f64})), 0);
  expect_error(ErrorKind::argument, {"mse_loss", "batchmean"},
               [&] { mse_loss(x, t, "batchmean"); });
}

TEST(PairLoss, TheMeanDividesTheGradientByTheCount) {
  const Tensor x = leaf(uniform({7}, 1)), t = uniform({7}, 2);
  mse_loss(x, t).backward(full({}, 3));
  const float scale = 3.0f / 7.0f;
  for (int i = 0; i < 7; ++i) {
    const float d = x.data<float>()[i] - t.data<float>()[i];
    EXPECT_EQ(x.grad().data<float>()[i], scale * (2 * d));
  }
}

TEST(PairLoss, BroadcastsAndPromotesAndSumsGradientsBack) {
  const Tensor x = leaf(uniform({3, 4}, 1, -2, 2, Dtype::f64)), t = leaf(uniform({4}, 2));
  const Tensor y = mse_loss(x, t, "none");
  EXPECT_EQ(y.shape(), Shape({3, 4}));
  EXPECT_EQ(y.dtype(), Dtype::f64);
  y.backward(ones({3, 4}, {Dtype::f64}));
  EXPECT_EQ(t.grad().shape(), Shape({4}));
  EXPECT_EQ(t.grad().dtype(), Dtype::f32);
  expect_error(ErrorKind::shape, {"mse_loss", "(3, 4)", "(3)"}, [&] { mse_loss(x, ones({3})); });
}

TEST(PairLoss, NanAndEmptyTensors) {
  const Tensor x = floats({0, NAN, 1}), t = floats({0, 0, NAN});
  for (const auto& f : {mse_loss, l1_loss}) {
    expect_values(f(x, t, "none"), {0, nan, nan});
    expect_values(f(x, t, "mean"), {nan});
    expect_values(f(zeros({0}), zeros({0}), "mean"), {nan});
    expect_values(f(zeros({0}), zeros({0}), "sum"), {0});
  }
  expect_values(huber_loss(x, t, "none"), {0, nan, nan});
  expect_values(smooth_l1_loss(x, t, "none"), {0, nan, nan});
  expect_error(ErrorKind::dtype, {"mse_loss", "i64"}, [] { mse_loss(indices({1}), indices({2})); });
}

TEST(PairLoss, SumsOfWholePartsWriteNothingBeyond) {  // as the sanitizers see
  for (const std::int64_t n : {8 * 4096, 16 * 4096}) {
    const Tensor x = full({n}, 3), t = full({n}, 1);
    EXPECT_EQ(mse_loss(x, t).item<float>(), 4) << n;
    EXPECT_EQ(mse_loss(x, t, "sum").item<float>(), 4.0f * static_cast<float>(n)) << n;
  }
}

TEST(PairLoss, LongSumsAreAccurateAndDoNotDependOnThreads) {
  const Tensor x = uniform({300'001}, 1), t = uniform({300'001}, 2);
  const double exact = values(mse_loss(as_dtype(x, Dtype::f64), as_dtype(t, Dtype::f64)))[0];
  EXPECT_NEAR(values(mse_loss(x, t))[0], exact, 1e-7 * exact);
  expect_same_for_all_threads([&] {
    const Tensor a = leaf(x);
    const Tensor y = mse_loss(a, t);
    y.backward();
    return std::vector<Tensor>{y, a.grad()};
  });
}

}  // namespace
}  // namespace gradus::testing
