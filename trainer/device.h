// Where a run computes, and its batches on the way there.
#pragma once

#include "gradus/trainer/config.h"
#include "gradus/trainer/data/batch.h"

namespace gradus::trainer {

/// What run.device means here: auto is cuda:0 if it can be used, else the CPU; one that was asked
/// for is never replaced by another (Config::fail).
Device device_of(const Config& config);

/// Places on a device for one batch after another, one for each combination of shapes (the last
/// batch of an epoch is often smaller): a captured step finds every batch where the first one was.
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
  Batch& copy(const Batch& batch, Device device, Dtype floating);
  static constexpr std::size_t most = 8;
  std::vector<Batch> places_;
};

}  // namespace gradus::trainer
