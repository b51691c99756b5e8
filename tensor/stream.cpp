// The CPU's part of stream.h, for builds without CUDA.
#include "gradus/tensor/stream.h"

namespace gradus {

#if !GRADUS_HAS_CUDA
namespace {

void check_cpu(const char* op, Device device) {
  check(device.is_cpu(), ErrorKind::unsupported, op, ": ", device,
        " is not available: this build has no CUDA (configure with -DGRADUS_CUDA=ON or SIMULATED)");
}

}  // namespace

void synchronize(Device device) { check_cpu("synchronize", device); }

std::int64_t launches(Device device) {
  check_cpu("launches", device);
  return 0;
}

std::int64_t synchronizations(Device device) {
  check_cpu("synchronizations", device);
  return 0;
}

StreamGuard::StreamGuard(Device device, void* stream) : device_(device), before_(nullptr) {
  check_cpu("StreamGuard", device);
  check(stream == nullptr, ErrorKind::argument,
        "StreamGuard: the CPU has no streams; expected a null stream");
}

StreamGuard::~StreamGuard() = default;
#endif

}  // namespace gradus
