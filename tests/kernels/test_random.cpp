// Random values: their distribution, and that they depend on position alone.
#include <gtest/gtest.h>

#include <cmath>
#include <numeric>
#include <set>

#include "gradus/autograd/functions.h"
#include "gradus/autograd/node.h"
#include "gradus/kernels/create.h"
#include "gradus/kernels/math/erfinv.h"
#include "gradus/tensor/parallel.h"

namespace gradus {
namespace {

struct Moments {
  double mean, deviation, least, most;
};
Moments moments(const Tensor& t) {
  const std::vector<double> v = t.to_vector<double>();
  const double n = static_cast<double>(v.size());
  const double mean = std::accumulate(v.begin(), v.end(), 0.0) / n;
  double square = 0;
  for (double x : v) square += (x - mean) * (x - mean);
  const auto [lo, hi] = std::minmax_element(v.begin(), v.end());
  return {mean, std::sqrt(square / n), *lo, *hi};
}

constexpr std::int64_t many = 200'000;

TEST(RandomValues, HaveTheMomentsOfTheirDistribution) {
  manual_seed(1);
  for (Dtype dtype : {Dtype::f32, Dtype::f64, Dtype::bf16, Dtype::f16}) {
    SCOPED_TRACE(std::string(to_string(dtype)));
    const Moments u = moments(rand({many}, {dtype}));
    EXPECT_NEAR(u.mean, 0.5, 0.004);
    EXPECT_NEAR(u.deviation, std::sqrt(1.0 / 12), 0.003);
    EXPECT_GE(u.least, 0);
    EXPECT_LT(u.most, 1);
    const Moments n = moments(randn({many}, {dtype}));
    EXPECT_NEAR(n.mean, 0, 0.01);
    EXPECT_NEAR(n.deviation, 1, 0.01);
    EXPECT_GT(n.most, 4);
    Tensor t = empty({many}, {dtype});
    trunc_normal_(t, 1, 0.5, 0, 3);  // -2 and 4 deviations
    const Moments m = moments(t);
    EXPECT_GE(m.least, 0);
    EXPECT_LE(m.most, 3);
    EXPECT_NEAR(m.mean, 1.0276, 0.005);  // mean of a normal variable cut at these bounds
    EXPECT_NEAR(m.deviation, 0.4705, 0.005);
  }
}

TEST(RandomValues, NormalValuesFollowTheDistributionFunction) {
  const Tensor t = randn({many}, {}, *std::make_unique<Generator>(3));
  std::vector<double> v = t.to_vector<double>();
  std::sort(v.begin(), v.end());
  double distance = 0;  // Kolmogorov and Smirnov's
  for (std::size_t i = 0; i < v.size(); ++i) {
    const double p = 0.5 * std::erfc(-v[i] / std::sqrt(2.0));
    distance = std::max(distance, std::abs(p - (static_cast<double>(i) + 0.5) / many));
  }
  EXPECT_LT(distance, 1.63 / std::sqrt(double{many}));  // 1 in 100 samples is worse
}

TEST(RandomValues, AreTheSameForAnyNumberOfThreadsAndAnyStart) {
  const int before = num_threads();
  const auto draws = [] {
    Generator g(9);
    std::vector<Tensor> all{rand({100'003}, {}, g), randn({100'003}, {Dtype::f64}, g),
                            randint(0, 1000, {100'003}, {Dtype::i64}, g)};
    Tensor x = ones({3, 33'333});
    const RandomScope scope(1, 2);
    all.push_back(dropout(x, 0.3));
    return all;
  };
  set_num_threads(1);
  const std::vector<Tensor> a = draws();
  set_num_threads(3);
  const std::vector<Tensor> b = draws();
  set_num_threads(before);
  for (std::size_t i = 0; i < a.size(); ++i)
    EXPECT_EQ(a[i].to_vector<double>(), b[i].to_vector<double>()) << i;

  const Tensor whole = empty({1000}), part = empty({500});
  cpu::normal({.seed = 4}, 0, 1, whole);
  cpu::normal({.seed = 4, .first = 403}, 0, 1, part);
  const auto w = whole.to_vector<float>(), p = part.to_vector<float>();
  EXPECT_TRUE(std::equal(p.begin(), p.end(), w.begin() + 403));
}

TEST(RandomValues, SingleAndDoubleAreTheSameNumbers) {
  Generator g(2), h(2);
  const auto a = rand({1000}, {Dtype::f32}, g).to_vector<double>();
  const auto b = rand({1000}, {Dtype::f64}, h).to_vector<double>();
  for (std::size_t i = 0; i < a.size(); ++i) EXPECT_NEAR(a[i], b[i], 0x1p-23);
}

TEST(RandomValues, Integers) {
  manual_seed(7);
  const auto v = randint(-3, 4, {70'000}).to_vector<std::int64_t>();
  std::vector<int> count(7);
  for (std::int64_t x : v) ++count.at(static_cast<std::size_t>(x + 3));
  for (int c : count) EXPECT_NEAR(c, 10'000, 450);
  const auto wide = randint(INT64_MIN, INT64_MAX, {1000}).to_vector<double>();
  EXPECT_GT(*std::max_element(wide.begin(), wide.end()), 9e18);
  EXPECT_LT(*std::min_element(wide.begin(), wide.end()), -9e18);
  EXPECT_EQ(randint(0, 9, {2}, {Dtype::u8}).dtype(), Dtype::u8);
  EXPECT_THROW(randint(3, 3, {1}), Error);

  const auto order = randperm(1000).to_vector<std::int64_t>();
  EXPECT_EQ(std::set<std::int64_t>(order.begin(), order.end()).size(), 1000u);
  EXPECT_NE(order, randperm(1000).to_vector<std::int64_t>());
  EXPECT_FALSE(std::is_sorted(order.begin(), order.end()));
  EXPECT_EQ(randperm(0).numel(), 0);
}

TEST(RandomValues, Bernoulli) {
  manual_seed(8);
  EXPECT_NEAR(moments(bernoulli(full({many}, 0.2))).mean, 0.2, 0.004);
  const double edges[] = {0, 1, 0, 1};
  EXPECT_EQ(bernoulli(from_data(edges, {4}, {Dtype::f64})).to_vector<double>(),
            std::vector<double>(edges, edges + 4));
  EXPECT_THROW(bernoulli(full({1}, 1.5)), Error);
  EXPECT_THROW(bernoulli(full({1}, NAN)), Error);
}

TEST(RandomValues, Multinomial) {
  manual_seed(9);
  const float weights[] = {1, 0, 3, 0, 0, 5, 5, 0};
  const Tensor w = from_data(weights, {2, 4});
  const Tensor y = multinomial(w, 20'000, true);
  EXPECT_EQ(y.shape(), (Shape{2, 20'000}));
  const auto v = y.to_vector<std::int64_t>();
  EXPECT_NEAR(std::count(v.begin(), v.begin() + 20'000, 2), 15'000, 300);
  EXPECT_EQ(
      std::count(v.begin(), v.begin() + 20'000, 0) + std::count(v.begin(), v.begin() + 20'000, 2),
      20'000);
  EXPECT_NEAR(std::count(v.begin() + 20'000, v.end(), 1), 10'000, 350);
  int first_is_two = 0;
  for (int i = 0; i < 2000; ++i) {
    const auto pair = multinomial(w[0], 2).to_vector<std::int64_t>();
    EXPECT_EQ(pair[0] + pair[1], 2);
    first_is_two += pair[0] == 2;
  }
  EXPECT_NEAR(first_is_two, 1500, 90);
  EXPECT_THROW(multinomial(w, 3), Error);
  EXPECT_THROW(multinomial(zeros({3}), 1, true), Error);
  EXPECT_THROW(multinomial(full({3}, -1), 1, true), Error);
}

TEST(RandomValues, ErfinvUndoesErf) {
  for (float x : {-0.999f, -0.5f, -1e-6f, 1e-30f, 0.1f, 0.97f, 0.9999f, 1 - 0x1p-24f}) {
    const double y = math::erfinv(static_cast<double>(x));
    EXPECT_NEAR(std::erf(y) / x, 1, 1e-14);
    EXPECT_NEAR(math::erfinv(x) / y, 1, 1e-6) << x;
  }
  EXPECT_NEAR(math::erfinv(1 - 0x1p-53), 5.863584748755168, 1e-12);
  EXPECT_EQ(math::erfinv(-1.0f), -INFINITY);
  EXPECT_TRUE(std::isnan(math::erfinv(1.5f)));
  EXPECT_TRUE(std::isnan(math::erfinv(-1.5)));
}

TEST(Dropout, KeepsTheMeanAndScalesTheGradientAlike) {
  manual_seed(4);
  Tensor x = ones({400, 500});
  x.set_requires_grad(true);
  const Tensor y = dropout(x, 0.25);
  const Moments m = moments(y.detach());
  EXPECT_NEAR(m.mean, 1, 0.006);
  EXPECT_EQ(m.least, 0);
  EXPECT_FLOAT_EQ(static_cast<float>(m.most), 1 / 0.75f);
  y.backward(ones(y.shape()));
  EXPECT_EQ(x.grad().to_vector<float>(), y.to_vector<float>());
  EXPECT_EQ(dropout(x, 0.25, false).raw(), x.raw());
  EXPECT_EQ(moments(dropout(x.detach(), 1)).most, 0);
  EXPECT_THROW(dropout(x, 1.1), Error);
}

TEST(Dropout, MaskDoesNotDependOnTheSplitNorOnStrides) {
  const Tensor x = randn({8, 6, 5});
  const auto mask_of = [&](std::int64_t from, std::int64_t to, const Tensor& in) {
    const RandomScope scope(7, 3, 0, from, 8, to - from);
    return dropout(in.slice(0, from, to), 0.5).to_vector<float>();
  };
  const auto whole = mask_of(0, 8, x);
  std::vector<float> parts;
  for (std::int64_t from : {0, 3, 4}) {
    const auto part = mask_of(from, from == 0 ? 3 : from == 3 ? 4 : 8, x);
    parts.insert(parts.end(), part.begin(), part.end());
  }
  EXPECT_EQ(whole, parts);
  EXPECT_NE(std::count(whole.begin(), whole.end(), 0.0f), 0);
  const Tensor other = x.permute({2, 0, 1}).contiguous().permute({1, 2, 0});
  EXPECT_FALSE(other.is_contiguous());
  EXPECT_EQ(mask_of(0, 8, other), whole);
}

TEST(Dropout, NaNPropagates) {
  const auto v = dropout(full({64}, NAN), 0.5).to_vector<float>();
  EXPECT_TRUE(std::all_of(v.begin(), v.end(), [](float x) { return std::isnan(x); }));
}

TEST(RandomInPlace, AGeneratorIsASequenceOfItsOwn) {
  manual_seed(5);
  const RandomState before = random_state();
  const Tensor a = empty({100}), b = empty({100});
  for (const Tensor& t : {a, b}) {
    Generator generator{9};
    normal_(t, 1, 2, generator);
    const std::vector<float> normal = t.to_vector<float>();
    uniform_(t, -1, 1, generator);
    EXPECT_NE(t.to_vector<float>(), normal);
    trunc_normal_(t, 0, 1, -0.5, 0.5, generator);
  }
  EXPECT_EQ(a.to_vector<float>(), b.to_vector<float>());
  EXPECT_LE(amax(abs(a)).item<float>(), 0.5f);
  EXPECT_EQ(random_state(), before);
}

TEST(RandomInPlace, RefusesLeavesThatWantAGradient) {
  Tensor t = zeros({4});
  normal_(t);
  EXPECT_NE(moments(t).deviation, 0);
  t.set_requires_grad(true);
  EXPECT_THROW(uniform_(t), Error);
  const NoGrad guard;
  uniform_(t, 5, 6);
  EXPECT_GE(moments(t).least, 5);
}

}  // namespace
}  // namespace gradus
