#include "gradus/tensor/build_info.h"

#include <fmt/format.h>

#include "gradus/config.h"

namespace gradus {

extern const char* const revision;  // in a generated file: see cmake/revision.cmake

std::string_view version() { return GRADUS_VERSION; }

std::string build_info() {
#if defined(__clang__)
  constexpr std::string_view compiler = "clang ";
#else
  constexpr std::string_view compiler = "g++ ";
#endif
  const std::string_view commit = revision;
  return fmt::format("gradus {}{}{}, {}{}, {}, {}", version(), commit.empty() ? "" : " ", commit,
                     compiler, __VERSION__, GRADUS_BUILD_FLAGS,
                     GRADUS_HAS_CUDA ? "cpu and cuda" : "cpu");
}

}  // namespace gradus
