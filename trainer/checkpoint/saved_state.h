// state.json of a checkpoint: everything of a run that is not a tensor.
#pragma once

#include <cmath>
#include <filesystem>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "gradus/trainer/data/stream.h"
#include "gradus/trainer/metrics.h"
#include "gradus/trainer/state.h"

namespace gradus::trainer {

struct SavedState {
  State state;
  bool unfinished = false;           // what follows the step (row, validation) is still to be done,
  std::vector<std::string> entries;  // but these have been written of it
  std::int64_t seed = 0;
  std::int64_t samples = 0;     // of data.train, to notice that it is another one
  std::string content = "all";  // "model": a run cannot go on from it
  std::string config;           // as to_toml() writes it, every default included

  struct {
    std::string metric;
    double best = NAN;
    std::int64_t best_step = -1, since_best = 0;
    Values best_values;
    std::vector<std::pair<std::int64_t, double>> history;  // step, value
  } selection;
  Values last_validation;
  std::int64_t validated_step = -1;  // of the last one that was not the end's
  using Sums = std::vector<std::pair<std::string, std::pair<double, double>>>;
  Sums sums;           // Metrics::sums() since the last row
  Sums judged;         // and since training itself was last judged: trainer.skip_validation
  StreamPlace stream;  // where data.train is, if it is a stream
  std::string frozen;  // checksum of the weights left out: checkpoint.save = "trainable"
  std::map<std::string, std::string> hooks;  // name -> Hook::save()
};

std::string to_json(const SavedState& saved);

/// Throws Error(corrupt) that names the file and what is wrong in it, or (unsupported) if a newer
/// program wrote it.
SavedState read_saved_state(const std::filesystem::path& checkpoint);

}  // namespace gradus::trainer
