#include "gradus/tensor/cuda/stream.h"

#include <algorithm>
#include <cstring>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "gradus/tensor/cuda/capture.h"
#include "gradus/tensor/device.h"
#include "gradus/tensor/stream.h"

namespace gradus::cuda {
namespace {

/// A ring of pinned slots. A copy takes what is left of the current slot, or the next one when the
/// device is done with it. All copies from a slot are on one stream, so that one event tells when
/// they are done.
struct Staging {
  static constexpr std::size_t slot_bytes = std::size_t{1} << 20, slots = 8;
  char* memory = nullptr;
  Event events[slots];
  bool in_flight[slots] = {};
  std::size_t slot = 0, used = 0;

  void make(int device) {
    memory = static_cast<char*>(runtime::allocate_pinned(slot_bytes * slots));
    for (Event& e : events) e = runtime::make_event(device);
  }
  /// Ends the current slot, whose copies are on `stream`, and waits until the next one is free.
  void next(Stream stream) {
    runtime::record(events[slot], stream);
    in_flight[slot] = true;
    slot = (slot + 1) % slots;
    used = 0;
    if (in_flight[slot] && !runtime::is_done(events[slot])) runtime::synchronize(events[slot]);
  }
};

struct DeviceState {
  int device;
  Stream compute, copy;
  std::mutex mutex;  // of `staging`
  Staging up, down;
  Report* report;

  explicit DeviceState(int index)
      : device(index), compute(runtime::make_stream(index)), copy(runtime::make_stream(index)) {
    up.make(index);
    down.make(index);
    report = static_cast<Report*>(runtime::allocate_pinned(sizeof(Report)));
    *report = {};
  }
};

DeviceState& state_of(int device) {
  check_device(device);
  struct Slot {
    std::once_flag once;
    DeviceState* state = nullptr;
  };
  static auto* const all = new std::vector<Slot>(static_cast<std::size_t>(runtime::device_count()));
  Slot& slot = (*all)[static_cast<std::size_t>(device)];
  std::call_once(slot.once, [&] { slot.state = new DeviceState(device); });
  return *slot.state;
}

/// Stands for the device's own stream where a StreamGuard's could be.
char own_stream;

std::vector<void*>& guarded_streams() {
  thread_local std::vector<void*> streams;
  return streams;
}

void check_report(DeviceState& d) {
  if (d.report->taken == 0) return;
  const Report r = *d.report;
  *d.report = {};
  check(r.size >= 0, ErrorKind::argument, r.op, ": ", r.value, " is not in [0, 1]");
  raise(ErrorKind::argument, {r.op, ": index ", r.index, " is out of range for size ", r.size});
}

}  // namespace

void check_device(int device) {
  const int count = runtime::device_count();
  if (device >= 0 && device < count) [[likely]]
    return;
  check(count > 0, ErrorKind::device, "cuda:", device,
        " cannot be used: ", runtime::why_no_device());
  raise(ErrorKind::device,
        {"cuda:", device, " does not exist: the devices are cuda:0 to cuda:", count - 1});
}

Stream compute_stream(int device) {
  const auto& guarded = guarded_streams();
  const auto at = static_cast<std::size_t>(device);
  if (device >= 0 && at < guarded.size() && guarded[at] != &own_stream)
    return {device, guarded[at]};
  return state_of(device).compute;
}

Stream copy_stream(int device) { return state_of(device).copy; }

void upload(void* to, const void* from, std::size_t bytes, int device) {
  DeviceState& d = state_of(device);
  const Stream stream = compute_stream(device);
  check_not_recording("a copy from the host", stream);
  const std::lock_guard lock(d.mutex);
  Staging& s = d.up;
  // A caller's stream has slots to itself and may be gone by the next upload: its event is now.
  const bool callers = stream != d.compute;
  if (callers && s.used > 0) s.next(d.compute);
  for (std::size_t done = 0; done < bytes;) {
    if (s.used == Staging::slot_bytes) s.next(stream);
    const std::size_t n = std::min(bytes - done, Staging::slot_bytes - s.used);
    char* place = s.memory + s.slot * Staging::slot_bytes + s.used;
    std::memcpy(place, static_cast<const char*>(from) + done, n);
    runtime::copy(static_cast<char*>(to) + done, place, n, stream);
    done += n;
    s.used = std::min(Staging::slot_bytes, s.used + (n + 63) / 64 * 64);
  }
  if (callers && s.used > 0) s.next(stream);
}

void download(void* to, const void* from, std::size_t bytes, int device) {
  DeviceState& d = state_of(device);
  const Stream stream = compute_stream(device);
  check_not_recording("a value was asked for on the host", stream);
  const std::lock_guard lock(d.mutex);
  Staging& s = d.down;
  // All slots are filled by the device, then emptied by the host: one wait for 8 MiB.
  for (std::size_t done = 0; done < bytes;) {
    const std::size_t n = std::min(bytes - done, Staging::slot_bytes * Staging::slots);
    runtime::copy(s.memory, static_cast<const char*>(from) + done, n, stream);
    runtime::synchronize(stream);
    std::memcpy(static_cast<char*>(to) + done, s.memory, n);
    done += n;
  }
  check_report(d);
}

void wait_for(int device) {
  DeviceState& d = state_of(device);
  check_not_recording("the host waits", compute_stream(device));
  runtime::synchronize(compute_stream(device));
  check_report(d);
}

Report* report_of(int device) { return state_of(device).report; }

}  // namespace gradus::cuda

namespace gradus {

int cuda_device_count() { return cuda::runtime::device_count(); }

std::string device_name(Device device) {
  if (device.is_cpu()) return "cpu";
  cuda::check_device(device.index());
  return cuda::runtime::properties(device.index()).name;
}

void synchronize(Device device) {
  if (device.is_cuda()) cuda::wait_for(device.index());
}

std::int64_t launches(Device device) {
  if (device.is_cpu()) return 0;
  cuda::check_device(device.index());
  return cuda::runtime::launches(device.index());
}

std::int64_t synchronizations(Device device) {
  if (device.is_cpu()) return 0;
  cuda::check_device(device.index());
  return cuda::runtime::waits(device.index());
}

StreamGuard::StreamGuard(Device device, void* stream) : device_(device), before_(nullptr) {
  if (device.is_cpu()) {
    check(stream == nullptr, ErrorKind::argument,
          "StreamGuard: the CPU has no streams; expected a null stream");
    return;
  }
  cuda::check_device(device.index());
  auto& streams = cuda::guarded_streams();
  const auto at = static_cast<std::size_t>(device.index());
  while (streams.size() <= at) streams.push_back(&cuda::own_stream);
  before_ = std::exchange(streams[at], stream);
}

StreamGuard::~StreamGuard() {
  if (device_.is_cuda())
    cuda::guarded_streams()[static_cast<std::size_t>(device_.index())] = before_;
}

}  // namespace gradus
