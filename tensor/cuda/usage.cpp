#include "gradus/tensor/cuda/usage.h"

#include <dlfcn.h>

#include "gradus/tensor/cuda/runtime.h"
#include "gradus/tensor/cuda/stream.h"

namespace gradus::cuda {
namespace {

/// Null where the driver brings no NVML.
const NvmlApi* api() {
  static const NvmlApi* const once = []() -> const NvmlApi* {
    void* const file = dlopen("libnvidia-ml.so.1", RTLD_NOW | RTLD_LOCAL);
    static NvmlApi loaded;
    const bool works = file != nullptr &&
                       loaded.load([&](const char* symbol) { return dlsym(file, symbol); }) &&
                       loaded.Init_v2() == 0;
    return works ? &loaded : nullptr;
  }();
  return once;
}

}  // namespace

/// A part of a device (MIG) has no counts of its own; some devices do not measure their power.
std::optional<DeviceUsage> usage_of(const NvmlApi& api, const std::string& bus_id) {
  void* device = nullptr;
  NvmlApi::Utilization of_now{};
  if (api.DeviceGetHandleByPciBusId_v2(bus_id.c_str(), &device) != 0 ||
      api.DeviceGetUtilizationRates(device, &of_now) != 0)
    return std::nullopt;
  DeviceUsage usage{static_cast<double>(of_now.gpu), static_cast<double>(of_now.memory), 0};
  unsigned int milliwatts = 0;
  if (api.DeviceGetPowerUsage(device, &milliwatts) == 0) usage.watts = milliwatts / 1e3;
  return usage;
}

}  // namespace gradus::cuda

namespace gradus {

std::optional<DeviceUsage> device_usage(Device device) {
  if (device.is_cpu()) return std::nullopt;
  cuda::check_device(device.index());
  const std::string bus_id = cuda::runtime::bus_id(device.index());
  if (bus_id.empty() || cuda::api() == nullptr) return std::nullopt;
  return cuda::usage_of(*cuda::api(), bus_id);
}

}  // namespace gradus
