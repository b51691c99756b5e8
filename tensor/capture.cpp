#include "gradus/tensor/capture.h"

#include <utility>

namespace gradus {

Capture::Capture(Capture&& other) noexcept
    : device_(other.device_), graph_(std::exchange(other.graph_, nullptr)) {}

Capture& Capture::operator=(Capture&& other) noexcept {
  std::swap(device_, other.device_);
  std::swap(graph_, other.graph_);
  return *this;
}

#if !GRADUS_HAS_CUDA
Capture::~Capture() = default;

void Capture::record(Device device, const std::function<void()>&) {
  raise(ErrorKind::unsupported,
        {"Capture: this build has no CUDA, and work for ", device, " cannot be recorded"});
}

void Capture::replay(std::uint32_t) {
  raise(ErrorKind::argument, {"Capture: nothing was recorded"});
}
#endif

}  // namespace gradus
