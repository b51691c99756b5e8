#include "gradus/tensor/device.h"

namespace gradus {

std::string to_string(Device device) {
  return device.is_cpu() ? "cpu" : "cuda:" + std::to_string(device.index());
}

#if !GRADUS_HAS_CUDA
int cuda_device_count() { return 0; }
#endif

}  // namespace gradus
