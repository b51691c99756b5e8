// The op cases of one family: index.
#include "gradus/tests/cases.h"

namespace gradus::testing {

void add_index_cases(Cases&) {}

}  // namespace gradus::testing
