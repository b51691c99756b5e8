// A trained model in a program of one's own.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "gradus/nn/module.h"
#include "gradus/trainer/cli/cli.h"

namespace gradus::trainer {

/// The model of a checkpoint, or of a run directory's best checkpoint (its newest good one if none
/// is the best), on the device of its configuration, in eval mode, with the averaged weights where
/// evaluations used them. The configuration's data must be there, since the model's sizes are the
/// data's: `settings`, as --set takes them, say where it is now ("data.train.path=..."), or name
/// another device. `tasks` are the program's own, as for cli::main. Throws what `gradus predict`
/// says: a path without a run, a damaged checkpoint, missing data.
std::shared_ptr<nn::Module> load_model(const std::string& path,
                                       const std::vector<std::string>& settings = {},
                                       const cli::Tasks& tasks = {});

}  // namespace gradus::trainer
