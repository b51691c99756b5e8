// What a run runs on: for `gradus doctor` and for the record kept with every run.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

namespace gradus::cli {

struct Machine {
  std::string host, system;      // "ada", "Linux 6.1.0 x86_64"
  std::string processor;         // "AMD EPYC 9654 96-Core Processor"
  std::string instruction_sets;  // of those that matter here: "avx2 fma avx512f"
  int cores = 0;                 // that this process may use
  std::int64_t memory = 0;       // bytes, the limit of a container considered
  std::int64_t memory_available = 0;
};
Machine this_machine();

/// Bytes that an unprivileged user can still write where a path is, or would be; -1: not known.
std::int64_t free_space(const std::filesystem::path& path);

}  // namespace gradus::cli
