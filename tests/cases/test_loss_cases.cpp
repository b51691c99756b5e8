// The op cases of one family: loss.
#include "gradus/tests/cases.h"

namespace gradus::testing {

void add_loss_cases(Cases&) {}

}  // namespace gradus::testing
