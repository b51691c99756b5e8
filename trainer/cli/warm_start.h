// Weights from somewhere else for a run that begins.
#pragma once

#include <string>

#include "gradus/trainer/trainer.h"

namespace gradus::cli {

/// Loads what checkpoint.warm_start names into the trainer's model: a safetensors file, a
/// checkpoint, or a run directory's best checkpoint (its averaged weights if it has them); with
/// `optimizer`, from a checkpoint, the state of the parameters that are taken too. Names that the
/// model does not have are tried without the prefixes "module." and "_orig_mod.", then renamed.
/// Returns the report of what was loaded, missing, unexpected and of another shape; nothing loaded,
/// a rename that fits no name, or with `strict` anything but a perfect fit is an Error(argument).
std::string warm_start(trainer::Trainer& trainer);

/// Before a checkpoint with checkpoint.save = "trainable" is loaded: the frozen weights, which it
/// does not hold, come from where the run took them. Does nothing for other runs.
void restore_frozen(trainer::Trainer& trainer);

}  // namespace gradus::cli
