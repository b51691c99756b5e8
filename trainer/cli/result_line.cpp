// What a run came to, for programs: counters, metrics of the last and of the best validation, time.
#include "gradus/trainer/cli/result_line.h"

#include <cmath>

#include "gradus/trainer/log/json_line.h"
#include "gradus/trainer/run/signals.h"

namespace gradus::cli {

using trainer::JsonLine;

std::string result_line(const trainer::Result& result) {
  const trainer::State& state = result.state;
  JsonLine line;
  line.add("event", "result")
      .add("status", result.status)
      .add("step", state.attempted)
      .add("applied", state.applied)
      .add("epoch", state.epoch)
      .add("samples", state.samples);
  if (result.signal != 0) line.add("signal", trainer::signal_name(result.signal));
  for (const auto& [name, value] : result.last) line.add(name, value);
  if (result.best_step >= 0) line.add("best_step", result.best_step);
  for (const auto& [name, value] : result.best) line.add("best/" + name, value);
  return line.add("seconds", std::round(result.seconds * 1e3) / 1e3).text();
}

std::string result_line(std::int64_t step, const trainer::Values& values, double seconds) {
  JsonLine line;
  line.add("event", "result").add("status", "done").add("step", step);
  for (const auto& [name, value] : values) line.add(name, value);
  return line.add("seconds", std::round(seconds * 1e3) / 1e3).text();
}

}  // namespace gradus::cli
