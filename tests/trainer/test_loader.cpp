// Order, prefetching and resuming of the loader; the suite is named Loader so that it also runs
// under TSan.
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "gradus/trainer/data/loader.h"
#include "gradus/trainer/data/permutation.h"

namespace gradus::trainer {
namespace {

DatasetPointer numbers(std::int64_t n) {
  Tensor x = empty({n, 3}), y = empty({n}, {Dtype::i64});
  for (std::int64_t i = 0; i < n; ++i) {
    for (int k = 0; k < 3; ++k) x.data<float>()[3 * i + k] = static_cast<float>(10 * i + k);
    y.data<std::int64_t>()[i] = i;
  }
  return std::make_shared<TensorDataset>(
      std::vector<TensorDataset::Column>{{{"x", {3}, Dtype::f32}, x}, {{"y", {}, Dtype::i64}, y}});
}

std::vector<std::int64_t> labels_of(Loader& loader, std::int64_t epoch, std::int64_t first = 0) {
  std::vector<std::int64_t> all;
  loader.start(epoch, first);
  while (Batch* b = loader.next()) {
    for (std::int64_t i = 0; i < b->size; ++i) {
      const std::int64_t y = (*b)["y"].data<std::int64_t>()[i];
      EXPECT_EQ((*b)["x"].data<float>()[3 * i + 1], static_cast<float>(10 * y + 1));
      all.push_back(y);
    }
  }
  return all;
}

TEST(Loader, PermutationsAreBijectionsThatDifferByEpochAndSeed) {
  for (std::int64_t n : {1, 2, 3, 5, 16, 17, 1000, 60000}) {
    const Permutation p(n, 3, 0);
    std::vector<bool> seen(static_cast<std::size_t>(n));
    for (std::int64_t i = 0; i < n; ++i) {
      ASSERT_GE(p[i], 0);
      ASSERT_LT(p[i], n);
      ASSERT_FALSE(seen[static_cast<std::size_t>(p[i])]);
      seen[static_cast<std::size_t>(p[i])] = true;
    }
  }
  int same = 0, fixed = 0;
  const Permutation a(1000, 3, 0), b(1000, 3, 1), c(1000, 4, 0);
  for (std::int64_t i = 0; i < 1000; ++i) {
    same += (a[i] == b[i]) + (a[i] == c[i]);
    fixed += a[i] == i;
  }
  EXPECT_LT(same, 20);
  EXPECT_LT(fixed, 10);
}

TEST(Loader, EveryOrderIsTheSameForAnyNumberOfWorkers) {
  std::vector<std::int64_t> expected;
  for (int workers : {0, 1, 2, 4}) {
    Loader loader(numbers(103),
                  {.batch_size = 8, .shuffle = true, .seed = 5, .workers = workers, .prefetch = 3});
    EXPECT_EQ(loader.batches(), 13);
    const std::vector<std::int64_t> order = labels_of(loader, 2);
    EXPECT_EQ(std::set<std::int64_t>(order.begin(), order.end()).size(), 103u);
    if (workers == 0) expected = order;
    EXPECT_EQ(order, expected);
    EXPECT_NE(labels_of(loader, 3), expected);
  }
}

TEST(Loader, StartingInTheMiddleGoesOnWhereItStopped) {
  Loader loader(numbers(50), {.batch_size = 8, .shuffle = true, .seed = 1});
  const std::vector<std::int64_t> whole = labels_of(loader, 0);
  const std::vector<std::int64_t> rest = labels_of(loader, 0, 24);
  EXPECT_TRUE(std::equal(rest.begin(), rest.end(), whole.begin() + 24, whole.end()));
}

TEST(Loader, StoppingEarlyAndStartingAgainLosesNothing) {
  Loader loader(numbers(64), {.batch_size = 4, .shuffle = true, .workers = 2});
  const std::vector<std::int64_t> whole = labels_of(loader, 0);
  for (int i = 0; i < 20; ++i) {
    loader.start(7);
    loader.next();
    loader.next();
  }
  EXPECT_EQ(labels_of(loader, 0), whole);
}

TEST(Loader, ABatchThatSomebodyKeptIsNotOverwritten) {
  Loader loader(numbers(64), {.batch_size = 4});
  loader.start(0);
  const Tensor kept = (*loader.next())["y"];
  const std::vector<std::int64_t> before = kept.to_vector<std::int64_t>();
  while (loader.next() != nullptr) {
  }
  EXPECT_EQ(kept.to_vector<std::int64_t>(), before);
}

class Broken final : public Dataset {
 public:
  std::int64_t size() const override { return 20; }
  std::vector<Field> fields() const override { return {{"x", {}, Dtype::f32}}; }
  std::vector<Tensor> get(std::int64_t index) const override {
    check(index != 13, ErrorKind::corrupt, "sample 13 is damaged");
    return {empty({})};
  }
};

TEST(Loader, AWorkersErrorReachesTheCaller) {
  for (int workers : {0, 1, 3}) {
    Loader loader(std::make_shared<Broken>(), {.batch_size = 4, .workers = workers});
    loader.start(0);
    int good = 0;
    EXPECT_THROW(
        while (loader.next() != nullptr) { ++good; }, Error);
    EXPECT_EQ(good, 3);
  }
}

TEST(Loader, SplitsAreDisjointAndFollowTheSeed) {
  const auto [rest, part] = split(numbers(100), 10, 9);
  EXPECT_EQ(rest->size(), 90);
  EXPECT_EQ(part->size(), 10);
  std::set<std::int64_t> all;
  for (const auto& set : {rest, part}) {
    for (std::int64_t i = 0; i < set->size(); ++i) all.insert(set->get(i)[1].item<std::int64_t>());
  }
  EXPECT_EQ(all.size(), 100u);
  EXPECT_EQ(split(numbers(100), 10, 9).second->get(0)[1].item<std::int64_t>(),
            part->get(0)[1].item<std::int64_t>());
}

}  // namespace
}  // namespace gradus::trainer
