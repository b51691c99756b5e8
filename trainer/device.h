// Where a run computes, and its batches on the way there.
#pragma once

#include <optional>

#include "gradus/tensor/copy_ahead.h"
#include "gradus/trainer/config.h"
#include "gradus/trainer/data/batch.h"

namespace gradus::trainer {

/// What run.device means here: auto is cuda:0 if it can be used, else the CPU; one that was asked
/// for is never replaced by another (Config::fail).
Device device_of(const Config& config);

/// Places on a device for one batch after another, two for each combination of shapes (the last
/// batch of an epoch is often smaller): while kernels read one, the next is copied to the other. A
/// captured step finds every batch where one was before.
class DeviceBatch {
 public:
  /// `batch` as it is for the CPU; else its place, with the same samples, copied without a wait.
  /// `floating` f64: fields of f32 are converted. Valid until the next call.
  Batch& put(Batch& batch, Device device, Dtype floating = Dtype::f32) {
    return device.is_cpu() && floating == Dtype::f32 ? batch : copy(batch, device, floating);
  }
  const Batch& put(const Batch& batch, Device device, Dtype floating = Dtype::f32) {
    return device.is_cpu() && floating == Dtype::f32 ? batch : copy(batch, device, floating);
  }

 private:
  struct Place {
    Batch batch;
    BatchPlace memory;
    std::uint64_t turn = 0;  // when it was last taken
  };
  Batch& copy(const Batch& batch, Device device, Dtype floating);
  Place& next_place(const Batch& batch, Device device, Dtype floating);
  static constexpr std::size_t most = 16;
  // Places go before what copies to them, which waits for the copies.
  std::optional<CopyAhead> ahead_;
  Device ahead_on_ = Device::cpu();
  std::vector<Place> places_;
  std::uint64_t turns_ = 0;
};

}  // namespace gradus::trainer
