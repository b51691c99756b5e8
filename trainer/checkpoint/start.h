// Where a run begins: at its own newest good checkpoint, at someone's weights, or at nothing.
#pragma once

#include <string>
#include <vector>

#include "gradus/trainer/checkpoint/store.h"

namespace gradus::trainer {

struct Start {
  enum Kind { fresh, warm, resumed } kind = fresh;
  std::filesystem::path path;        // of the checkpoint or of the weights
  std::int64_t step = 0;             // of a checkpoint
  std::vector<std::string> skipped;  // damaged checkpoints that were passed over, and why
  std::string line;                  // the first line a run prints
};

/// `resume` is "latest" (the run's own newest good checkpoint, then `warm_start`, then fresh),
/// "none" (never resume; refused where checkpoints are) or the path of one checkpoint or run
/// directory. Never a silent fresh start: checkpoints of which none is good are an Error(corrupt).
Start choose_start(Files& files, const std::filesystem::path& run_directory,
                   const std::string& resume, const std::filesystem::path& warm_start);

}  // namespace gradus::trainer
