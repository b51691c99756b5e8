// What has changed in a configuration since a checkpoint was written, and what that means for a
// resume that promises the same run.
#pragma once

#include <string>
#include <vector>

#include "gradus/trainer/config.h"

namespace gradus::trainer {

struct Change {
  /// free: when to stop, save, log, evaluate. warned: the run goes on differently from here (rate,
  /// schedule, batch). refused: it would be another run (model, data, seed, kind of optimizer).
  enum Kind { free, warned, refused } kind;
  std::string key, before, after;  // values as TOML
};

/// `before` is what a checkpoint keeps, `after` the configuration of now, both with every default.
/// Keys that only one of them has came or went with a version of the program and are left out.
std::vector<Change> changes(const std::string& before, const Config& after);

/// What a change of this key means; of a list element ("optim.groups[0].lr"), what its list means.
Change::Kind kind_of_change(const std::string& key, const std::string& before,
                            const std::string& after);

/// Throws Error(argument) in one line if a change is refused that no pattern of `allowed` names.
/// Returns the lines to tell of the warned ones.
std::vector<std::string> check_changes(const std::vector<Change>& changes,
                                       const std::vector<std::string>& allowed);

}  // namespace gradus::trainer
