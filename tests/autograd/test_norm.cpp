// What the normalisations promise beyond their gradients: exact statistics, running statistics,
// memory orders, batches split in two, special values, errors and threads.
#include "gradus/autograd/images.h"
#include "gradus/autograd/node.h"
#include "gradus/tests/autograd/numbers.h"

namespace gradus::testing {
namespace {

struct Moments {
  double mean, var;
};
Moments moments(const std::vector<double>& v) {
  Moments m{0, 0};
  for (double x : v) m.mean += x / static_cast<double>(v.size());
  for (double x : v) m.var += (x - m.mean) * (x - m.mean) / static_cast<double>(v.size());
  return m;
}

TEST(LayerNorm, RowsHaveMeanZeroAndVarianceOneEvenFarFromZero) {
  for (std::int64_t n : {5, 16, 100, 1000}) {
    // A naive sum of squares minus the squared mean loses all digits here.
    const Tensor x = uniform({4, n}, 1, 9999, 10001), y = layer_norm(x, {n}, {}, {}, 0);
    for (int r = 0; r < 4; ++r) {
      const Moments m = moments(values(y.select(0, r)));
      EXPECT_NEAR(m.mean, 0, 2e-3);
      EXPECT_NEAR(m.var, 1, 2e-3);
    }
  }
}

TEST(LayerNorm, AgreesWithItsFormula) {
  const Tensor x = uniform({3, 50}, 1, -1, 3, Dtype::f64), w = uniform({50}, 2, -1, 1, Dtype::f64),
               b = uniform({50}, 3, -1, 1, Dtype::f64);
  const Tensor y = layer_norm(x, {50}, w, b, 1e-3), z = rms_norm(x, {50}, w, 1e-3);
  for (std::int64_t r = 0; r < 3; ++r) {
    const std::vector<double> v = values(x.select(0, r));
    const Moments m = moments(v);
    std::vector<double> normal, rms;
    for (std::size_t i = 0; i < 50; ++i) {
      normal.push_back((v[i] - m.mean) / std::sqrt(m.var + 1e-3) * values(w)[i] + values(b)[i]);
      rms.push_back(v[i] / std::sqrt(m.var + m.mean * m.mean + 1e-3) * values(w)[i]);
    }
    expect_values(y.select(0, r), normal, 1e-13);
    expect_values(z.select(0, r), rms, 1e-13);
  }
}

TEST(LayerNorm, HalfTypesComputeInFloat) {
  const Tensor x = as_dtype(uniform({4, 40}, 1), Dtype::bf16),
               w = as_dtype(uniform({40}, 2), Dtype::bf16);
  const auto wide = [](const Tensor& t) { return as_dtype(t, Dtype::f32); };
  expect_same_bits(layer_norm(x, {40}, w),
                   as_dtype(layer_norm(wide(x), {40}, wide(w)), Dtype::bf16));
}

TEST(GroupNorm, OneGroupIsLayerNormAndGroupsOfOneAreInstanceNorm) {
  const Tensor x = uniform({3, 6, 5, 4}, 1, -2, 2, Dtype::f64),
               w = uniform({6}, 2, -1, 1, Dtype::f64), b = uniform({6}, 3, -1, 1, Dtype::f64);
  const Tensor wide = w.unsqueeze(1).unsqueeze(1).expand({6, 5, 4}),
               shift = b.unsqueeze(1).unsqueeze(1).expand({6, 5, 4});
  expect_near(group_norm(x, 1, w, b), layer_norm(x, {6, 5, 4}, wide, shift), 1e-13);
  expect_same_bits(group_norm(x, 6, w, b), instance_norm(x, {}, {}, w, b));
  expect_near(instance_norm(x), layer_norm(x.reshape({3, 6, 20}), {20}).reshape({3, 6, 5, 4}),
              1e-13);
}

/// The gradients of weight and bias over parts of a batch, one after another.
std::vector<Tensor> affine_gradients(const std::function<Tensor(Tensor, Tensor, Tensor)>& f,
                                     const Tensor& x, const Tensor& dy, std::int64_t channels,
                                     const std::vector<std::int64_t>& ends) {
  const Tensor w = leaf(uniform({channels}, 5)), b = leaf(uniform({channels}, 6));
  std::int64_t begin = 0;
  for (std::int64_t end : ends) {
    f(x.slice(0, begin, end), w, b).backward(dy.slice(0, begin, end));
    begin = end;
  }
  return {w.grad(), b.grad()};
}

TEST(Norm, AffineGradientsOfASplitBatchAreThoseOfTheWhole) {
  const Tensor x = uniform({30, 6, 7}, 1), dy = uniform({30, 6, 7}, 2);
  const auto same = [&](auto f, std::int64_t channels) {
    const auto whole = affine_gradients(f, x, dy, channels, {30});
    const auto parts = affine_gradients(f, x, dy, channels, {10, 17, 30});
    expect_same_bits(whole[0], parts[0]);
    expect_same_bits(whole[1], parts[1]);
  };
  same([](Tensor x, Tensor w, Tensor b) { return layer_norm(x, {7}, w, b); }, 7);
  same([](Tensor x, Tensor w, Tensor b) { return group_norm(x, 3, w, b); }, 6);
}

TEST(BatchNorm, TrainingUsesTheBatchAndMovesTheRunningStatistics) {
  const Tensor x = uniform({8, 3, 5, 5}, 1, 99, 103), mean = ones({3}), var = full({3}, 2);
  const Tensor y = batch_norm(x, mean, var, {}, {}, true, 0.25, 0);
  for (int c = 0; c < 3; ++c) {
    const Moments in = moments(values(x.select(1, c))), out = moments(values(y.select(1, c)));
    EXPECT_NEAR(out.mean, 0, 1e-4);
    EXPECT_NEAR(out.var, 1, 1e-4);
    EXPECT_NEAR(mean.data<float>()[c], 0.75 * 1 + 0.25 * in.mean, 1e-4);
    EXPECT_NEAR(var.data<float>()[c], 0.75 * 2 + 0.25 * in.var * 200 / 199, 1e-5);
  }
  const Tensor e = batch_norm(x, mean, var, {}, {}, false, 0.25, 1e-3);
  for (int c = 0; c < 3; ++c) {
    const double m = mean.data<float>()[c], v = var.data<float>()[c];
    EXPECT_NEAR(values(e.select(1, c))[7], (values(x.select(1, c))[7] - m) / std::sqrt(v + 1e-3),
                1e-4);
  }
}

TEST(BatchNorm, StatisticsAreAccurateFarFromZero) {
  const Tensor x = uniform({64, 2, 30, 30}, 1, 9999, 10001);
  const Tensor mean = zeros({2}), var = zeros({2});
  batch_norm(x, mean, var, {}, {}, true, 1);
  for (int c = 0; c < 2; ++c) {
    const Moments m = moments(values(x.select(1, c)));
    EXPECT_NEAR(mean.data<float>()[c], m.mean, 1e-3);
    EXPECT_NEAR(var.data<float>()[c], m.var, 1e-5 * m.var * 57600 / 57599 + 2e-5);
  }
}

TEST(BatchNorm, NonFiniteBatchesLeaveTheRunningStatisticsOfTheirChannelsAlone) {
  const Tensor x = uniform({4, 3, 2}, 1), mean = zeros({3}), var = ones({3});
  x.data<float>()[2] = NAN;       // channel 1
  x.data<float>()[4] = INFINITY;  // channel 2
  const Tensor y = batch_norm(x, mean, var, {}, {}, true);
  EXPECT_TRUE(std::isnan(values(y.select(1, 1))[0]) && std::isnan(values(y.select(1, 2))[5]));
  EXPECT_NE(values(mean)[0], 0);
  expect_values(mean.slice(0, 1, 3), {0, 0}, 0);
  expect_values(var.slice(0, 1, 3), {1, 1}, 0);
}

TEST(BatchNorm, ChannelsLastGivesTheSameBitsAndStrides) {
  for (const Shape& shape : {Shape{5, 70, 9, 11}, {40, 3, 4, 3}, {2, 65, 20, 20}}) {
    const Tensor x = leaf(uniform(shape, 1)), dy = uniform(shape, 2);
    const Tensor home = empty_images(shape, {}, true);
    copy_into(x.detach(), home);
    home.set_requires_grad(true);
    std::vector<std::vector<Tensor>> results;
    for (const Tensor& in : {x, home}) {
      const Tensor w = leaf(uniform({shape[1]}, 3)), b = leaf(uniform({shape[1]}, 4));
      const Tensor mean = zeros({shape[1]}), var = ones({shape[1]});
      const Tensor y = batch_norm(in, mean, var, w, b, true);
      y.backward(dy);
      results.push_back({y, in.grad(), w.grad(), b.grad(), mean, var});
    }
    EXPECT_TRUE(is_channels_last(results[1][0]));
    for (std::size_t i = 0; i < results[0].size(); ++i) {
      expect_same_bits(results[0][i], results[1][i]);
    }
  }
}

TEST(Norm, BitsDoNotDependOnThreads) {
  const Tensor x = uniform({64, 40, 6, 9}, 1), rows = uniform({500, 200}, 2);
  expect_same_for_all_threads([&] {
    const Tensor a = leaf(x), b = leaf(x), r = leaf(rows);
    const Tensor w = leaf(uniform({40}, 3)), v = leaf(uniform({200}, 4)), g = leaf(ones({40}));
    const Tensor mean = zeros({40}), var = ones({40});
    const Tensor y = batch_norm(a, mean, var, w, {}, true), z = layer_norm(r, {200}, v),
                 u = group_norm(b, 8, g);
    y.backward(x);
    z.backward(rows);
    u.backward(x);
    return std::vector<Tensor>{y,        z,        u,        mean,     var,     a.grad(),
                               b.grad(), r.grad(), w.grad(), v.grad(), g.grad()};
  });
}

TEST(Norm, EmptyBatches) {
  const Tensor w = leaf(ones({4})), b = leaf(ones({4}));
  layer_norm(zeros({0, 4}), {4}, w, b).backward(zeros({0, 4}));
  expect_values(w.grad(), {0, 0, 0, 0}, 0);
  group_norm(zeros({0, 4, 3}), 2, w, b).backward(zeros({0, 4, 3}));
  group_norm(zeros({2, 4, 0}), 2, w, b).backward(zeros({2, 4, 0}));
  const Tensor mean = zeros({4}), var = ones({4});
  EXPECT_EQ(batch_norm(zeros({0, 4, 3}), mean, var, w, b, true).shape(), Shape({0, 4, 3}));
  expect_values(var, {1, 1, 1, 1}, 0);
  expect_values(b.grad(), {0, 0, 0, 0}, 0);
}

TEST(Norm, NanStaysInItsRow) {
  const Tensor x = tensor_of<float>({1, NAN, 3, 1, 2, 3}, {2, 3});
  for (const Tensor& y : {layer_norm(x, {3}), rms_norm(x, {3})}) {
    const std::vector<double> v = values(y);
    EXPECT_TRUE(std::isnan(v[0]) && std::isnan(v[1]) && std::isnan(v[2]));
    EXPECT_TRUE(std::isfinite(v[3]));
  }
}

TEST(Norm, ErrorsSayWhatDoesNotFit) {
  const Tensor x = zeros({2, 6, 4});
  expect_error(ErrorKind::shape, {"layer_norm", "(5)", "(2, 6, 4)"}, [&] { layer_norm(x, {5}); });
  expect_error(ErrorKind::shape, {"layer_norm", "bias", "(4)", "(6)"},
               [&] { layer_norm(x, {4}, {}, ones({6})); });
  expect_error(ErrorKind::argument, {"group_norm", "6 channels", "4 groups"},
               [&] { group_norm(x, 4); });
  expect_error(ErrorKind::shape, {"batch_norm", "more than one", "(1, 6)"}, [] {
    batch_norm(zeros({1, 6}), {}, {}, {}, {}, true);
  });
  expect_error(ErrorKind::argument, {"batch_norm", "running_mean"}, [&] { batch_norm(x); });
  expect_error(ErrorKind::shape, {"batch_norm", "weight", "(6)", "(4)"},
               [&] { batch_norm(x, {}, {}, ones({4}), {}, true); });
  expect_error(ErrorKind::dtype, {"layer_norm", "i64"}, [] {
    layer_norm(zeros({2, 3}, {Dtype::i64}), {3});
  });
}

}  // namespace
}  // namespace gradus::testing
