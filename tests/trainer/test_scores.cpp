// Scores and monitors against their formulas, written out plainly.
#include <gtest/gtest.h>

#include <cmath>

#include "gradus/autograd/functions.h"
#include "gradus/kernels/create.h"
#include "gradus/kernels/literal.h"
#include "gradus/kernels/random.h"
#include "gradus/trainer/monitors.h"
#include "gradus/trainer/scores.h"
#include "gradus/trainer/task.h"

namespace gradus::trainer {
namespace {

const double nan = std::nan("");

TEST(Scores, TopK) {
  const Tensor scores =
      tensor({0.1f, 0.5f, 0.4f, 0.9f, 0.2f, 0.3f, NAN, 0.2f, 0.3f}).reshape({3, 3});
  const Tensor right = tensor({2, 1, 0}, {Dtype::i64});
  EXPECT_EQ(is_in_top(scores, right, 1).to_vector<bool>(), (std::vector<bool>{0, 0, 0}));
  EXPECT_EQ(is_in_top(scores, right, 2).to_vector<bool>(), (std::vector<bool>{1, 0, 0}));
  EXPECT_EQ(is_in_top(scores, right, 3).to_vector<bool>(), (std::vector<bool>{1, 1, 0}));
}

TEST(Scores, Confusion) {
  const Tensor counts =
      confusion(tensor({0, 1, 1, 2}, {Dtype::i64}), tensor({0, 1, 2, 2}, {Dtype::i64}), 3);
  EXPECT_EQ(counts.to_vector<std::int64_t>(),
            (std::vector<std::int64_t>{1, 0, 0, 0, 1, 0, 0, 1, 1}));
  EXPECT_EQ(sum(confusion(tensor({3, 0}, {Dtype::i64}), tensor({0, -100}, {Dtype::i64}), 3))
                .item<std::int64_t>(),
            0)
      << "what is none of the classes counts nowhere";
  const Table table = confusion_table(counts);
  EXPECT_EQ(table.columns, (std::vector<std::string>{"right \\ predicted", "0", "1", "2"}));
  EXPECT_EQ(table.rows.at(2), (std::vector<std::string>{"2", "0", "1", "1"}));
}

/// The kernel form, all pairs written out.
TEST(Scores, CrpsIsTheSumOverPairs) {
  manual_seed(4);
  const Tensor x = randn({5, 4, 3}), y = randn({5, 3});
  const auto e = x.to_vector<double>(), t = y.to_vector<double>();
  for (const bool fair : {false, true}) {
    const auto got = crps(x, y, fair).to_vector<double>();
    for (int n = 0; n < 5; ++n) {
      double want = 0;
      for (int k = 0; k < 3; ++k) {
        const auto member = [&](int i) { return e[std::size_t((n * 4 + i) * 3 + k)]; };
        double distance = 0, pairs = 0;
        for (int i = 0; i < 4; ++i) {
          distance += std::abs(member(i) - t[std::size_t(n * 3 + k)]) / 4;
          for (int j = 0; j < 4; ++j) pairs += std::abs(member(i) - member(j));
        }
        want += (distance - pairs / (2 * (fair ? 12 : 16))) / 3;
      }
      EXPECT_NEAR(got[std::size_t(n)], want, 1e-6);
    }
  }
}

TEST(Scores, MeasuresOfErrorFollowFromSumsOverBatches) {
  manual_seed(5);
  const Tensor y = randn({12, 4}), target = y * 0.5 + randn({12, 4}) + 3, climate = randn({4});
  const auto p = y.to_vector<double>(), t = target.to_vector<double>(),
             c = climate.to_vector<double>();
  double squared = 0, absolute = 0, bias = 0, mean = 0, spread = 0, both = 0, f2 = 0, o2 = 0;
  for (const double v : t) mean += v / 48;
  for (std::size_t i = 0; i < 48; ++i) {
    squared += (p[i] - t[i]) * (p[i] - t[i]) / 48;
    absolute += std::abs(p[i] - t[i]) / 48;
    bias += (p[i] - t[i]) / 48;
    spread += (t[i] - mean) * (t[i] - mean) / 48;
    both += (p[i] - c[i % 4]) * (t[i] - c[i % 4]);
    f2 += (p[i] - c[i % 4]) * (p[i] - c[i % 4]);
    o2 += (t[i] - c[i % 4]) * (t[i] - c[i % 4]);
  }
  Metrics metrics;
  for (const auto& [from, rows] : {std::pair{0, 5}, std::pair{5, 7}}) {  // unequal batches
    PooledVector<Metric> records;
    add_records(records,
                error_sums(y.narrow(0, from, rows), target.narrow(0, from, rows), climate));
    for (const Metric& m : records) metrics.add("valid", m.name, m.value, rows);
  }
  Values means = metrics.means();
  summarize_errors("valid", means);
  EXPECT_EQ(means.size(), 5u);  // the sums are gone
  EXPECT_NEAR(*find(means, "valid/rmse"), std::sqrt(squared), 1e-6);
  EXPECT_NEAR(*find(means, "valid/mae"), absolute, 1e-6);
  EXPECT_NEAR(*find(means, "valid/bias"), bias, 1e-6);
  EXPECT_NEAR(*find(means, "valid/r2"), 1 - squared / spread, 1e-5);
  EXPECT_NEAR(*find(means, "valid/acc"), both / std::sqrt(f2 * o2), 1e-6);
}

TEST(Scores, SpreadIsTheDeviationOfMembers) {
  const Tensor x = tensor({1.f, 3.f, 5.f, 2.f, 2.f, 2.f}).reshape({2, 3});
  EXPECT_EQ(ensemble_variance(x).to_vector<double>(), (std::vector<double>{4, 0}));
}

TEST(Monitors, RankMeCountsDirections) {
  manual_seed(3);
  const Tensor full = randn({400, 8}), line = randn({400, 1}).matmul(randn({1, 8}));
  EXPECT_NEAR(rankme(eye(6)), 6, 1e-3);
  EXPECT_GT(rankme(full), 7.8);
  EXPECT_NEAR(rankme(line), 1, 1e-3);
  EXPECT_NEAR(rankme(full.narrow(1, 0, 3).matmul(randn({3, 8}))), 3, 0.5);
}

TEST(Monitors, LidarCountsDirectionsThatTellSamplesApart) {
  manual_seed(6);
  // Samples differ in 3 of 8 directions; views add a little of everything.
  const Tensor centers = cat({randn({300, 1, 3}), zeros({300, 1, 5})}, 2);
  const Tensor views = centers.expand({300, 10, 8}) + randn({300, 10, 8}) * 0.05;
  EXPECT_NEAR(lidar(views), 3, 0.3);
  // RankMe is deceived by noise that says nothing about samples; LiDAR is not.
  const Tensor noisy = centers.expand({300, 10, 8}) +
                       randn({300, 10, 8}) * tensor({.01f, .01f, .01f, 1.f, 1.f, 1.f, 1.f, 1.f});
  EXPECT_GT(rankme(noisy.flatten(0, 1)), 7);
  EXPECT_LT(lidar(noisy), 3.5);
}

}  // namespace
}  // namespace gradus::trainer
