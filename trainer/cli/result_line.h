// The last line on standard output: one JSON object, times last.
#pragma once

#include <string>

#include "gradus/trainer/metrics.h"
#include "gradus/trainer/trainer.h"

namespace gradus::cli {

/// {"event": "result", "status": "done", "step": 500, ..., "valid/loss": 0.31, ...,
/// "seconds": 41.2}
std::string result_line(const trainer::Result& result);
/// The same for an evaluation of one checkpoint.
std::string result_line(std::int64_t step, const trainer::Values& values, double seconds);

}  // namespace gradus::cli
