#include "gradus/tensor/device.h"

namespace gradus {

std::string to_string(Device device) {
  return device.is_cpu() ? "cpu" : "cuda:" + std::to_string(device.index());
}

#if !GRADUS_HAS_CUDA
int cuda_device_count() { return 0; }

std::string device_name(Device device) {
  check(device.is_cpu(), ErrorKind::unsupported,
        "this build has no CUDA (configure with -DGRADUS_CUDA=ON or SIMULATED)");
  return "cpu";
}

std::optional<DeviceUsage> device_usage(Device) { return std::nullopt; }
#endif

}  // namespace gradus
