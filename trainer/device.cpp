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

Batch& DeviceBatch::copy(const Batch& batch, Device device, Dtype floating) {
  const auto dtype_of_place = [&](const Tensor& t) {
    return t.dtype() == Dtype::f32 ? floating : t.dtype();
  };
  const auto fits = [&](const Batch& place) {
    return std::equal(place.fields.begin(), place.fields.end(), batch.fields.begin(),
                      batch.fields.end(), [&](const auto& a, const auto& b) {
                        return a.first == b.first && a.second.dtype() == dtype_of_place(b.second) &&
                               a.second.shape() == b.second.shape() && a.second.is_sole_owner();
                      });
  };
  auto place = std::find_if(places_.begin(), places_.end(), fits);
  if (place == places_.end()) {
    if (places_.size() == most) places_.clear();
    place = places_.insert(places_.end(), Batch{});
    for (const auto& [name, t] : batch.fields)
      place->fields.emplace_back(name, empty(t.shape(), {dtype_of_place(t), device}));
  }
  for (std::size_t k = 0; k < batch.fields.size(); ++k) {
    const Tensor& from = batch.fields[k].second;
    copy_into(as_dtype(from, dtype_of_place(from)), place->fields[k].second);
  }
  place->size = batch.size;
  place->first_row = batch.first_row;
  place->rows = batch.rows;
  return *place;
}

}  // namespace gradus::trainer
