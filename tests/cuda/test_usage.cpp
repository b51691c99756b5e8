// How busy a device is: what the driver's library says, and what it does not.
#include <gtest/gtest.h>

#include <string>

#include "gradus/tensor/cuda/usage.h"

namespace gradus::cuda {
namespace {

int here = 0;  // stands for the device at 0000:3b:00.0
int rates_status = 0, power_status = 0;

NvmlApi fake() {
  NvmlApi api{};
  api.Init_v2 = [] { return 0; };
  api.DeviceGetHandleByPciBusId_v2 = [](const char* bus_id, void** device) {
    *device = &here;
    return std::string(bus_id) == "0000:3b:00.0" ? 0 : 6;
  };
  api.DeviceGetUtilizationRates = [](void* device, NvmlApi::Utilization* of_now) {
    *of_now = {87, 41};
    return device == &here ? rates_status : 2;
  };
  api.DeviceGetPowerUsage = [](void*, unsigned int* milliwatts) {
    *milliwatts = 345600;
    return power_status;
  };
  return api;
}

TEST(DeviceUsage, IsWhatTheDriverCounts) {
  const auto usage = usage_of(fake(), "0000:3b:00.0");
  ASSERT_TRUE(usage);
  EXPECT_EQ(usage->busy_percent, 87);
  EXPECT_EQ(usage->memory_percent, 41);
  EXPECT_EQ(usage->watts, 345.6);
}

TEST(DeviceUsage, WhatIsNotCountedIsNotMadeUp) {
  EXPECT_FALSE(usage_of(fake(), "0000:5e:00.0"));
  rates_status = 3;  // not supported: a part of a device
  EXPECT_FALSE(usage_of(fake(), "0000:3b:00.0"));
  rates_status = 0;
  power_status = 3;
  EXPECT_EQ(usage_of(fake(), "0000:3b:00.0")->watts, 0);
  power_status = 0;
  EXPECT_FALSE(device_usage(Device::cpu()));
  if (cuda_is_simulated) {
    EXPECT_FALSE(device_usage(Device::cuda()));
  }
}

TEST(DeviceUsage, ALibraryWithoutAFunctionIsNone) {
  NvmlApi api{};
  int asked = 0;
  EXPECT_FALSE(api.load([&](const std::string& name) -> void* {
    ++asked;
    return name == "nvmlDeviceGetUtilizationRates" ? nullptr : &here;
  }));
  EXPECT_EQ(asked, 3);
  EXPECT_TRUE(api.load([](const std::string&) -> void* { return &here; }));
}

}  // namespace
}  // namespace gradus::cuda
