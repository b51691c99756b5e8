// The op cases of one family: shape.
#include "gradus/tests/cases.h"

namespace gradus::testing {

void add_shape_cases(Cases&) {}

}  // namespace gradus::testing
