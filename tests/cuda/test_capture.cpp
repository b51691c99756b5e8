// Work recorded once and replayed: new data, new random numbers, the same bits as without.
#include <gtest/gtest.h>

#include "gradus/autograd/functions.h"
#include "gradus/kernels/create.h"
#include "gradus/kernels/random.h"
#include "gradus/tensor/capture.h"
#include "gradus/tensor/random.h"
#include "gradus/tensor/stream.h"
#include "gradus/tests/cuda/cuda_test.h"

namespace gradus {
namespace {

using testing::device;
using CudaCapture = testing::CudaTest;

TEST_F(CudaCapture, AReplaySeesNewDataAndWritesWhereTheRecordDid) {
  const Tensor x = arange(1000).to(device), y = zeros({1000}, {Dtype::f32, device});
  Capture graph;
  graph.record(device, [&] { y.copy_(relu(x * 2 - 10) + sum(x)); });
  EXPECT_EQ(sum(y).item<float>(), 0);  // nothing ran
  for (const double shift : {0.0, 1.0, 5.0}) {
    const Tensor v = arange(1000).to(Dtype::f32) * 0.001 + shift;
    x.copy_(v);
    // Memory that the graph uses is nobody else's in between.
    const Tensor other = full({4096}, 7, {Dtype::f32, device});
    graph.replay();
    EXPECT_EQ(y.to_vector<float>(), (relu(v * 2 - 10) + sum(v)).to_vector<float>());
    EXPECT_EQ(sum(other).item<float>(), 7 * 4096);
  }
}

TEST_F(CudaCapture, RandomNumbersAreThoseOfTheStep) {
  const Tensor x = ones({400}, {Dtype::f32, device}), y = zeros({400}, {Dtype::f32, device});
  Capture graph;
  {
    const RandomScope scope(5, 0);
    graph.record(device, [&] { y.copy_(dropout(x, 0.5)); });
  }
  for (const std::uint32_t step : {0u, 1u, 77u}) {
    graph.replay(step);
    const RandomScope scope(5, step);
    EXPECT_EQ(y.to_vector<float>(), dropout(x, 0.5).to_vector<float>()) << step;
  }
}

TEST_F(CudaCapture, WhatNeedsTheHostIsRefusedAndLeavesTheDeviceUsable) {
  const Tensor x = ones({8}, {Dtype::f32, device});
  Capture graph;
  const auto refused = [&](auto&& f, const char* part) {
    try {
      graph.record(device, f);
      ADD_FAILURE() << part;
    } catch (const Error& e) {
      EXPECT_EQ(e.kind(), ErrorKind::unsupported);
      EXPECT_NE(std::string(e.what()).find(part), std::string::npos) << e.what();
    }
    EXPECT_FALSE(graph.recorded());
    EXPECT_EQ(sum(x).item<float>(), 8);
  };
  refused([&] { sum(x).item<float>(); }, "on the host while work is recorded");
  refused([&] { x.copy_(ones({8})); }, "a copy from the host while work is recorded");
  refused([&] { synchronize(device); }, "the host waits while work is recorded");
  EXPECT_THROW(graph.replay(), Error);
  EXPECT_THROW(graph.record(Device::cpu(), [] {}), Error);
}

TEST_F(CudaCapture, AReplayStartsNoKernelsOneByOneAndWaitsForNothing) {
  const Tensor x = ones({64, 64}, {Dtype::f32, device}), y = empty_like(x);
  Capture graph;
  graph.record(device, [&] { y.copy_(tanh(matmul(x, x)) + x); });
  synchronize(device);
  const std::int64_t waited = synchronizations(device);
  const std::int64_t asked = memory_stats(device).system_calls;
  for (std::uint32_t step = 0; step < 50; ++step) graph.replay(step);
  EXPECT_EQ(synchronizations(device), waited);
  EXPECT_EQ(memory_stats(device).system_calls, asked);
  EXPECT_EQ(y.to_vector<float>(), (tanh(matmul(x, x)) + x).to_vector<float>());
}

}  // namespace
}  // namespace gradus
