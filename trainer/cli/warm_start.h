// Weights from somewhere else for a run that begins.
#pragma once

#include <string>

#include "gradus/nn/module.h"
#include "gradus/trainer/config.h"

namespace gradus::cli {

/// Loads what checkpoint.warm_start names into the module: a safetensors file, a checkpoint, or a
/// run directory's best checkpoint (its averaged weights if it has them). The prefixes "module."
/// and
/// "_orig_mod." are taken off names. Returns the report of what was loaded, missing, unexpected and
/// of another shape; nothing loaded is an Error(argument).
std::string warm_start(nn::Module& module, const trainer::Config& config);

}  // namespace gradus::cli
