// How busy a device is, as its driver counts (NVML). What of it is used is declared here: the build
// needs none of its headers, and a test can put functions of its own in their places.
#pragma once

#include <optional>
#include <string>

#include "gradus/tensor/device.h"

namespace gradus::cuda {

struct NvmlApi {
  /// Of the last sample period of the driver, between a sixth of a second and a second.
  struct Utilization {
    unsigned int gpu, memory;  // percent of it in which a kernel ran, or memory was read or written
  };
  int (*Init_v2)();  // every function returns 0 if it did what it says
  int (*DeviceGetHandleByPciBusId_v2)(const char* bus_id, void** device);
  int (*DeviceGetUtilizationRates)(void* device, Utilization* of_now);
  int (*DeviceGetPowerUsage)(void* device, unsigned int* milliwatts);

  /// Fills everything in by `find(name)`; false if one is missing.
  template <class Find>
  bool load(Find&& find) {
    const auto take = [&]<class F>(F& f, const char* name) {
      f = reinterpret_cast<F>(find(name));
      return f != nullptr;
    };
    return take(Init_v2, "nvmlInit_v2") &&
           take(DeviceGetHandleByPciBusId_v2, "nvmlDeviceGetHandleByPciBusId_v2") &&
           take(DeviceGetUtilizationRates, "nvmlDeviceGetUtilizationRates") &&
           take(DeviceGetPowerUsage, "nvmlDeviceGetPowerUsage");
  }
};

/// Of the device at that place of the bus ("0000:3b:00.0"). Init_v2 has been called.
std::optional<DeviceUsage> usage_of(const NvmlApi& api, const std::string& bus_id);

}  // namespace gradus::cuda
