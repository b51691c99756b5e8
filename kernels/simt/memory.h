// The simulated devices' memory: who owns which address, and the fence around it.
#pragma once

#include <cstddef>
#include <string>

namespace gradus::simt {

inline constexpr int device_count = 2;
inline constexpr std::size_t device_bytes = std::size_t{4} << 30;

/// Null where the device has not that much left. Filled with NaN.
void* allocate_device(int device, std::size_t bytes);
void free_device(void* p);
std::size_t free_bytes(int device);
void* allocate_host(std::size_t bytes);
void free_host(void* p);

/// The device whose memory [p, p + bytes) is, -1 for pinned host memory, -2 for any other.
int owner_of(const void* p, std::size_t bytes = 1);

/// With Options::protect: nobody may touch device memory but while one of these lives.
class Unlocked {
 public:
  Unlocked();
  ~Unlocked();
  Unlocked(const Unlocked&) = delete;
  Unlocked& operator=(const Unlocked&) = delete;
};

void set_protect(bool on);

}  // namespace gradus::simt
