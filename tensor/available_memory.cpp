// Memory that could still be had on this machine.
#include <algorithm>
#include <fstream>
#include <string>

#include "gradus/tensor/allocator.h"

namespace gradus {

std::int64_t cpu_available_memory() {
  std::int64_t bytes = 0;
  std::ifstream file("/proc/meminfo");  // as Linux reckons: what it would take from its caches, too
  for (std::string word; file >> word;) {
    std::int64_t kib = 0;
    if (word == "MemAvailable:" && file >> kib) bytes = kib * 1024;
  }
  std::int64_t limit = 0, used = 0;  // of the container (cgroup v2); the word "max" reads as none
  if (std::ifstream("/sys/fs/cgroup/memory.max") >> limit && limit > 0 &&
      std::ifstream("/sys/fs/cgroup/memory.current") >> used)
    bytes = std::clamp<std::int64_t>(limit - used, 0, bytes);
  return bytes;
}

}  // namespace gradus
