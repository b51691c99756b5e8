// Where a tensor's data lives.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "gradus/config.h"
#include "gradus/tensor/error.h"

namespace gradus {

enum class DeviceType : std::uint8_t { cpu, cuda };

/// A processor with memory of its own: the CPU, or one CUDA device.
class Device {
 public:
  static constexpr Device cpu() { return Device(DeviceType::cpu, 0); }
  /// Throws (device) when used in a build or on a machine without CUDA, not here.
  static constexpr Device cuda(int index = 0) { return Device(DeviceType::cuda, index); }
  constexpr DeviceType type() const { return type_; }
  constexpr int index() const { return index_; }
  constexpr bool is_cpu() const { return type_ == DeviceType::cpu; }
  constexpr bool is_cuda() const { return type_ == DeviceType::cuda; }
  friend constexpr bool operator==(Device, Device) = default;

 private:
  constexpr Device(DeviceType type, int index)
      : type_(type), index_(static_cast<std::int16_t>(index)) {}
  DeviceType type_;
  std::int16_t index_;
};

std::string to_string(Device device);  // "cpu", "cuda:1"

/// True when this build contains the CUDA kernels (real or simulated).
inline constexpr bool has_cuda = GRADUS_HAS_CUDA;
/// True when they run on a simulated device (kernels/simt): for correctness, never for speed.
inline constexpr bool cuda_is_simulated = GRADUS_CUDA_IS_SIMULATED;

/// Devices that can be used now: 0 without a CUDA build, a driver or a GPU.
int cuda_device_count();
inline bool cuda_available() { return cuda_device_count() > 0; }
/// "cpu", or what the driver calls the device. Throws (device) where there is none such.
std::string device_name(Device device);

/// How busy a CUDA device was in the last second or less, by its driver's own count.
struct DeviceUsage {
  double busy_percent = 0;    // of the time in which a kernel ran,
  double memory_percent = 0;  // and in which its memory was read or written
  double watts = 0;           // 0 where it is not measured
};
/// Nothing where nobody counts: the CPU, a simulated device, a driver without NVML.
std::optional<DeviceUsage> device_usage(Device device);

}  // namespace gradus
