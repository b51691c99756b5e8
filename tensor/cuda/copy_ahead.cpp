#include "gradus/tensor/copy_ahead.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <mutex>
#include <vector>

#include "gradus/tensor/cuda/capture.h"
#include "gradus/tensor/cuda/stream.h"

namespace gradus {
namespace cuda {
namespace {

/// Events are used again: the runtime keeps those that are made for ever. Whoever waits for one
/// that was recorded for another since waits for more, never for less.
class SpareEvents {
 public:
  Event take(int device) {
    const std::lock_guard lock(mutex_);
    for (std::size_t i = 0; i < spare_.size(); ++i) {
      if (spare_[i].first != device) continue;
      const Event event = spare_[i].second;
      spare_.erase(spare_.begin() + static_cast<std::ptrdiff_t>(i));
      return event;
    }
    const Event made = runtime::make_event(device);
    devices_.emplace_back(made, device);
    spare_.reserve(devices_.size());  // give() must not ask for memory
    return made;
  }
  void give(Event event) noexcept {
    const std::lock_guard lock(mutex_);
    const auto at = std::find_if(devices_.begin(), devices_.end(),
                                 [&](const auto& known) { return known.first == event; });
    if (at != devices_.end()) spare_.emplace_back(at->second, event);
  }

 private:
  std::mutex mutex_;
  std::vector<std::pair<int, Event>> spare_;
  std::vector<std::pair<Event, int>> devices_;
};

SpareEvents& spare_events() {
  static auto* const all = new SpareEvents;  // places may outlive everything
  return *all;
}

}  // namespace

/// Pinned memory of one batch: blocks that stay, filled from the front.
struct PinnedBatch {
  struct Block {
    char* memory;
    std::size_t bytes, used;
  };
  std::vector<Block> blocks;
  Event copied = nullptr;  // nothing is read from here any more
  bool in_flight = false;

  char* room(std::size_t bytes) {
    const std::size_t wanted = (bytes + 255) / 256 * 256;
    for (Block& b : blocks) {
      if (b.bytes - b.used < wanted) continue;
      b.used += wanted;
      return b.memory + (b.used - wanted);
    }
    const std::size_t size = std::max<std::size_t>(wanted, 64 << 10);
    blocks.push_back({static_cast<char*>(runtime::allocate_pinned(size)), size, wanted});
    return blocks.back().memory;
  }
  /// The host waits here, if the device is that far behind.
  void empty_out() {
    if (in_flight && !runtime::is_done(copied)) runtime::synchronize(copied);
    in_flight = false;
    for (Block& b : blocks) b.used = 0;
  }
};

}  // namespace cuda

struct CopyAhead::State {
  int device;
  cuda::Stream copy;
  std::array<cuda::PinnedBatch, depth> ring = {};
  std::size_t at = 0;
  cuda::Event last_place = nullptr;  // of the batch that kernels may read now

  explicit State(int index) : device(index), copy(cuda::copy_stream(index)) {
    for (cuda::PinnedBatch& b : ring) b.copied = cuda::spare_events().take(index);
  }
  ~State() {
    for (cuda::PinnedBatch& b : ring) {
      try {
        b.empty_out();
      } catch (const std::exception&) {  // what went wrong is thrown where the host next waits
      }
      for (const cuda::PinnedBatch::Block& block : b.blocks)
        cuda::runtime::free_pinned(block.memory);
      cuda::spare_events().give(b.copied);
    }
  }
};

BatchPlace::~BatchPlace() {
  if (used_ != nullptr) cuda::spare_events().give(used_);
}

CopyAhead::CopyAhead(Device device) {
  check(device.is_cuda(), ErrorKind::argument, "CopyAhead: there is nothing to copy to on ",
        device);
  state_ = std::make_unique<State>(device.index());
}

CopyAhead::~CopyAhead() = default;

void CopyAhead::begin(BatchPlace& place) {
  State& s = *state_;
  const cuda::Stream compute = cuda::compute_stream(s.device);
  cuda::check_not_recording("a batch from the host", compute);
  s.ring[s.at].empty_out();
  if (s.last_place != nullptr) cuda::runtime::record(s.last_place, compute);
  if (place.used_ == nullptr) {
    place.used_ = cuda::spare_events().take(s.device);
    cuda::runtime::record(place.used_, compute);  // its memory may have been another's until now
  }
  cuda::runtime::wait(s.copy, place.used_);
  s.last_place = place.used_;
}

void CopyAhead::copy(const Tensor& from, const Tensor& to) {
  State& s = *state_;
  check(from.device().is_cpu() && to.device() == Device::cuda(s.device) &&
            from.dtype() == to.dtype() && from.numel() == to.numel() && from.is_contiguous() &&
            to.is_contiguous(),
        ErrorKind::argument,
        "CopyAhead: expected contiguous tensors of one size and type on cpu and ",
        Device::cuda(s.device), ", got ", from.shape(), " ", from.dtype(), " on ", from.device(),
        " and ", to.shape(), " ", to.dtype(), " on ", to.device());
  const std::size_t bytes = static_cast<std::size_t>(from.numel()) * size_of(from.dtype());
  if (bytes == 0) return;
  cuda::PinnedBatch& pinned = s.ring[s.at];
  char* const room = pinned.room(bytes);
  std::memcpy(room, from.data(), bytes);
  pinned.in_flight = true;
  cuda::runtime::copy(to.data(), room, bytes, s.copy);
}

void CopyAhead::end() {
  State& s = *state_;
  cuda::PinnedBatch& pinned = s.ring[s.at];
  cuda::runtime::record(pinned.copied, s.copy);
  cuda::runtime::wait(cuda::compute_stream(s.device), pinned.copied);
  s.at = (s.at + 1) % depth;
}

}  // namespace gradus
