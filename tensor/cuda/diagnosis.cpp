#include "gradus/tensor/cuda/diagnosis.h"

#include <charconv>

namespace gradus::cuda {
namespace {

std::string version(int v) { return std::to_string(v / 1000) + "." + std::to_string(v / 10 % 100); }

/// Numbers that driver_types.h promises to keep.
enum Status {
  success = 0,
  insufficient_driver = 35,
  devices_unavailable = 46,
  no_device = 100,
  system_not_ready = 802,
  driver_mismatch = 803,
  compatibility_not_supported = 804,
};

}  // namespace

std::string why_no_device(int status, std::string_view name, int driver_version,
                          int runtime_version, const char* visible) {
  switch (status) {
    case success:
    case no_device:
      if (visible == nullptr) return "the driver sees no GPU";
      return "the driver sees no GPU (CUDA_VISIBLE_DEVICES is '" + std::string(visible) + "')";
    case insufficient_driver:
      if (driver_version == 0) return "no NVIDIA driver is installed (libcuda.so.1 was not found)";
      return "the NVIDIA driver is for CUDA " + version(driver_version) +
             ", older than this build's CUDA " + version(runtime_version) +
             ": update the driver, or build with an older toolkit";
    case devices_unavailable:
      return "every GPU is busy with another process or in a mode that excludes this one";
    case system_not_ready:
      return "the driver is not ready (on machines with NVSwitch: is nvidia-fabricmanager "
             "running?)";
    case driver_mismatch:
      return "the loaded kernel module and libcuda.so.1 are of different driver versions: restart "
             "after the update";
    case compatibility_not_supported:
      return "the CUDA compatibility package on this machine does not support its GPU: remove it, "
             "or update the driver to CUDA " +
             version(runtime_version);
    default:
      return "the driver failed to start: " + std::string(name) + " (" + std::to_string(status) +
             "), driver for CUDA " + version(driver_version) + ", this build's CUDA " +
             version(runtime_version);
  }
}

bool runs_on(std::string_view architectures, int major, int minor) {
  while (!architectures.empty()) {
    const std::string_view one = architectures.substr(0, architectures.find(','));
    architectures.remove_prefix(one.size() < architectures.size() ? one.size() + 1 : one.size());
    int number = 0;
    const char* const end = one.data() + one.size();
    const char* const rest = std::from_chars(one.data(), end, number).ptr;
    const std::string_view kind(rest, static_cast<std::size_t>(end - rest));
    const bool same_generation = major == number / 10 && minor >= number % 10;
    // "90a" and the like use what only that one architecture has.
    if (kind.starts_with('a') || kind.starts_with('f')) {
      if (10 * major + minor == number) return true;
      continue;
    }
    if (kind != "-virtual" && same_generation) return true;
    if (kind != "-real" && 10 * major + minor >= number) return true;
  }
  return false;
}

std::string why_unsupported(std::string_view device_name, int major, int minor,
                            std::string_view architectures) {
  return std::string(device_name) + " has compute capability " + std::to_string(major) + "." +
         std::to_string(minor) + "; this build is for '" + std::string(architectures) +
         "': build with -DCMAKE_CUDA_ARCHITECTURES=" + std::to_string(10 * major + minor);
}

}  // namespace gradus::cuda
