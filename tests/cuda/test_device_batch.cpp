// The trainer's batches on a device: two places by turns, copied beside the kernels, each kernel
// with its own batch and without a wait.
#include "gradus/kernels/create.h"
#include "gradus/tensor/stream.h"
#include "gradus/tests/cuda/cuda_test.h"
#include "gradus/trainer/device.h"

namespace gradus::trainer {
namespace {

using CudaDeviceBatch = testing::CudaTest;

Batch batch_of(std::int64_t rows, double value) {
  Batch b;
  b.fields.emplace_back("x", full({rows, 5}, value));
  b.fields.emplace_back("y", full({rows}, value, {Dtype::i64}));
  b.size = rows;
  return b;
}

TEST_F(CudaDeviceBatch, TwoPlacesByTurnsAndNoWait) {
  const Device device = Device::cuda();
  DeviceBatch places;
  std::vector<Tensor> results;
  std::vector<const void*> addresses;
  synchronize(device);
  const std::int64_t waited = synchronizations(device);
  for (int k = 0; k < CopyAhead::depth; ++k) {
    Batch here = batch_of(k == 2 ? 3 : 8, k);  // one is smaller, as the last of an epoch
    const Batch& there = places.put(here, device);
    here.fields[0].second.fill_(-1);  // the loader reads on
    EXPECT_EQ(there.size, here.size);
    addresses.push_back(there.fields[0].second.data());
    results.push_back(empty_like(there.fields[0].second));
    copy_into(there.fields[0].second, results.back());
  }
  EXPECT_EQ(synchronizations(device), waited);
  for (int k = 0; k < CopyAhead::depth; ++k) {
    const auto n = static_cast<std::size_t>(results[static_cast<std::size_t>(k)].numel());
    EXPECT_EQ(results[static_cast<std::size_t>(k)].to_vector<float>(),
              std::vector<float>(n, static_cast<float>(k)));
  }
  EXPECT_NE(addresses[0], addresses[1]);
  EXPECT_EQ(addresses[0], addresses[3]) << "a captured step finds it there again";
  const Batch& converted = places.put(batch_of(2, 7), device, Dtype::f64);
  EXPECT_EQ(converted.fields[0].second.to_vector<double>(), std::vector<double>(10, 7));
  EXPECT_EQ(converted.fields[1].second.to_vector<std::int64_t>(), std::vector<std::int64_t>(2, 7));
}

}  // namespace
}  // namespace gradus::trainer
