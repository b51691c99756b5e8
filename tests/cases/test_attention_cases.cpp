// The op cases of one family: attention.
#include "gradus/tests/cases.h"

namespace gradus::testing {

void add_attention_cases(Cases&) {}

}  // namespace gradus::testing
