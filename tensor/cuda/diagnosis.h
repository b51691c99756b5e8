// Why CUDA cannot be used, in words that say what to do about it. Pure functions of numbers, so
// that every case is tested on machines that have none of them.
#pragma once

#include <string>
#include <string_view>

namespace gradus::cuda {

/// Why there is no device. `status` is what cudaGetDeviceCount returned, as a number and by name; 0
/// with no devices is a driver that shows none. Versions as CUDA gives them (12.4 is 12040); a
/// driver version of 0 is no driver. `visible` is CUDA_VISIBLE_DEVICES, null if it is not set.
std::string why_no_device(int status, std::string_view name, int driver_version,
                          int runtime_version, const char* visible);

/// What was compiled, as CMake writes it ("75-real,80-real,90": "-real" is code for one generation,
/// "-virtual" is PTX for it and all later ones, neither is both). Does it run on compute capability
/// major.minor?
bool runs_on(std::string_view architectures, int major, int minor);

/// The error for a device on which it does not.
std::string why_unsupported(std::string_view device_name, int major, int minor,
                            std::string_view architectures);

}  // namespace gradus::cuda
