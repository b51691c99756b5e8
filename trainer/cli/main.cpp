// The program `gradus`. Compiled for the plainest processor: it must be able to say what is
// missing.
#include <cstdio>

#include "gradus/tensor/build_info.h"
#include "gradus/trainer/cli/cli.h"

int main(int argc, char** argv) {
  if (const char* missing = gradus::missing_instruction_set()) {
    std::fprintf(stderr,
                 "gradus: this processor has no %s, which this build uses; build it here, or with "
                 "-DGRADUS_NATIVE=OFF\n",
                 missing);
    return 4;
  }
  return gradus::cli::main(argc, argv);
}
