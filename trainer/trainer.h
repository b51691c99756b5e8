// The trainer: steps at the core, epochs on top. trainer.cpp is the loop, step.cpp one optimizer
// step, evaluate.cpp validation and selection, log.cpp what is written down, save.cpp checkpoints,
// build.cpp what a configuration builds.
#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "gradus/autograd/anomaly.h"
#include "gradus/nn/module.h"
#include "gradus/optim/optimizer.h"
#include "gradus/trainer/checkpoint/background.h"
#include "gradus/trainer/clock.h"
#include "gradus/trainer/config.h"
#include "gradus/trainer/data/stream.h"
#include "gradus/trainer/device.h"
#include "gradus/trainer/hook.h"
#include "gradus/trainer/log/sink.h"
#include "gradus/trainer/metrics.h"
#include "gradus/trainer/named_optimizer.h"
#include "gradus/trainer/selection.h"
#include "gradus/trainer/state.h"
#include "gradus/trainer/step_graph.h"
#include "gradus/trainer/task.h"
#include "gradus/trainer/trial.h"

namespace gradus::trainer {

class CheckpointStore;  // trainer/checkpoint/store.h
class Files;            // trainer/run/files.h
class Loader;           // trainer/data/loader.h
struct FileToSave;      // trainer/checkpoint/store.h

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
  void set_trial(std::shared_ptr<Trial> trial) { trial_ = std::move(trial); }

  /// Called each time a checkpoint has become durable; from another thread where checkpoints are
  /// written in the background.
  void on_saved(std::function<void()> f) { saved_ = std::move(f); }

  /// Freezes parameters and builds the optimizer; fit(), step() and load() do it if it was not
  /// done. Here a configuration that does not fit the model is found before anything is written.
  void prepare();

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
  /// Writes a checkpoint now; durable when it returns.
  void save();
  /// After an exception: saves the last finished step, unless there is none, it is saved already,
  /// or a parameter is not finite. Returns whether it saved.
  bool rescue();
  /// Goes on exactly from a checkpoint directory.
  void load(const std::string& checkpoint);
  /// After load(): the learning rates of the configuration in place of the checkpoint's.
  void use_given_rates();
  /// Samples of the data set of that name; 0 if there is none.
  std::int64_t samples(const std::string& name) const;
  /// Weights only, averaged ones if the checkpoint has them and `averaged`.
  void load_weights(const std::string& checkpoint, bool averaged);
  /// Ends fit() after the current step; safe in a signal handler. `signal` 0: asked by a program.
  void request_stop(int signal = 0) noexcept { stop_signal_.store(signal == 0 ? -1 : signal); }
  /// Saves after the current step; safe in a signal handler.
  void request_save() noexcept { save_requested_.store(true); }

  /// A value of this step for the next log row: averaged over the steps since the last one.
  void log(std::string_view name, const Tensor& value, double weight = 1);
  void log(std::string_view name, double value, double weight = 1);
  /// Whether a value of this name, of the step of now, would stand in a row: what costs time is
  /// computed only then. trainer/logging.h has the same, and pictures, texts, histograms and
  /// tables, for code that knows no trainer.
  bool wants(std::string_view name) const;
  /// The same of a text, histogram, picture or table.
  bool wants_entry(Entry::Kind kind) const { return sinks_.wants_entry(moment(), kind); }
  /// Calls `make`, and hands on what it gives, only if a sink that is due wants this kind.
  void log_entry(std::string_view name, Entry::Kind kind,
                 const std::function<decltype(Entry::content)()>& make);

  const State& state() const { return state_; }
  const Config& config() const { return config_; }
  Task& task() { return *task_; }
  /// Made by fit(), step() or load(), from the configuration. Of several the one of that name.
  optim::Optimizer& optimizer(const std::string& name = "main");
  /// "main", or the names of Config::optimizers.
  std::vector<std::string> optimizer_names() const;
  const std::string& directory() const { return directory_; }
  /// Where the model is, and every batch that a task or a hook sees.
  Device device() const { return device_; }

 private:
  enum class SaveReason { step, epoch, best, last };

  // trainer.cpp
  Result train(double began);
  void train_epoch(std::int64_t first_epoch, std::string& status);
  void after_step(bool epoch_ended);
  void settle();
  void end_epoch();
  void start_reading();
  bool epoch_is_over() const;
  bool validation_due(bool epoch_ended) const;
  std::string stop_reason(std::int64_t first_epoch);
  bool steps_done();
  Result finish(std::string status, double began);
  void run_hooks(HookPhase phase, HookContext context);
  HookContext context() { return {*this, state_}; }

  // window.cpp
  bool window();
  std::int64_t micro_batches() const;
  Batch* next_batch();
  Batch* up_to_the_last_sample(Batch* batch);
  bool split_step(Batch& batch, std::int64_t first_row, std::int64_t rows);
  void drop_window();

  // step.cpp
  bool micro_step(Batch& batch, std::int64_t first_row, std::int64_t rows);
  double forward_and_backward(Batch& batch);
  void backward_of(const StepResult& result, double weight);
  void begin_graphs();
  void before_update();
  void optimizer_step();
  void count(std::string_view name, const Tensor& value, double weight);

  // several.cpp
  bool several() const { return optimizers_.size() > 1 || !config_.optimizers.empty(); }
  void choose_moving(const StepResult& result);
  void begin_window();
  bool moves(const Parameter& p) const;
  optim::Optimizer& scaling_optimizer() const;
  std::vector<std::vector<Parameter>> divided_parameters() const;
  void track_buffers();
  bool has_average() const;
  std::map<std::string, Tensor> averages() const;
  void put_averages_in();
  void take_averages_out();

  // balance.cpp
  void balanced_backward(const PooledVector<Tensor>& losses, const PooledVector<Tensor>& roots,
                         double weight);

  // anomaly.cpp
  void keep_anomaly(AnomalyWatch& watch, const Batch& batch);
  void tell_of_anomaly();

  // precision.cpp
  void begin_precision();
  Tensor root_gradient(const Metric& loss, double weight) const;
  void count_weight(double weight);

  // non_finite.cpp
  bool retries() const;
  bool was_bad();
  void rewind();
  void tell_of_skipped();

  // evaluate.cpp
  struct AverageScope;
  Values evaluate_set(const std::string& name);
  bool validate();
  Values training_means();
  void evaluate_end();
  bool waits_for_end(const std::string& name) const;

  // log.cpp
  void open_sinks();
  void log_if_due();
  void read_clocks();
  void write_row(Values values, bool at_end);
  bool is_written(std::string_view name) const;
  void drop_unwritten(Values& values) const;
  void log_histograms();
  void log_images_if_due();
  Moment moment() const;
  void write_timing();
  void tick();

  // preflight.cpp
  void preflight();

  // log.cpp
  void begin_profile();
  void end_profile();

  // save.cpp
  void save(bool in_background);
  void save_if_due(SaveReason reason);
  std::vector<FileToSave> snapshot(bool copies);
  bool load_best_weights();
  void load_tensors(const std::string& checkpoint);
  void load_model(std::map<std::string, Tensor> weights, const std::string& checkpoint);

  // freeze.cpp
  void freeze();
  std::vector<std::string> never_changing() const;
  void thaw_if_due();

  // build.cpp
  void build_optimizers();
  void build_plateau(NamedOptimizer& o);
  void begin_teachers(double steps);
  std::int64_t steps_per_epoch() const;

  Config config_;
  Device device_;
  Dtype weights_dtype_ = Dtype::f32;  // run.precision: f64, else f32
  Dtype lowered_ = Dtype::f32;        // run.precision: what products are computed in
  bool scales_ = false;               // the loss is multiplied by a scale
  double weight_unit_ = 1;            // what a weight of 1 adds to the window: a power of two
  std::shared_ptr<Task> task_;
  std::map<std::string, DatasetPointer> data_;
  std::map<std::string, std::unique_ptr<Loader>> loaders_;
  std::vector<std::shared_ptr<Hook>> hooks_;
  Sinks sinks_;
  std::vector<NamedOptimizer> optimizers_;   // by name; empty without training
  bool chosen_ = false;                      // which of them move in the window of now
  std::vector<Parameter> frozen_;            // trainer.freeze, until trainer.unfreeze_at
  std::vector<nn::Module*> frozen_modules_;  // all of whose parameters are
  std::string anomaly_;                      // what was found in this window
  State state_;
  State whole_;             // as it was before the window that is being worked on
  bool in_window_ = false;  // a window has begun and its step is not finished
  // From the update until all that follows it but the checkpoint is done; a checkpoint of that time
  // holds the state as the update left it, and a run that goes on from it does what follows again.
  bool unfinished_ = false;
  State stepped_;
  bool logged_ = false;                 // metrics_ are in a row and go when the step is settled
  bool halted_ = false;                 // the optimizer stopped itself: the run has diverged
  std::unique_ptr<StepGraphs> graphs_;  // trainer.cuda_graph
  DeviceBatch on_device_;               // the batch of now, where the device is not the CPU
  Metrics metrics_;                     // of training, since the last log row
  std::optional<Metrics> judged_;       // and since it was last judged: trainer.skip_validation
  Metrics* evaluated_ = nullptr;        // of the data set that is being evaluated,
  std::string evaluated_name_;          // and its name
  std::vector<std::string> entries_;    // taken in this step or evaluation
  bool at_end_ = false;                 // the final evaluation is being made
  std::int64_t working_on_ = 0;         // the attempted step that the window of now will be
  Batch cut_;                           // the last batch, where trainer.max_samples ends within it
  StreamPlace stream_, whole_stream_, stepped_stream_;  // where data.train is, if it is a stream
  Selection selection_;
  Values last_validation_;
  std::map<std::string, Tensor> best_weights_;  // where there is no directory to keep them in
  std::string directory_;
  std::function<void()> confirm_, saved_;
  Files* files_ = nullptr;
  std::unique_ptr<CheckpointStore> store_;
  std::int64_t last_step_ = 0;        // attempted step at which max_steps may be reached
  std::int64_t epoch_samples_ = 0;    // of one epoch, caps considered
  std::int64_t skipped_in_row_ = 0;   // batches without a loss
  std::int64_t told_skipped_ = 0;     // skipped steps that were told of
  bool drew_random_ = false;          // some step drew random numbers
  double validated_at_ = 0;           // elapsed seconds at the last validation
  std::int64_t validated_step_ = -1;  // and its attempted step
  std::int64_t last_saved_ = -1;      // attempted step of the newest checkpoint
  std::int64_t resumed_from_ = -1;    // attempted step of the checkpoint this run goes on from
  bool saved_best_ = false;           // the checkpoint of selection_.best_step() exists
  double window_weight_ = 0;          // of the micro-batches since zero_grad
  std::shared_ptr<Trial> trial_;      // null: this is no part of a search
  bool pruned_ = false;               // by its trial
  std::unique_ptr<Profile> profile_;  // profiler.active
  bool prepared_ = false;
  std::atomic<int> stop_signal_{0};  // 0: none, -1: asked without a signal
  std::atomic<bool> save_requested_{false};
  Times times_;     // since the last timing row
  Progress shown_;  // for the sinks
  double started_ = 0, last_save_time_ = 0;
  Background saving_;  // last: what it writes of is gone only after it
};

}  // namespace gradus::trainer
