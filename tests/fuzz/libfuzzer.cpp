// The entry that libFuzzer looks for, for the parser that GRADUS_FUZZ names.
#include <cstdio>
#include <cstdlib>

#include "gradus/tensor/error.h"
#include "gradus/tests/fuzz/harness.h"

namespace {

const gradus::fuzz::Parser& chosen() {
  const char* const name = std::getenv("GRADUS_FUZZ");
  for (const auto& parser : gradus::fuzz::parsers())
    if (name != nullptr && parser.name == name) return parser;
  std::fprintf(stderr, "GRADUS_FUZZ names no parser; there are:");
  for (const auto& parser : gradus::fuzz::parsers())
    std::fprintf(stderr, " %s", parser.name.c_str());
  std::fprintf(stderr, "\n");
  std::exit(2);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  static const gradus::fuzz::Parser& parser = chosen();
  return parser.one_input({bytes, size});
}
