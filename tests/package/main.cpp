// A program that uses an installed Gradus as any other would: one include, one library.
#include <gradus/gradus.h>

#include <cstdio>
#include <cstring>

#include "tensor/tensor.h"

#if __has_include(<tensor/error.h>) || __has_include(<nn/module.h>) || \
    __has_include(<config.h>) || __has_include(<gradus.h>)
#error "something of Gradus can be included by a generic name"
#endif

int main() {
  if (gradus::missing_instruction_set() != nullptr) return 4;
  if (std::strcmp(whose_tensor(), "the consumer's") != 0) return 1;
  if (gradus::version() != GRADUS_VERSION) return 1;  // header and library are of one version
  std::printf("%s\n", gradus::build_info().c_str());
}
