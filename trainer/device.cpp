#include "gradus/trainer/device.h"

#include <algorithm>
#include <charconv>

#include "gradus/kernels/create.h"

namespace gradus::trainer {

Device device_of(const Config& config) {
  const std::string& name = config.run.device;
  // A simulated device is no place to train in, unless that is what is asked for.
  if (name == "auto")
    return cuda_available() && !cuda_is_simulated ? Device::cuda() : Device::cpu();
  if (name == "cpu") return Device::cpu();
  int index = -1;
  const char* const end = name.data() + name.size();
  const bool cuda = name.starts_with("cuda:") &&
                    std::from_chars(name.data() + 5, end, index).ptr == end && index >= 0;
  if (!cuda) config.fail("run.device", "\"" + name + "\" is not auto, cpu or cuda:N");
  if (!has_cuda) config.fail("run.device", "this build has no CUDA; it has cpu");
  const int count = cuda_device_count();
  if (index >= count) {
    config.fail("run.device", count == 0 ? "there is no CUDA device: no GPU, or no driver for it"
                                         : "there is no CUDA device " + std::to_string(index) +
                                               "; there are " + std::to_string(count));
  }
  return Device::cuda(index);
}

namespace {

Dtype dtype_of_place(const Tensor& t, Dtype floating) {
  return t.dtype() == Dtype::f32 ? floating : t.dtype();
}

/// Nobody has kept the last batch there, and this one is as large.
bool fits(const Batch& place, const Batch& batch, Device device, Dtype floating) {
  return std::equal(place.fields.begin(), place.fields.end(), batch.fields.begin(),
                    batch.fields.end(), [&](const auto& a, const auto& b) {
                      return a.first == b.first && a.second.device() == device &&
                             a.second.dtype() == dtype_of_place(b.second, floating) &&
                             a.second.shape() == b.second.shape() && a.second.is_sole_owner();
                    });
}

}  // namespace

/// The place that was not taken for the longest time, of two; the CPU, which copies at once, has
/// one.
DeviceBatch::Place& DeviceBatch::next_place(const Batch& batch, Device device, Dtype floating) {
  const int wanted = device.is_cpu() ? 1 : 2;
  int found = 0;
  Place* oldest = nullptr;
  for (Place& p : places_) {
    if (!fits(p.batch, batch, device, floating)) continue;
    ++found;
    if (oldest == nullptr || p.turn < oldest->turn) oldest = &p;
  }
  if (found < wanted) {
    if (places_.size() == most) places_.clear();
    oldest = &places_.emplace_back();
    for (const auto& [name, t] : batch.fields) {
      const TensorOptions options{dtype_of_place(t, floating), device};
      oldest->batch.fields.emplace_back(name, empty(t.shape(), options));
    }
  }
  oldest->turn = ++turns_;
  return *oldest;
}

Batch& DeviceBatch::copy(const Batch& batch, Device device, Dtype floating) {
  Place& place = next_place(batch, device, floating);
  if (device.is_cuda()) {
    if (!ahead_ || ahead_on_ != device) ahead_.emplace(ahead_on_ = device);
    ahead_->begin(place.memory);
  }
  for (std::size_t k = 0; k < batch.fields.size(); ++k) {
    const Tensor& to = place.batch.fields[k].second;
    const Tensor from = as_dtype(batch.fields[k].second, to.dtype());
    if (device.is_cuda())
      ahead_->copy(as_contiguous(from), to);
    else
      copy_into(from, to);
  }
  if (device.is_cuda()) ahead_->end();
  place.batch.size = batch.size;
  place.batch.first_row = batch.first_row;
  place.batch.rows = batch.rows;
  return place.batch;
}

}  // namespace gradus::trainer
