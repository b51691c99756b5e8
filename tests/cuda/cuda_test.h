// The fixture of every test that needs a CUDA device, real or simulated: without one it is skipped,
// saying why. `using MySuite = CudaTest;`, then TEST_F(MySuite, ...).
#pragma once

#include <gtest/gtest.h>

#include "gradus/tensor/cuda/runtime.h"
#include "gradus/tensor/device.h"

namespace gradus::testing {

inline const Device device = Device::cuda();

class CudaTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!cuda_available()) GTEST_SKIP() << "no CUDA device: " << cuda::runtime::why_no_device();
  }
};

}  // namespace gradus::testing
