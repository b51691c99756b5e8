// gradus bench, apart from the commands that know runs and checkpoints.
#pragma once

#include "gradus/trainer/cli/commands.h"

namespace gradus::cli {

/// Prints times and rates of a few kernels and of a training step.
int bench(const Arguments& arguments, const Tasks& tasks);

}  // namespace gradus::cli
