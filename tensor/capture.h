// A device's work recorded once and then given to it again as a whole (a CUDA graph): what a step
// of a small network costs is mostly the starting of its kernels, one at a time.
//
//   Capture step;
//   step.record(device, [&] { ... });   // kernels are recorded, none runs
//   step.replay();                      // all of them, on the same memory
//
// Everything the work reads and writes must be where it was: put new data into the same tensors.
// Memory that it asks for itself comes from a pool that only captures use.
#pragma once

#include <cstdint>
#include <functional>

#include "gradus/tensor/device.h"

namespace gradus {

class Capture {
 public:
  Capture() = default;
  Capture(Capture&& other) noexcept;
  Capture& operator=(Capture&& other) noexcept;
  ~Capture();

  /// Records what `f` gives to `device` on this thread. What needs a result on the host (item(),
  /// an op whose shape depends on values) or copies from the host throws (unsupported), and the
  /// capture stays empty. Throws (unsupported) for the CPU.
  void record(Device device, const std::function<void()>& f);
  /// Gives it to the device. Random numbers that a RandomScope placed at some step are those of
  /// `step` now.
  void replay(std::uint32_t step = 0);
  bool recorded() const { return graph_ != nullptr; }

 private:
  Device device_ = Device::cpu();
  void* graph_ = nullptr;
};

}  // namespace gradus
