// What a trainer consists of: steps at the core, epochs on top. loop.cpp is the loop, window.cpp
// the micro-batches of a step, step.cpp one optimizer step, evaluate.cpp validation and selection,
// log.cpp what is written down, save.cpp checkpoints, build.cpp what a configuration builds. What
// the public functions mean stands in trainer.h.
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
#include "gradus/tensor/random.h"
#include "gradus/trainer/checkpoint/background.h"
#include "gradus/trainer/clock.h"
#include "gradus/trainer/data/stream.h"
#include "gradus/trainer/device.h"
#include "gradus/trainer/log/sinks.h"
#include "gradus/trainer/metrics.h"
#include "gradus/trainer/named_optimizer.h"
#include "gradus/trainer/selection.h"
#include "gradus/trainer/step_graph.h"
#include "gradus/trainer/trainer.h"

namespace gradus::trainer {

class CheckpointStore;  // trainer/checkpoint/store.h
class Loader;           // trainer/data/loader.h
struct FileToSave;      // trainer/checkpoint/store.h

class Loop {
 public:
  Loop(Trainer& trainer, Config config, std::shared_ptr<Task> task,
       std::map<std::string, DatasetPointer> data);
  ~Loop();
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  void add(std::shared_ptr<Hook> hook);
  void add(std::unique_ptr<Sink> sink);
  void use_directory(const std::string& directory, std::function<void()> confirm, Files& files);

  void set_trial(std::shared_ptr<Trial> trial) { trial_ = std::move(trial); }

  void on_saved(std::function<void()> f) { saved_ = std::move(f); }

  void prepare();
  void try_evaluations();

  Result fit();

  // The caller's own loop.
  void step(Batch& batch);
  Values evaluate(const std::string& name);
  Tensor predict(const Batch& batch);
  std::string write(const std::string& prompt);
  void save();
  bool rescue();
  void load(const std::string& checkpoint);
  void use_given_rates();
  std::int64_t steps_per_epoch() const;
  std::int64_t samples(const std::string& name) const;
  void load_weights(const std::string& checkpoint, bool averaged);
  void request_stop(int signal) noexcept { stop_signal_.store(signal == 0 ? -1 : signal); }
  void request_save() noexcept { save_requested_.store(true); }

  void log(std::string_view name, const Tensor& value, double weight);
  void log(std::string_view name, double value, double weight);
  bool wants(std::string_view name) const;
  bool wants_entry(Entry::Kind kind) const {
    return !trying_ && sinks_.wants_entry(moment(), kind);
  }
  void log_entry(std::string_view name, Entry::Kind kind,
                 const std::function<decltype(Entry::content)()>& make);

  const State& state() const { return state_; }
  const Config& config() const { return config_; }
  Task& task() { return *task_; }
  optim::Optimizer& optimizer(const std::string& name);
  std::vector<std::string> optimizer_names() const;
  const std::string& directory() const { return directory_; }
  Device device() const { return device_; }

 private:
  enum class SaveReason { step, epoch, best, last };

  // loop.cpp
  Result train(double began);
  void train_epoch(std::string& status);
  void after_step(bool epoch_ended);
  void settle();
  void end_epoch();
  void start_reading();
  bool epoch_is_over() const;
  bool validation_due(bool epoch_ended) const;
  std::string stop_reason();
  bool steps_done();
  Result finish(std::string status, double began);
  static void at_end_of_all(const std::function<void()>& f);
  bool evaluated(std::string& status, const std::function<void()>& f);
  void run_hooks(HookPhase phase, HookContext context);
  HookContext context() { return {trainer_, state_}; }

  // window.cpp
  bool window();
  std::int64_t micro_batches() const;
  Batch* next_batch();
  Batch* up_to_the_last_sample(Batch* batch);
  std::int64_t piece_size(std::int64_t samples) const;
  static Batch piece_of(const Batch& batch, std::int64_t begin, std::int64_t most);
  bool split_step(Batch& batch, std::int64_t first_row, std::int64_t rows);
  void drop_window();
  void count_without_loss();

  // step.cpp
  bool micro_step(Batch& batch, std::int64_t first_row, std::int64_t rows);
  std::optional<double> forward_and_backward(Batch& batch);
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
  RandomState evaluation_random(std::int64_t row, std::int64_t size) const;
  struct LeftEvaluation {};  // for a signal: it is made by who goes on
  Values evaluate_set(const std::string& name, bool part);
  bool validate();
  Values training_means();
  bool validate_last(const std::string& status);
  void evaluate_end(std::string& status);
  bool waits_for_end(const std::string& name) const;

  // log.cpp
  void open_sinks();
  void log_if_due();
  void read_clocks();
  Values training_row();
  void begin_end_row();
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
  void wait_for_save();
  void leave_window();
  void adopt(const std::string& best);
  void save_if_due(SaveReason reason);
  std::string key_of(std::size_t hook) const;
  std::vector<FileToSave> snapshot(bool copies);
  void find_best(const std::string& resumed);
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

  Trainer& trainer_;  // whose loop this is: what hooks and tasks see
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
  std::string anomaly_, told_anomaly_;       // what was found in this window; what was told last
  State state_;
  State whole_;             // as it was before the window that is being worked on
  bool in_window_ = false;  // a window has begun and its step is not finished
  // From the update until all that follows it but the checkpoint is done; a checkpoint of that time
  // holds the state as the update left it, and a run that goes on from it does what follows again.
  bool unfinished_ = false;
  State stepped_;
  std::vector<std::string> row_names_ = {"train/loss", "lr"};  // of the row before
  bool logged_ = false;                 // metrics_ are in a row and go when the step is settled
  bool halted_ = false;                 // the optimizer stopped itself: the run has diverged
  std::unique_ptr<StepGraphs> graphs_;  // trainer.cuda_graph
  DeviceBatch on_device_;               // the batch of now, where the device is not the CPU
  Metrics metrics_;                     // of training, since the last log row
  std::optional<Metrics> judged_;       // and since it was last judged: trainer.skip_validation
  Metrics* evaluated_ = nullptr;        // of the data set that is being evaluated,
  std::string evaluated_name_;          // and its name
  std::vector<std::string> entries_, evaluated_entries_;  // taken in this step, and evaluation
  std::optional<std::int64_t> weights_step_;  // whose weights are evaluated, if not those of now
  Values end_row_;                            // what was evaluated at the end, not written yet
  bool at_end_ = false;                       // the final evaluation is being made
  bool trying_ = false;                       // an evaluation that is forgotten
  bool left_ = false;                         // a validation was left for a signal
  std::int64_t working_on_ = 0;               // the attempted step that the window of now will be
  Batch cut_;  // the last batch, where trainer.max_samples ends within it
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
  std::int64_t skipped_in_row_ = 0;   // batches without a loss, or steps of weight 0
  std::int64_t told_skipped_ = 0;     // skipped steps that were told of
  bool drew_random_ = false;          // some step drew random numbers
  double validated_at_ = 0;           // elapsed seconds at the last validation
  std::int64_t first_epoch_ = 0;      // of this process
  std::int64_t validated_step_ = -1;  // and its attempted step
  std::int64_t last_saved_ = -1;      // attempted step of the newest checkpoint
  std::int64_t resumed_from_ = -1;    // attempted step of the checkpoint this run goes on from
  std::string best_source_;           // where it is, if not in this run's directory yet
  bool saved_best_ = false;           // the checkpoint of selection_.best_step() exists
  double window_weight_ = 0;          // of the micro-batches since zero_grad
  std::shared_ptr<Trial> trial_;      // null: this is no part of a search
  bool pruned_ = false;               // by its trial
  std::unique_ptr<Profile> profile_;  // profiler.active
  bool prepared_ = false;
  bool fitting_ = false;     // fit() is under way
  bool updating_ = false;    // weights are being moved: a failure now leaves no step to go on from
  bool sinks_open_ = false;  // those of the configuration are there,
  bool sinks_cut_ = false;   // and none holds more than the state knows
  bool told_of_no_loss_ = false, told_of_retry_ = false;
  std::atomic<int> stop_signal_{0};  // 0: none, -1: asked without a signal
  std::atomic<bool> save_requested_{false};
  Times times_;     // since the last timing row
  Progress shown_;  // for the sinks
  double started_ = 0, last_save_time_ = 0;
  Background saving_;  // last: what it writes of is gone only after it
};

}  // namespace gradus::trainer
