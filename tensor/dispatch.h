// Picks the CPU or the CUDA implementation of a kernel contract.
#pragma once

#include "gradus/tensor/device.h"

namespace gradus {

/// Calls the implementation of one operation on `device`. In a build without CUDA the second is
/// discarded, so nothing named cuda:: needs a definition; in a CUDA build a missing one is a link
/// error.
template <auto Cpu, auto Cuda, class... Args>
inline decltype(auto) dispatch(Device device, Args&&... args) {
  if constexpr (has_cuda) {
    if (device.is_cuda()) return Cuda(static_cast<Args&&>(args)...);
  }
  check(device.is_cpu(), ErrorKind::unsupported,
        "this build has no CUDA (configure with -DGRADUS_CUDA=ON or SIMULATED)");
  return Cpu(static_cast<Args&&>(args)...);
}

/// Throws (device) naming the op and both devices, unless they are the same.
inline void check_same_device(const char* op, Device a, Device b) {
  check(a == b, ErrorKind::device, op, ": tensors are on different devices: ", a, " and ", b);
}

}  // namespace gradus
