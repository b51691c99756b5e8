// What a run has to say, and the classes that take it down. A sink of your own derives from Sink
// and is given to the Trainer; row_file.h and console.h are ours.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "gradus/trainer/log/entry.h"

namespace gradus::trainer {

/// The values of one step. Metrics are the same for every run of the same configuration; everything
/// that a clock or the machine has a part in (times, rates, memory) is timing.
struct Record {
  enum Kind { metrics, timing } kind = metrics;
  std::int64_t step = 0;  // attempted
  std::int64_t epoch = 0;
  // After the last step: the means since the last row, and the final evaluation, for every sink.
  // Done again after a resume.
  bool at_end = false;
  std::vector<std::pair<std::string, double>> values;  // "train/loss", "valid/accuracy", "lr"
};

/// What the host knows after each step without asking the device.
struct Progress {
  std::int64_t step = 0;   // attempted
  std::int64_t steps = 0;  // where the run ends; 0: unknown
  std::int64_t epoch = 0;  // from 0
  std::int64_t epochs = 0;
  std::int64_t epoch_step = 0;
  std::int64_t epoch_steps = 0;
  std::int64_t samples = 0;  // since this process began
  double data_seconds = 0;   // spent waiting for data, since this process began
  std::int64_t memory_bytes = 0;
};

class Sink {
 public:
  virtual ~Sink() = default;
  /// Whether a value of this step would be written: the sink's own rate. Asked after every step;
  /// what nobody wants is not computed, and a sink is given of a row of training what it wants. A
  /// mean is over the steps since the last multiple of log.every_n_steps, whoever asks. The answer
  /// may depend on the step only, never on a clock, if the value is one of the metrics.
  virtual bool wants(std::int64_t step, std::string_view name) const = 0;
  /// A display wants nothing to be computed, but is given every row at log.every_n_steps.
  virtual bool follows() const { return false; }
  /// A row of training, or all values of an evaluation.
  virtual void write(const Record& record) = 0;
  /// The same for texts, histograms, pictures and tables.
  virtual bool wants_entry(const Moment&, Entry::Kind) const { return false; }
  /// Any entry that some sink wanted.
  virtual void write_entry(const Entry&) {}
  /// After each step, when all of its records have been written.
  virtual void tick(const Progress&) {}
  /// After each batch of an evaluation of the data set `name`. `batches` 0: not known how many.
  virtual void evaluating(std::string_view, std::int64_t /*batch*/, std::int64_t /*batches*/) {}
  /// Makes everything written durable; a checkpoint is published only afterwards.
  virtual void flush() {}
  /// Called once before the first record: the run goes on from `step` (-1: it starts fresh). What
  /// was written about later steps, or at the end of the run, is going to be written again: remove
  /// it.
  virtual void resume(std::int64_t) {}
  /// Called instead of resume() where `step` was made but what follows it was not finished. Entries
  /// of the step itself stay; its rows, and what its evaluations said, are going to be written
  /// again: remove those, too.
  virtual void resume_within(std::int64_t step) { resume(step - 1); }
  /// The run has come to an end: done, early_stopped, diverged ...; not where it goes on later.
  virtual void end(std::string_view) {}
};

}  // namespace gradus::trainer
