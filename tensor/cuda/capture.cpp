#include "gradus/tensor/cuda/capture.h"

#include <utility>

#include "gradus/tensor/capture.h"
#include "gradus/tensor/cuda/memory.h"
#include "gradus/tensor/cuda/stream.h"

namespace gradus::cuda {
namespace {

// All captures share a pool: they run one after another in the device's stream, and none needs
// what another left in memory that it gave back.
constexpr int pool_of_captures = 1;

thread_local std::uint32_t* step_while_recording = nullptr;

/// One step number a device, for all captures.
std::uint32_t* step_on(int device) {
  static std::uint32_t* steps[64] = {};
  check(device < 64, ErrorKind::unsupported, "Capture: cuda:", device, " is beyond cuda:63");
  if (steps[device] == nullptr)
    steps[device] = static_cast<std::uint32_t*>(device_allocator(device).allocate(256));
  return steps[device];
}

}  // namespace

const std::uint32_t* recorded_step() { return step_while_recording; }

void check_not_recording(const char* what, Stream stream) {
  check(!runtime::is_capturing(stream), ErrorKind::unsupported, what,
        " while work is recorded: only what stays on the device can be replayed");
}

}  // namespace gradus::cuda

namespace gradus {

Capture::~Capture() {
  if (graph_ == nullptr) return;
  try {
    cuda::runtime::synchronize(cuda::compute_stream(device_.index()));  // it may be running
  } catch (const std::exception&) {  // what went wrong is thrown where the host next waits
  }
  cuda::runtime::destroy(graph_);
}

void Capture::record(Device device, const std::function<void()>& f) {
  check(device.is_cuda(), ErrorKind::unsupported, "Capture: work for ", device,
        " cannot be recorded");
  cuda::check_device(device.index());
  const cuda::Stream stream = cuda::compute_stream(device.index());
  cuda::check_not_recording("Capture: record()", stream);
  std::uint32_t* const step = cuda::step_on(device.index());
  *this = Capture();
  device_ = device;
  const cuda::PoolScope pool(cuda::pool_of_captures);
  cuda::runtime::begin_capture(stream);
  cuda::step_while_recording = step;
  try {
    f();
  } catch (...) {
    cuda::step_while_recording = nullptr;
    try {
      cuda::runtime::destroy(cuda::runtime::end_capture(stream));
    } catch (const std::exception&) {  // the first error says more
    }
    throw;
  }
  cuda::step_while_recording = nullptr;
  graph_ = cuda::runtime::end_capture(stream);
}

void Capture::replay(std::uint32_t step) {
  check(graph_ != nullptr, ErrorKind::argument, "Capture: nothing was recorded");
  const int device = device_.index();
  cuda::upload(cuda::step_on(device), &step, sizeof step, device);
  cuda::runtime::replay(graph_, cuda::compute_stream(device));
}

}  // namespace gradus
