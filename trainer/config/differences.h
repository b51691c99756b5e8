// Two configurations compared key by key, list elements included: for `gradus diff` and for what a
// resume has to be told.
#pragma once

#include <string>
#include <vector>

#include "gradus/trainer/config/value.h"

namespace gradus::trainer {

/// One key that differs: "optim.lr", "optim.groups[1].parameters[0]". A side that does not have it
/// holds "".
struct Difference {
  std::string key, before, after;  // values as TOML
  bool in_before = true, in_after = true;
};

/// In the order of `before`, then what only `after` has. Tables are compared by key, lists by
/// position; where one side has a list and the other something else, the key differs as a whole.
std::vector<Difference> differences(const Value& before, const Value& after);

}  // namespace gradus::trainer
