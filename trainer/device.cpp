#include "gradus/trainer/device.h"

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

Batch& DeviceBatch::copy(const Batch& batch, Device device) {
  there_.fields.resize(batch.fields.size());
  for (std::size_t k = 0; k < batch.fields.size(); ++k) {
    const auto& [name, from] = batch.fields[k];
    auto& [there_name, to] = there_.fields[k];
    there_name = name;
    if (!to || to.shape() != from.shape() || to.dtype() != from.dtype() || !to.is_sole_owner())
      to = empty(from.shape(), {from.dtype(), device});
    copy_into(from, to);
  }
  there_.size = batch.size;
  there_.first_row = batch.first_row;
  there_.rows = batch.rows;
  return there_;
}

}  // namespace gradus::trainer
