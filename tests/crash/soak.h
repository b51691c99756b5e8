// How much the tests of this folder do: a little in the suite; with `./run soak` as much as it
// takes to believe them, or the given number of times; from a seed that a failure names.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <cstdlib>
#include <random>
#include <string>

namespace gradus::testing {

/// `full` where GRADUS_SOAK is "full", its number where it is one, else `usual`.
inline int soak_count(int usual, int full) {
  const char* const asked = std::getenv("GRADUS_SOAK");
  if (asked == nullptr) return usual;
  return std::string(asked) == "full" ? full : std::atoi(asked);
}

inline std::uint64_t soak_seed() {
  const char* const asked = std::getenv("GRADUS_SOAK_SEED");
  return asked == nullptr ? 1 : std::strtoull(asked, nullptr, 10);
}

/// Random choices that a test repeats with the same seed.
class Chance {
 public:
  Chance() : engine_(soak_seed()) {}
  /// One of 0 ... n - 1.
  int below(int n) { return static_cast<int>(engine_() % static_cast<std::uint64_t>(n)); }

 private:
  std::mt19937_64 engine_;
};

}  // namespace gradus::testing
