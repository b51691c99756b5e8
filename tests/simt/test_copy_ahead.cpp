// Batches that are copied beside kernels: whatever order the streams take, every kernel reads its
// own batch, and the host waits only where it is told to.
#include <gtest/gtest.h>

#include <vector>

#include "gradus/kernels/create.h"
#include "gradus/kernels/simt/simt.h"
#include "gradus/tensor/copy_ahead.h"
#include "gradus/tensor/cuda/memory.h"
#include "gradus/tensor/cuda/stream.h"
#include "gradus/tensor/stream.h"

namespace gradus {
namespace {

constexpr std::int64_t n = 3000;
const TensorOptions on_device{.dtype = Dtype::i32, .device = Device::cuda()};

class CopyAheadOrders : public ::testing::Test {
 protected:
  void SetUp() override { before = simt::options(); }
  void TearDown() override { simt::configure(before); }
  void shuffle(std::uint64_t seed) {
    simt::Options options = before;
    options.seed = seed;
    simt::configure(options);
  }
  simt::Options before;
};

/// What kernels saw of `batches` batches, each all of its own number, in `count` places by turns.
std::vector<std::int32_t> seen(int batches, std::size_t count) {
  std::vector<BatchPlace> places(count);
  std::vector<Tensor> tensors, results;
  for (std::size_t i = 0; i < count; ++i) tensors.push_back(empty({n}, on_device));
  CopyAhead ahead(Device::cuda());
  const Tensor host = empty({n}, {Dtype::i32});
  for (int k = 0; k < batches; ++k) {
    host.fill_(k);  // the same memory each time: the copy must not look at it later
    const std::size_t at = static_cast<std::size_t>(k) % count;
    ahead.begin(places[at]);
    ahead.copy(host, tensors[at]);
    ahead.end();
    results.push_back(empty({n}, on_device));
    copy_into(tensors[at], results.back());  // compute's
  }
  std::vector<std::int32_t> all;
  for (int k = 0; k < batches; ++k) {
    const auto values = results[static_cast<std::size_t>(k)].to_vector<std::int32_t>();
    for (const std::int32_t v : values) EXPECT_EQ(v, values[0]);
    all.push_back(values[0]);
  }
  return all;
}

TEST_F(CopyAheadOrders, EveryKernelReadsItsOwnBatch) {
  std::vector<std::int32_t> expected;
  for (int k = 0; k < 11; ++k) expected.push_back(k);
  for (std::uint64_t seed = 0; seed <= 12; ++seed) {
    shuffle(seed);
    for (const std::size_t places : {1u, 2u, 3u})
      EXPECT_EQ(seen(11, places), expected) << "seed " << seed << ", " << places << " places";
  }
}

TEST_F(CopyAheadOrders, MemoryOfANewPlaceIsStillReadByThoseBefore) {
  for (std::uint64_t seed = 1; seed <= 12; ++seed) {
    shuffle(seed);
    const cuda::PoolScope reused(1 << 20);  // a pool's memory is used again under sanitizers, too
    const Tensor result = empty({n}, on_device);
    void* address = nullptr;
    {
      const Tensor old = full({n}, 7, on_device);
      address = old.data();
      copy_into(old, result);
    }  // given back while its kernel has not run
    const Tensor fresh = empty({n}, on_device);
    CopyAhead ahead(Device::cuda());
    BatchPlace place;
    ahead.begin(place);
    ahead.copy(full({n}, 9, {Dtype::i32}), fresh);
    ahead.end();
    const auto values = result.to_vector<std::int32_t>();
    EXPECT_EQ(values, std::vector<std::int32_t>(n, 7)) << "seed " << seed;
    EXPECT_EQ(fresh.to_vector<std::int32_t>(), std::vector<std::int32_t>(n, 9));
    ASSERT_EQ(address, fresh.data()) << "the test needs memory that is used again";
  }
}

TEST_F(CopyAheadOrders, TheHostWaitsOnlyWhenItIsFarAhead) {
  shuffle(0);
  const Tensor host = full({n}, 1, {Dtype::i32});
  const Tensor tensors[] = {empty({n}, on_device), empty({n}, on_device)};
  synchronize(Device::cuda());
  CopyAhead ahead(Device::cuda());
  BatchPlace places[2];
  const auto put = [&](int k) {
    ahead.begin(places[k % 2]);
    ahead.copy(host, tensors[k % 2]);
    ahead.end();
  };
  const std::int64_t waited = synchronizations(Device::cuda());
  int k = 0;
  for (; k < CopyAhead::depth; ++k) put(k);  // the simulated device has done nothing yet
  EXPECT_EQ(synchronizations(Device::cuda()), waited);
  put(k++);
  EXPECT_EQ(synchronizations(Device::cuda()), waited + 1);
  synchronize(Device::cuda());
  const std::int64_t now = synchronizations(Device::cuda());
  for (int i = 0; i < CopyAhead::depth; ++i) put(k++);  // it has caught up
  EXPECT_EQ(synchronizations(Device::cuda()), now);
}

TEST_F(CopyAheadOrders, CopiesUnderWayOutliveWhoStartedThem) {
  shuffle(3);
  const Tensor to = empty({n}, on_device);
  {
    BatchPlace place;
    CopyAhead ahead(Device::cuda());
    ahead.begin(place);
    ahead.copy(full({n}, 5, {Dtype::i32}), to);
    ahead.end();
  }
  EXPECT_EQ(to.to_vector<std::int32_t>(), std::vector<std::int32_t>(n, 5));
}

TEST_F(CopyAheadOrders, WhatDoesNotFitIsRefused) {
  CopyAhead ahead(Device::cuda());
  BatchPlace place;
  ahead.begin(place);
  const Tensor to = empty({n}, on_device), host = empty({n}, {Dtype::i32});
  EXPECT_THROW(ahead.copy(host.slice(0, 1, n), to), Error);
  EXPECT_THROW(ahead.copy(empty({n}), to), Error);
  EXPECT_THROW(ahead.copy(to, to), Error);
  EXPECT_THROW(CopyAhead(Device::cpu()), Error);
}

}  // namespace
}  // namespace gradus
