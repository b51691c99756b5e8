// Reads what the system says about itself; what it does not say stays empty.
#include "gradus/trainer/cli/machine.h"

#include <sched.h>
#include <sys/statvfs.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <sstream>
#include <string_view>

#include "gradus/tensor/allocator.h"

namespace gradus::cli {
namespace {

/// The value of `name : value` in a file of such lines.
std::string field(const char* file, std::string_view name) {
  std::ifstream stream(file);
  for (std::string line; std::getline(stream, line);) {
    const std::size_t colon = line.find(':');
    if (colon == line.npos || line.compare(0, name.size(), name) != 0) continue;
    const std::size_t begin = line.find_first_not_of(" \t", colon + 1);
    return begin == line.npos ? "" : line.substr(begin);
  }
  return "";
}

std::int64_t kilobytes(const char* name) {
  std::int64_t v = 0;
  std::istringstream(field("/proc/meminfo", name)) >> v;
  return v * 1024;
}

std::string instruction_sets() {
  std::istringstream flags(field("/proc/cpuinfo", "flags"));
  constexpr std::string_view shown[] = {"sse4_2",   "avx",      "avx2",       "fma",
                                        "f16c",     "avx512f",  "avx512bw",   "avx512_bf16",
                                        "amx_tile", "amx_bf16", "avx512_vnni"};
  std::string out;
  for (std::string flag; flags >> flag;)
    if (std::find(std::begin(shown), std::end(shown), flag) != std::end(shown))
      (out += out.empty() ? "" : " ") += flag;
  return out;
}

}  // namespace

Machine this_machine() {
  Machine machine;
  utsname about{};
  if (uname(&about) == 0) {
    machine.host = about.nodename;
    machine.system = std::string(about.sysname) + " " + about.release + " " + about.machine;
  }
  machine.processor = field("/proc/cpuinfo", "model name");
  machine.instruction_sets = instruction_sets();
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof set, &set) == 0) machine.cores = CPU_COUNT(&set);
  machine.memory = kilobytes("MemTotal");
  machine.memory_available = cpu_available_memory();
  std::int64_t limit = 0;  // of the container (cgroup v2); the word "max" reads as none
  if (std::ifstream("/sys/fs/cgroup/memory.max") >> limit && limit > 0)
    machine.memory = std::min(machine.memory, limit);
  return machine;
}

std::int64_t free_space(const std::filesystem::path& path) {
  std::error_code code;
  std::filesystem::path there = std::filesystem::absolute(path, code);
  while (!std::filesystem::exists(there, code) && there.has_relative_path())
    there = there.parent_path();
  struct statvfs about;
  if (statvfs(there.c_str(), &about) != 0) return -1;
  return static_cast<std::int64_t>(about.f_bavail) * static_cast<std::int64_t>(about.f_frsize);
}

}  // namespace gradus::cli
