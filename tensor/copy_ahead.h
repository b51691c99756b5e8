// Batches copied to a device beside its kernels: from pinned memory, in the device's copy stream,
// with events that keep kernels and copies apart. The host waits for neither, unless it is more
// than `depth` batches ahead of the device.
//
//   CopyAhead ahead(device);
//   for (...) {
//     ahead.begin(places[k % 2]);        // the place that the last batch but one was in
//     ahead.copy(batch, tensor of it);   // as many as a batch has
//     ahead.end();
//     ... kernels that read it ...
//   }
#pragma once

#include <memory>

#include "gradus/tensor/tensor.h"

namespace gradus {

/// Memory on a device that one batch after another is copied to.
class BatchPlace {
 public:
  BatchPlace() = default;
  BatchPlace(BatchPlace&& other) noexcept;
  BatchPlace& operator=(BatchPlace&& other) noexcept;
  ~BatchPlace();

 private:
  friend class CopyAhead;
  void* used_ = nullptr;  // event: the kernels that read the batch before are done
};

class CopyAhead {
 public:
  static constexpr int depth = 4;  // pinned buffers, each of a batch

  /// Throws (device, unsupported) where `device` cannot be used. On the CPU there is nothing to
  /// copy to: (argument).
  explicit CopyAhead(Device device);
  ~CopyAhead();  // waits for copies under way
  CopyAhead(const CopyAhead&) = delete;
  CopyAhead& operator=(const CopyAhead&) = delete;

  /// A batch for `place` begins. All kernels that read the batch begun before this one have been
  /// put into this thread's compute stream by now; whose tensors they are is known by then. A new
  /// place is taken over from the kernels put there so far.
  void begin(BatchPlace& place);
  /// `from`, a contiguous tensor on the CPU, to `to`, a contiguous one of the same size and type in
  /// the place on the device. `from` may change as soon as this returns.
  void copy(const Tensor& from, const Tensor& to);
  /// The copies start when the kernels before are done with the place; kernels that are put into
  /// the compute stream from now on run after them.
  void end();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace gradus
