// The op cases of one family: norm.
#include "gradus/tests/cases.h"

namespace gradus::testing {

void add_norm_cases(Cases&) {}

}  // namespace gradus::testing
