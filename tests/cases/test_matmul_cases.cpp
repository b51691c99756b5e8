// The op cases of one family: matmul.
#include "gradus/tests/cases.h"

namespace gradus::testing {

void add_matmul_cases(Cases&) {}

}  // namespace gradus::testing
