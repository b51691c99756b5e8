// The op cases of one family: reduce.
#include "gradus/tests/cases.h"

namespace gradus::testing {

void add_reduce_cases(Cases&) {}

}  // namespace gradus::testing
