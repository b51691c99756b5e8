// What kernels must know while their work is recorded (tensor/capture.h).
#pragma once

#include <cstdint>

#include "gradus/tensor/cuda/runtime.h"

namespace gradus::cuda {

/// Where in device memory a replay finds its step, while this thread records; else null, and a
/// kernel uses the step it was started with.
const std::uint32_t* recorded_step();

/// Throws (unsupported) naming `what` while work for `stream` is recorded.
void check_not_recording(const char* what, Stream stream);

}  // namespace gradus::cuda
