// Where the oracles replay, and how much of it: GRADUS_ORACLE_DEVICE is cpu (if not given), cuda or
// cuda:1, a real device or the simulated one; with GRADUS_ORACLE_EVERY=7 every seventh case is
// replayed, which is for sanitizers, and no count is asked for.
#pragma once

#include <cstdlib>
#include <string>

#include "gradus/kernels/create.h"
#include "gradus/tensor/tensor.h"

namespace gradus::oracle {

inline Device replay_device() {
  static const Device device = [] {
    const char* given = std::getenv("GRADUS_ORACLE_DEVICE");
    const std::string name = given == nullptr ? "cpu" : given;
    check(name == "cpu" || name == "cuda" || name.starts_with("cuda:"), ErrorKind::argument,
          "GRADUS_ORACLE_DEVICE is \"", name, "\", expected cpu, cuda or cuda:N");
    if (name == "cpu") return Device::cpu();
    return Device::cuda(name == "cuda" ? 0 : std::stoi(name.substr(5)));
  }();
  return device;
}

/// Is the i-th case one of those to replay?
inline bool is_replayed(std::size_t i) {
  static const std::size_t every = [] {
    const char* given = std::getenv("GRADUS_ORACLE_EVERY");
    return given == nullptr ? std::size_t{1} : std::strtoul(given, nullptr, 10);
  }();
  return every <= 1 || i % every == 0;
}
inline bool all_are_replayed() { return is_replayed(0) && is_replayed(1); }

/// Why a case that passes on the CPU is left out on a device: the counts know of it.
inline constexpr auto on_the_cpu_alone = "integers, which are convolved on the CPU alone";

/// A row-major copy on the device of the replay; the tensor itself on the CPU.
inline Tensor on_device(const Tensor& t) {
  return t && !replay_device().is_cpu() ? t.to(replay_device()) : t;
}

}  // namespace gradus::oracle
