// What softmax, cross_entropy and nll_loss promise beyond their gradients: exact forms, memory
// reuse, special values, errors, and bits that do not depend on threads.
#include "gradus/autograd/engine.h"
#include "gradus/tests/autograd/numbers.h"

namespace gradus::testing {
namespace {

const float inf = INFINITY;

TEST(Softmax, RowsSumToOneAndLargeLogitsStayFinite) {
  const Tensor x = tensor_of<float>({1e4f, 1e4f, -1e4f, 0, 0, 0}, {2, 3});
  expect_values(softmax(x, 1), {0.5, 0.5, 0, 1 / 3.0, 1 / 3.0, 1 / 3.0});
  expect_values(log_softmax(x, 1),
                {-std::log(2.0), -std::log(2.0), -2e4 - std::log(2.0), -std::log(3.0),
                 -std::log(3.0), -std::log(3.0)},
                1e-2);
}

TEST(Softmax, EqualsTheDefinitionInDoubleForAnyLength) {
  for (std::int64_t n : {1, 2, 7, 15, 16, 17, 31, 32, 33, 100}) {
    const Tensor x = uniform({3, n}, 5, -8, 8);
    const Tensor y = softmax(x, 1), z = log_softmax(x, 1);
    const std::vector<double> v = values(x), p = values(y), l = values(z);
    for (std::size_t r = 0; r < 3; ++r) {
      const std::size_t w = static_cast<std::size_t>(n);
      double sum = 0;
      for (std::size_t i = 0; i < w; ++i) sum += std::exp(v[r * w + i]);
      for (std::size_t i = 0; i < w; ++i) {
        const double expected = std::exp(v[r * w + i]) / sum;
        EXPECT_NEAR(p[r * w + i], expected, 2e-6 * expected);
        EXPECT_NEAR(l[r * w + i], std::log(expected), 2e-6);
      }
    }
  }
}

TEST(Softmax, NanAndRowsOfMinusInfinityGiveNan) {
  const float n = NAN;
  const Tensor x = tensor_of<float>({0, n, 1, -inf, -inf, -inf, -inf, 0, -inf}, {3, 3});
  expect_values(softmax(x, 1), {nan, nan, nan, nan, nan, nan, 0, 1, 0});
  const std::vector<double> l = values(log_softmax(x, 1));
  EXPECT_TRUE(std::isnan(l[0]) && std::isnan(l[3]));
  EXPECT_EQ(l[6], -INFINITY);
  EXPECT_EQ(l[7], 0);
}

TEST(Softmax, HalfTypesComputeInFloat) {
  for (Dtype half : {Dtype::bf16, Dtype::f16}) {
    const Tensor x = as_dtype(uniform({4, 21}, 3), half);
    expect_same_bits(softmax(x, 1), as_dtype(softmax(as_dtype(x, Dtype::f32), 1), half));
  }
}

TEST(Softmax, EmptyAndZeroDimensionalTensors) {
  EXPECT_EQ(softmax(zeros({0, 5}), 1).shape(), Shape({0, 5}));
  EXPECT_EQ(softmax(zeros({5, 0}), 1).shape(), Shape({5, 0}));
  expect_values(softmax(full({}, 3), 0), {1});
  expect_error(ErrorKind::argument, {"softmax", "dimension 2"}, [] { softmax(zeros({2, 3}), 2); });
  expect_error(ErrorKind::dtype, {"log_softmax", "i64"}, [] {
    log_softmax(zeros({2, 3}, {Dtype::i64}), 1);
  });
}

TEST(CrossEntropy, IsLogSoftmaxAndNllInOne) {
  const Tensor x = uniform({64, 37}, 1, -5, 5, Dtype::f64),
               w = uniform({37}, 2, 0.5, 2, Dtype::f64);
  std::vector<std::int64_t> t(64);
  for (std::size_t i = 0; i < 64; ++i)
    t[i] = i % 5 == 0 ? -100 : static_cast<std::int64_t>(i * 7 % 37);
  for (const char* reduction : {"none", "mean", "sum"}) {
    const Tensor a = leaf(x), b = leaf(x.clone());
    const Tensor y = cross_entropy(a, indices(t), w, -100, reduction);
    const Tensor z = nll_loss(log_softmax(b, 1), indices(t), w, -100, reduction);
    expect_near(y, z, 1e-14);
    y.backward(ones(y.shape(), {Dtype::f64}));
    z.backward(ones(y.shape(), {Dtype::f64}));
    expect_near(a.grad(), b.grad(), 1e-14);
  }
}

// Reference values: torch.nn.functional.cross_entropy in float64.
TEST(CrossEntropy, AgreesWithPyTorch) {
  const Tensor x = tensor_of<double>({0.5, -1.25, 2, 0.125, 1.5, 1.5, -0.75, 3}, {2, 4});
  const Tensor w = tensor_of<double>({1, 2, 0.5, 0.25}, {4});
  const Tensor t = indices({2, 1});
  expect_values(cross_entropy(x, t), {1.1162121018917774}, 1e-14);
  expect_values(cross_entropy(x, t, w, -100, "sum", 0.1), {3.9892498196890824}, 1e-14);
  expect_values(cross_entropy(x, t, w, -100, "mean", 0.1), {1.5956999278756328}, 1e-14);
  const Tensor q = tensor_of<double>({0.1, 0.2, 0.3, 0.4, 0.25, 0.25, 0, 0.5}, {2, 4});
  expect_values(cross_entropy(x, q, w, -100, "mean", 0.1), {1.7318599453660448}, 1e-14);
}

TEST(CrossEntropy, RowGradientIsExactlySoftmaxMinusOneHotTimesTheRowsFactor) {
  const Tensor x = leaf(uniform({9, 10}, 4, -3, 3)), dy = uniform({9}, 6);
  const Tensor t = indices({0, 1, 2, 3, 4, 5, 6, 7, -100});
  cross_entropy(x, t, {}, -100, "none").backward(dy);
  // p from one row alone with dy = 1 must be the same number before the multiplication.
  const Tensor one = leaf(x.detach().clone());
  cross_entropy(one, t, {}, -100, "none").backward(ones({9}));
  const float *g = x.grad().data<float>(), *p = one.grad().data<float>(), *d = dy.data<float>();
  for (int r = 0; r < 9; ++r) {
    for (int c = 0; c < 10; ++c) EXPECT_EQ(g[r * 10 + c], p[r * 10 + c] * d[r]) << r << " " << c;
  }
  for (int c = 0; c < 10; ++c) EXPECT_EQ(g[80 + c], 0);
}

TEST(CrossEntropy, TheMeanDividesTheGradientByTheCount) {
  // 1/3 is not exact: dy / 3 and dy * (1 / 3) differ in the last bit for some dy.
  const Tensor x = leaf(uniform({3, 10}, 4)), y = leaf(x.detach().clone());
  const Tensor t = indices({1, 2, 3});
  const float dy = 5.0f;
  cross_entropy(x, t).backward(full({}, dy));
  cross_entropy(y, t, {}, -100, "none").backward(full({3}, dy / 3.0f));
  expect_same_bits(x.grad(), y.grad());
  EXPECT_NE(dy / 3.0f, dy * (1.0f / 3.0f));
}

TEST(CrossEntropy, WritesItsGradientOverLogitsThatNobodyElseHolds) {
  const Tensor w = leaf(uniform({64, 256}, 1));
  const Tensor t = zeros({64}, {Dtype::i64});
  const auto gradient = [&](bool hold, bool retain) {
    Tensor logits = mul(w, 2.0);
    const void* place = logits.data();
    const Tensor held = hold ? logits.clone() : Tensor();
    const Tensor alias = hold ? logits : Tensor();
    const Tensor loss = cross_entropy(logits, t);
    const void* seen = nullptr;
    logits.register_hook([&](const Tensor& dy) {
      seen = dy.data();
      return Tensor();
    });
    logits = Tensor();
    w.zero_grad();
    loss.backward(ones({}), retain);
    if (hold) expect_same_bits(alias, held);
    if (retain) {
      const Tensor first = w.grad().clone();
      w.zero_grad();
      loss.backward();
      expect_same_bits(first, w.grad());
    }
    return seen == place;
  };
  EXPECT_TRUE(gradient(false, false));
  EXPECT_FALSE(gradient(true, false));
  gradient(false, true);
}

TEST(CrossEntropy, NanReachesTheLossAndItsGradient) {
  const Tensor x = leaf(tensor_of<float>({0, 1, NAN, 2, 3, 4}, {2, 3}));
  const Tensor y = cross_entropy(x, indices({0, 1}), {}, -100, "none");
  EXPECT_TRUE(std::isnan(values(y)[0]));
  EXPECT_FALSE(std::isnan(values(y)[1]));
  y.backward(ones({2}));
  for (int c = 0; c < 3; ++c)
    EXPECT_TRUE(std::isnan(values(x.grad())[static_cast<std::size_t>(c)]));
}

TEST(CrossEntropy, EmptyBatchesAndIgnoredBatches) {
  const Tensor none = zeros({0}, {Dtype::i64});
  expect_values(cross_entropy(zeros({0, 5}), none), {nan});
  expect_values(cross_entropy(zeros({0, 5}), none, {}, -100, "sum"), {0});
  EXPECT_EQ(cross_entropy(zeros({0, 5}), none, {}, -100, "none").shape(), Shape({0}));
  expect_values(cross_entropy(zeros({2, 5}), indices({-100, -100})), {nan});
  expect_values(nll_loss(zeros({2, 5}), indices({-100, -100}), {}, -100, "sum"), {0});
}

TEST(CrossEntropy, ErrorsNameTheValueAndTheClasses) {
  const Tensor x = zeros({3, 10});
  for (std::int64_t bad : {10L, -1L, 1L << 40}) {
    const std::vector<std::string> words{std::to_string(bad), "row 1", "10 classes"};
    expect_error(ErrorKind::argument, words, [&] { cross_entropy(x, indices({0, bad, 2})); });
    expect_error(ErrorKind::argument, words, [&] { nll_loss(x, indices({0, bad, 2})); });
  }
  expect_error(ErrorKind::shape, {"cross_entropy", "(3)", "(2)"}, [&] {
    cross_entropy(x, indices({0, 1}));
  });
  expect_error(ErrorKind::shape, {"weight", "(10)", "(4)"}, [&] {
    cross_entropy(x, indices({0, 1, 2}), ones({4}));
  });
  expect_error(ErrorKind::shape, {"probabilities", "(3, 10)"}, [&] {
    cross_entropy(x, ones({3, 9}));
  });
  expect_error(ErrorKind::argument, {"reduction", "average"}, [&] {
    cross_entropy(x, indices({0, 1, 2}), {}, -100, "average");
  });
  expect_error(ErrorKind::argument, {"label_smoothing"}, [&] {
    cross_entropy(x, indices({0, 1, 2}), {}, -100, "mean", 1.5);
  });
  EXPECT_NO_THROW(cross_entropy(x, indices({0, 1, 2})));
}

TEST(CrossEntropy, BitsDoNotDependOnThreads) {
  const Tensor x = uniform({1000, 77}, 8);
  std::vector<std::int64_t> t(1000);
  for (std::size_t i = 0; i < t.size(); ++i) t[i] = static_cast<std::int64_t>(i % 77);
  expect_same_for_all_threads([&] {
    const Tensor a = leaf(x), b = leaf(x.clone());
    const Tensor y = cross_entropy(a, indices(t)), z = softmax(b, 1);
    y.backward();
    z.backward(x);
    return std::vector<Tensor>{y, z, a.grad(), b.grad()};
  });
}

}  // namespace
}  // namespace gradus::testing
