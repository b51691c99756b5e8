// The trainer as its callers see it: a task, data sets and a configuration in, a trained model,
// logs and checkpoints out. loop.h is what it consists of.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "gradus/trainer/config.h"
#include "gradus/trainer/data/dataset.h"
#include "gradus/trainer/hook.h"
#include "gradus/trainer/log/sink.h"
#include "gradus/trainer/state.h"
#include "gradus/trainer/task.h"
#include "gradus/trainer/trial.h"

namespace gradus::optim {
struct Group;
class Optimizer;
class Schedule;
}  // namespace gradus::optim

namespace gradus::trainer {

class Files;  // trainer/run/files.h
class Loop;   // trainer/loop.h

/// The optimizer that [optim] describes (optimizers.cpp).
std::unique_ptr<optim::Optimizer> make_optimizer(const Config& config,
                                                 std::vector<optim::Group> groups,
                                                 const optim::Schedule& schedule);

/// What a run came to.
struct Result {
  std::string status = "done";  // done, early_stopped, partial, requeue, interrupted, diverged
  State state;
  Values best;  // metrics of the best validation
  Values last;  // of the last validation and of the data sets evaluated at the end
  std::int64_t best_step = -1;
  int signal = 0;      // that ended it: status requeue or interrupted
  double seconds = 0;  // of this process
};

/// Trains a task on data sets. Nothing is written and no file is touched until use_directory() is
/// called; signals are never handled here (the command line does, through request_stop()).
class Trainer {
 public:
  /// `data`: "train" trains; the others are evaluated, "test" and those with when = "end" once, at
  /// the end.
  Trainer(Config config, std::shared_ptr<Task> task, std::map<std::string, DatasetPointer> data);
  ~Trainer();
  Trainer(const Trainer&) = delete;
  Trainer& operator=(const Trainer&) = delete;

  void add(std::shared_ptr<Hook> hook);
  void add(std::unique_ptr<Sink> sink);
  /// Checkpoints and logs go to `directory`, which exists. `confirm` is asked before every
  /// publication and throws if the directory is no longer ours.
  void use_directory(const std::string& directory, std::function<void()> confirm = {});
  /// Through `files`, which tests let fail.
  void use_directory(const std::string& directory, std::function<void()> confirm, Files& files);

  /// Makes this run a part of a search: validations are reported to `trial`, which may prune it;
  /// no checkpoint is written unless checkpoint.in_trials. Before use_directory().
  void set_trial(std::shared_ptr<Trial> trial);

  /// Called each time a checkpoint has become durable; from another thread where checkpoints are
  /// written in the background.
  void on_saved(std::function<void()> f);

  /// Freezes parameters and builds the optimizer; fit(), step() and load() do it if it was not
  /// done. Here a configuration that does not fit the model is found before anything is written.
  void prepare();

  /// Evaluates a batch of every data set and forgets what came of it: whether data, model, task and
  /// trainer.training_metric fit together is known before the first step. trainer.preflight does it
  /// in fit().
  void try_evaluations();

  /// Trains until a stop condition holds; after load(), from where the checkpoint was.
  Result fit();

  // The caller's own loop.
  /// One optimizer step on one batch.
  void step(Batch& batch);
  /// Means over the whole data set of that name, as "<name>/<metric>".
  Values evaluate(const std::string& name);
  Tensor predict(const Batch& batch);
  /// The task's text after `prompt`.
  std::string write(const std::string& prompt);
  /// Writes a checkpoint now; durable when it returns. From a hook within a step: at the step's
  /// end.
  void save();
  /// After an exception: saves the last finished step, unless there is none, it is saved already,
  /// or a parameter is not finite. Returns whether it saved.
  bool rescue();
  /// Goes on exactly from a checkpoint directory.
  void load(const std::string& checkpoint);
  /// After load(): the learning rates of the configuration in place of the checkpoint's.
  void use_given_rates();
  /// Optimizer steps of one epoch with windows of trainer.accumulate; 0: not known.
  std::int64_t steps_per_epoch() const;
  /// Samples of the data set of that name; 0 if there is none.
  std::int64_t samples(const std::string& name) const;
  /// Weights only, averaged ones if the checkpoint has them and `averaged`.
  void load_weights(const std::string& checkpoint, bool averaged);
  /// Ends fit() after the current step; safe in a signal handler. `signal` 0: asked by a program.
  /// For a signal a validation, or the evaluation of the end, is left after its batch of now: who
  /// goes on from the checkpoint makes it.
  void request_stop(int signal = 0) noexcept;
  /// Saves after the current step; safe in a signal handler.
  void request_save() noexcept;

  /// A value of this step for the next log row: averaged over the steps since the last one.
  void log(std::string_view name, const Tensor& value, double weight = 1);
  void log(std::string_view name, double value, double weight = 1);
  /// Whether a value of this name, of the step of now, would stand in a row: what costs time is
  /// computed only then. trainer/logging.h has the same, and pictures, texts, histograms and
  /// tables, for code that knows no trainer.
  bool wants(std::string_view name) const;
  /// The same of a text, histogram, picture or table.
  bool wants_entry(Entry::Kind kind) const;
  /// Calls `make`, and hands on what it gives, only if a sink that is due wants this kind.
  void log_entry(std::string_view name, Entry::Kind kind,
                 const std::function<decltype(Entry::content)()>& make);

  const State& state() const;
  const Config& config() const;
  Task& task();
  /// Made by fit(), step() or load(), from the configuration. Of several the one of that name.
  optim::Optimizer& optimizer(const std::string& name = "main");
  /// "main", or the names of Config::optimizers.
  std::vector<std::string> optimizer_names() const;
  const std::string& directory() const;
  /// Where the model is, and every batch that a task or a hook sees.
  Device device() const;

 private:
  std::unique_ptr<Loop> loop_;
};

}  // namespace gradus::trainer
