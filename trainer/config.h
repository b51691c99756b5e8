// A run's configuration: plain structs, filled from one TOML file and `--set` overrides. The
// defaults stand here, names, units and sentences in config/keys.cpp; `gradus config` prints both
// together. Reading order: this file, config/keys.cpp, config/key.h, config/value.h.
#pragma once

#include <cstdint>
#include <limits>
#include <map>
#include <string>
#include <vector>

#include "gradus/trainer/config/value.h"

namespace gradus::trainer {

struct Key;  // trainer/config/key.h, for tasks that read options of their own
using Keys = std::vector<Key>;

struct SignalsConfig {
  std::string term = "save_exit";
  std::string usr1 = "save_exit";
  std::string usr2 = "save";
  std::string interrupt = "save_exit";
  std::string hangup = "default";
  double wait = 0;
};

struct RunConfig {
  std::string directory;
  std::string base = "runs";
  std::string name;
  std::int64_t trial = -1;
  std::int64_t seed = 0;
  std::string device = "auto";
  std::string precision = "f32";
  bool tf32 = false;
  std::int64_t lanes = 1;
  std::int64_t threads = 0;
  SignalsConfig signals;
  std::string requeue_command;
};

struct TaskConfig {
  std::string type = "classify";
  Value options;  // what the task reads with keys of its own
};

struct DataConfig {
  std::string format;
  std::string path;
  std::string labels;
  std::vector<std::int64_t> shape;
  std::string dtype = "f32";
  std::vector<std::string> variables;
  std::int64_t length = 128;
  std::int64_t stride = 0;
  std::int64_t batch_size = 32;
  std::vector<Value> transforms;
  std::int64_t views = 1;
  bool drop_last = false;
  std::string when = "auto";
  std::string from;
  double fraction = 0;
  std::int64_t workers = 1;
  std::int64_t prefetch = 4;
  std::int64_t retries = 0;
};

struct ModelConfig {
  std::string type;
  std::vector<Value> layers;
  Value options;  // the sizes of the type
};

struct GroupConfig {
  std::string name;
  std::vector<std::string> parameters;
  double lr = std::numeric_limits<double>::quiet_NaN();            // if not set: the optimizer's
  double weight_decay = std::numeric_limits<double>::quiet_NaN();  // the same
  bool decay_by_role = true;                                       // the same
};

/// `fixed` is what `optim.loss_scale = 1024` sets; 0: dynamic where run.precision is fp16, else
/// none.
struct LossScaleConfig {
  double fixed = 0;
  double init = 65536, growth = 2, backoff = 0.5;
  std::int64_t interval = 2000;
  double min = 1e-4;
};

struct DynamicClipConfig {
  double quantile = 0;
  std::int64_t window = 1000;
  double factor = 1;
  std::int64_t after = 100;
};

struct OptimConfig {
  std::string type = "adamw";
  double lr = 1e-3;
  double weight_decay = 1e-2;
  bool decay_by_role = true;
  std::vector<double> betas = {0.9, 0.999};
  double eps = 1e-8;
  double momentum = 0;
  bool nesterov = false;
  double dampening = 0;
  double alpha = 0.99;
  bool centered = false;
  double lr_decay = 0;
  double initial_accumulator = 0;
  double eta = 1e-3;
  bool no_prox = false;
  std::int64_t ns_steps = 5;
  std::string adjust_lr = "original";
  double max_grad_norm = 0;
  std::string grad_norm_type = "two";
  double max_grad_value = 0;
  DynamicClipConfig dynamic_clip;
  LossScaleConfig loss_scale;
  double ema_decay = 0;
  bool ema_adaptive = false;
  bool ema_copy_statistics = false;
  double teacher_start = 0.996;
  double teacher_end = 1;
  std::vector<GroupConfig> groups;
};

struct ScheduleConfig {
  std::string type = "constant";
  std::string unit = "steps";
  double warmup = 0;
  double length = 0;
  double final = 0;
  double gamma = 0.1;
  double period = 0;
  double mult = 1;
  double power = 1;
  std::vector<double> milestones;
  std::int64_t patience = 10;
  std::int64_t cooldown = 0;
  double threshold = 1e-4;
};

/// One of several optimizers, [optimizers.<name>], and its [optimizers.<name>.schedule].
struct OptimizerConfig {
  std::vector<std::string> parameters;  // patterns; empty: what no other optimizer names
  OptimConfig optim;
  ScheduleConfig schedule;
};

struct TrainerConfig {
  std::int64_t max_steps = 0;
  std::int64_t max_epochs = 0;
  std::int64_t max_samples = 0;
  double max_seconds = 0;
  std::int64_t epochs_per_job = 0;
  bool one_more_epoch = false;
  bool stop_after_epoch = false;
  std::string count = "attempted";
  std::int64_t accumulate = 1;
  std::vector<Value> accumulate_schedule;
  std::int64_t split_batches = 1;
  bool balance_losses = false;
  double batches_per_epoch = 0;
  double valid_batches_per_epoch = 0;
  bool preflight = false;
  double dataloader_timeout_s = 300;
  std::int64_t validate_every_n_steps = 0;
  std::int64_t validate_every_n_epochs = 1;
  double validate_every_n_seconds = 0;
  std::int64_t validate_after = 0;
  bool skip_validation = false;
  bool evaluate_at_start = false;
  bool evaluate_at_end = true;
  bool evaluate_average = true;
  std::string training_metric;
  std::string direction = "min";
  double min_delta = 0;
  std::int64_t stopping_patience = 0;
  std::string non_finite = "skip";
  std::int64_t max_non_finite_retries = 3;
  std::int64_t max_none_retries = 10;
  bool anomaly = false;
  bool cuda_graph = false;
  std::vector<std::string> freeze;
  std::int64_t unfreeze_at = 0;
};

struct WarmStartConfig {
  std::string path;
  std::vector<std::string> include;
  std::vector<std::string> exclude;
  std::vector<Value> rename;  // pairs of patterns
  bool strict = false;
  bool optimizer = false;
};

struct ReloadConfig {
  bool weights = true;
  bool optimizer = true;
  bool scaler = true;
  bool scheduler = true;
  bool epoch = true;
  bool update_learning_rate = false;
};

struct CheckpointConfig {
  std::int64_t every_n_steps = 0;
  double every_n_seconds = 3600;
  std::int64_t every_n_epochs = 0;
  std::vector<std::int64_t> at_steps = {};
  std::string save = "all";
  std::int64_t keep_previous = 1;
  std::int64_t keep_interval = 0;
  std::vector<std::int64_t> keep_steps = {};
  bool keep_best = true;
  bool keep_all = false;
  bool keep_epochs = false;
  bool keep_previous_epoch = false;
  bool in_trials = false;
  bool asynchronous = false;
  std::string content = "all";
  WarmStartConfig warm_start = {};
  ReloadConfig reload = {};
};

struct LogConfig {
  std::vector<std::string> save_metric_vars = {"all"};
  std::int64_t every_n_steps = 50;
  double every_n_seconds = 10;
  std::int64_t lines_every_n_steps = 0;
  std::string progress = "auto";
  bool units = true;
  bool csv = true;
  std::int64_t csv_every_n_steps = 0;
  bool jsonl = true;
  std::int64_t jsonl_every_n_steps = 0;
  bool timing = true;
  bool tensorboard = false;
  std::int64_t tensorboard_every_n_steps = 0;
  std::int64_t histograms_every_n_steps = 0;
  bool images = false;
  std::int64_t images_every_n_steps = 0;
  std::string images_format = "png";
  bool wandb = false;
  std::int64_t wandb_every_n_steps = 0;
};

struct ProfilerConfig {
  std::int64_t wait = 0;
  std::int64_t warm = 0;
  std::int64_t active = 0;
};

struct Config {
  RunConfig run;
  TaskConfig task;
  std::map<std::string, DataConfig> data;
  ModelConfig model;
  OptimConfig optim;
  ScheduleConfig schedule;
  std::map<std::string, OptimizerConfig> optimizers;  // in place of optim and schedule
  TrainerConfig trainer;
  CheckpointConfig checkpoint;
  LogConfig log;
  ProfilerConfig profiler;

  Value source;           // as written, with places: for errors found later
  std::string folder;     // of the file; relative paths in it count from here
  std::string optimizer;  // of a copy for one of `optimizers`: its name

  /// Throws Error(argument) with the place of a dotted key ("data.train.format"), or of the nearest
  /// table around it, in front of the text.
  /// In a copy for one of several optimizers, optim.x is optimizers.<name>.x.
  [[noreturn]] void fail(const std::string& key, const std::string& text) const;
};

/// trainer.accumulate_schedule as (step, micro-batches from then on), by rising steps.
std::vector<std::pair<std::int64_t, std::int64_t>> accumulate_pairs(const Config& config);

/// Of every optimizer its name and the configuration with `optim` and `schedule` as it has them:
/// those of `optimizers`, or "main".
std::vector<std::pair<std::string, Config>> optimizer_configs(const Config& config);

/// Every key of a configuration, bound to the fields of `config`.
Keys keys(Config& config);
Keys keys(DataConfig& data);
Keys keys(OptimConfig& optim);
Keys keys(ScheduleConfig& schedule);
Keys keys(OptimizerConfig& optimizer);
Keys keys(GroupConfig& group);

/// Reads and checks one file. `settings` are the `a.b=value` of the command line, the last one
/// wins. Throws Error(argument), one line that begins with file, line and column.
Config load_config(const std::string& file, const std::vector<std::string>& settings = {});
/// The same from a text; `source` stands for the file's name in errors.
Config parse_config(std::string_view text, const std::string& source, const std::string& folder,
                    const std::vector<std::string>& settings = {});

/// A table that was left open (`model.options`, `task.options`) into fields. Afterwards `options`
/// holds every default, so that the resolved configuration is complete.
void resolve(Value& options, const Keys& keys, const std::string& prefix,
             const std::string& folder);

/// The configuration with every default, as a file that gives the same run.
std::string to_toml(const Config& config);
/// Every key with default, unit and one sentence, as a file that can be read.
std::string describe_config();

}  // namespace gradus::trainer
