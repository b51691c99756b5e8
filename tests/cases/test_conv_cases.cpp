// The op cases of one family: conv.
#include "gradus/tests/cases.h"

namespace gradus::testing {

void add_conv_cases(Cases&) {}

}  // namespace gradus::testing
