// Every key of a configuration: its name, the field it fills, its unit and one sentence. One row
// here and one field in config.h are all that a new key needs.
#include <chrono>

#include "gradus/trainer/config.h"
#include "gradus/trainer/config/key.h"

namespace gradus::trainer {
namespace {

std::int64_t seed_from_time() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::microseconds>(now).count();
}

Keys keys(SignalsConfig& c) {
  const auto row = [](const char* name, std::string* action, const char* about) {
    return Key(name, action, about).one_of({"save_exit", "save", "default"});
  };
  return {
      row("TERM", &c.term, "What SIGTERM does; after save_exit the exit status is 75."),
      row("USR1", &c.usr1, "What SIGUSR1 does: a scheduler's warning before the time limit."),
      row("USR2", &c.usr2, "What SIGUSR2 does."),
      row("INT", &c.interrupt, "What Ctrl-C does; after save_exit the exit status is 130."),
      row("HUP", &c.hangup, "What a closed terminal does."),
      Key("wait", &c.wait, "s",
          "After a signal, how long to wait between the save and the exit: some schedulers ask it.")
          .at_least(0)
          .at_most(86400)
          .like({"exit_wait"}),
  };
}

Keys keys(RunConfig& c) {
  return {
      Key("directory", &c.directory, "The run's own directory; empty: the next free base/run_<n>.")
          .is_path()
          .like({"dir", "run_dir", "output_dir", "save_dir", "exp_dir", "logdir"}),
      Key("base", &c.base,
          "Where run_<n> directories are made; runs in the working directory if not set.")
          .is_path()
          .like({"runs", "root"}),
      Key("name", &c.name, "A name for people, kept in the run's records.")
          .like({"exp_name", "run_name"}),
      Key("trial", &c.trial, "Number of this trial of a search: --trial; -1: it is none.")
          .at_least(-1),
      Key("seed", &c.seed, "Key of all random numbers.")
          .at_least(0)
          .or_word("time", seed_from_time)
          .like({"random_seed", "rng_seed"}),
      Key("device", &c.device, "auto (CUDA if usable), cpu, or cuda:N.")
          .like({"gpu", "accelerator"}),
      Key("precision", &c.precision,
          "Type of the numbers in products; weights and gradients are f32, or f64 with f64.")
          .one_of({"f32", "f64", "bf16", "fp16"})
          .like({"dtype", "amp", "mixed_precision"}),
      Key("tf32", &c.tf32, "Let f32 products on a GPU round their factors to TF32.")
          .like({"allow_tf32"}),
      Key("lanes", &c.lanes, "Parts of the global batch whose gradients are summed separately.")
          .at_least(1)
          .not_yet("leave it at 1; trainer.accumulate makes a larger batch of several small ones"),
      Key("threads", &c.threads, "Threads; 0: one a processor. The results do not depend on it.")
          .at_least(0)
          .at_most(256)
          .like({"num_threads", "n_threads"}),
      Key("signals", keys(c.signals), "What signals do; a second signal exits at once."),
      Key("requeue_command", &c.requeue_command,
          "Shell command run when a signal has been obeyed and the save is durable: \"scontrol "
          "requeue $SLURM_JOB_ID\".")
          .like({"requeue"}),
  };
}

Keys keys(TaskConfig& c) {
  return {Key("type", &c.type, "The task; other keys of this table belong to it.").like({"task"})};
}

Keys keys(ModelConfig& c) {
  return {
      Key("type", &c.type, "The model; other keys of this table are its sizes.")
          .like({"model", "arch", "architecture"}),
      Key("layers", &c.layers, "Or a list of modules: \"relu\", {type = \"linear\", out = 10}."),
  };
}

Keys keys(TrainerConfig& c) {
  return {
      Key("max_steps", &c.max_steps, "steps", "Stop after this many optimizer steps; 0: no limit.")
          .at_least(0)
          .at_most(1e15)
          .like({"steps", "iterations", "num_steps", "max_iters", "total_steps"}),
      Key("max_epochs", &c.max_epochs, "epochs", "Stop after this many epochs; 0: no limit.")
          .at_least(0)
          .at_most(1e9)
          .like({"epochs", "num_epochs", "n_epochs"}),
      Key("max_samples", &c.max_samples, "samples", "Stop after this many samples; 0: no limit.")
          .at_least(0),
      Key("max_seconds", &c.max_seconds, "s", "Stop after this much time, all jobs; 0: no limit.")
          .at_least(0)
          .like({"max_time"}),
      Key("epochs_per_job", &c.epochs_per_job, "epochs",
          "Leave after this many epochs of this process, with exit status 0; 0: no limit.")
          .at_least(0)
          .like({"num_epoch"}),
      Key("one_more_epoch", &c.one_more_epoch, "The same as epochs_per_job = 1."),
      Key("stop_after_epoch", &c.stop_after_epoch, "The same as epochs_per_job = 1."),
      Key("count", &c.count,
          "Which steps max_steps counts: a skipped one is attempted, not applied.")
          .one_of({"attempted", "applied"}),
      Key("accumulate", &c.accumulate, "batches", "Micro-batches whose gradients make one step.")
          .at_least(1)
          .at_most(1e9)
          .like({"accumulate_grad_batches", "grad_accum", "gradient_accumulation_steps"}),
      Key("accumulate_schedule", &c.accumulate_schedule,
          "Or pairs [step, micro-batches from then on], in place of accumulate from the first "
          "pair's step."),
      Key("split_batches", &c.split_batches, "Pieces that each batch is computed in, one by one.")
          .at_least(1)
          .at_most(1e9)
          .like({"micro_batches", "chunks"}),
      Key("balance_losses", &c.balance_losses,
          "Scale each loss so that all pull equally hard; costs one backward a loss."),
      Key("batches_per_epoch", &c.batches_per_epoch, "Batches of an epoch, or a share; 0: all.")
          .counts_or_share()
          .like({"limit_train_batches", "steps_per_epoch"}),
      Key("valid_batches_per_epoch", &c.valid_batches_per_epoch,
          "Batches of a validation while training, or a share of them; 0: all.")
          .counts_or_share()
          .like({"limit_val_batches"}),
      Key("preflight", &c.preflight,
          "Before the first step: see a batch, compare memory, run forward and backward once.")
          .like({"sanity_check", "num_sanity_val_steps"}),
      Key("dataloader_timeout_s", &c.dataloader_timeout_s, "s",
          "How long a batch may take to be read; 0: for ever.")
          .at_least(0)
          .like({"dataloader_timeout"}),
      Key("validate_every_n_steps", &c.validate_every_n_steps, "steps", "0: not by steps.")
          .at_least(0)
          .like({"val_check_interval", "eval_steps", "valid_every_n_steps"}),
      Key("validate_every_n_epochs", &c.validate_every_n_epochs, "epochs", "0: not by epochs.")
          .at_least(0)
          .like({"check_val_every_n_epoch", "valid_every_n_epochs"}),
      Key("validate_every_n_seconds", &c.validate_every_n_seconds, "s", "0: not by time.")
          .at_least(0),
      Key("validate_after", &c.validate_after, "steps", "No validation before this step.")
          .at_least(0),
      Key("skip_validation", &c.skip_validation,
          "Evaluate nothing while training: train/<name>, its mean since the last time, selects "
          "the best."),
      Key("evaluate_at_start", &c.evaluate_at_start, "Evaluate before the first step."),
      Key("evaluate_at_end", &c.evaluate_at_end,
          "Validate the last weights, if nobody has, and evaluate what waits for the end, with the "
          "best ones."),
      Key("evaluate_average", &c.evaluate_average,
          "Evaluate the moving average where there is one.")
          .like({"use_ema", "validate_with_ema"}),
      Key("training_metric", &c.training_metric,
          "<dataset>/<name> that selects the best checkpoint, or none; empty: valid/loss if there "
          "is a dataset valid, train/loss with skip_validation.")
          .like({"monitor", "metric", "metric_for_best_model"}),
      Key("direction", &c.direction, "Which way training_metric is better.")
          .one_of({"min", "max"})
          .like({"mode", "greater_is_better"}),
      Key("min_delta", &c.min_delta, "What a better value must differ by.").at_least(0),
      Key("stopping_patience", &c.stopping_patience, "validations",
          "Stop when so many have passed since the best; 0: never.")
          .at_least(0)
          .like({"patience", "early_stopping_patience"}),
      Key("non_finite", &c.non_finite,
          "What a gradient that is not finite does; with a dynamic loss scale raise acts only "
          "below "
          "its min, and the retries wait for the device in every step.")
          .one_of({"skip", "retry_same", "retry_new", "raise"})
          .like({"detect_nan", "skip_non_finite"}),
      Key("max_non_finite_retries", &c.max_non_finite_retries,
          "Bad steps in a row before the run counts as diverged; 0: no limit. A dynamic loss scale "
          "has its own, min.")
          .at_least(0),
      Key("max_none_retries", &c.max_none_retries, "Batches in a row that may give no loss.")
          .at_least(0),
      Key("anomaly", &c.anomaly, "Name the first operation that makes a non-finite value (slow).")
          .like({"detect_anomaly"}),
      Key("cuda_graph", &c.cuda_graph,
          "Capture forward and backward as CUDA graphs: for small networks on a GPU."),
      Key("freeze", &c.freeze, "Patterns of parameter names that stay as they are."),
      Key("unfreeze_at", &c.unfreeze_at, "steps", "From then on they learn too; 0: never.")
          .at_least(0),
  };
}

Keys keys(WarmStartConfig& c) {
  return {
      Key("path", &c.path, "Weights or checkpoint a fresh run starts from.").is_path(),
      Key("include", &c.include, "Patterns of the names to take; empty: all."),
      Key("exclude", &c.exclude, "Patterns of the names to leave."),
      Key("rename", &c.rename,
          "Pairs [there, here] of names in which one * may stand: [\"encoder.*\", "
          "\"backbone.*\"].")
          .like({"mapping", "map"}),
      Key("strict", &c.strict, "Refuse weights that do not fit name by name and shape by shape."),
      Key("optimizer", &c.optimizer,
          "Take the optimizer's state of the parameters that are taken, from a checkpoint."),
  };
}

Keys keys(ReloadConfig& c) {
  return {
      Key("weights", &c.weights, "Take the weights and their average.").like({"load_weights"}),
      Key("optimizer", &c.optimizer, "Take the optimizer's state.").like({"load_optimizer"}),
      Key("scaler", &c.scaler, "Take the loss scale.").like({"load_scaler"}),
      Key("scheduler", &c.scheduler, "Take the schedule's place; else it begins anew.")
          .like({"load_scheduler"}),
      Key("epoch", &c.epoch, "Take the epoch and the place in it; else epoch 0 begins.")
          .like({"reload_epoch"}),
      Key("update_learning_rate", &c.update_learning_rate, "Take the rates given here."),
  };
}

Keys keys(CheckpointConfig& c) {
  return {
      Key("every_n_steps", &c.every_n_steps, "steps", "Save after every n steps; 0: not by steps.")
          .at_least(0)
          .like({"save_every_n_steps", "save_steps", "save_every"}),
      Key("every_n_seconds", &c.every_n_seconds, "s", "Save after so much time; 0: not by time.")
          .at_least(0)
          .like({"save_every_n_seconds"}),
      Key("every_n_epochs", &c.every_n_epochs, "epochs", "Save at every n-th epoch's end; 0: no.")
          .at_least(0),
      Key("save", &c.save,
          "Which weights: all, or trainable: what trainer.freeze names stays out, and comes from "
          "warm_start.path and the seed again.")
          .one_of({"all", "trainable"}),
      Key("at_steps", &c.at_steps, "Save after these steps too.").at_least(1),
      Key("keep_previous", &c.keep_previous, "How many to keep beside the newest.")
          .at_least(0)
          .like({"save_total_limit", "save_top_k", "keep_last", "keep"}),
      Key("keep_interval", &c.keep_interval, "steps", "Keep those at multiples of this; 0: none.")
          .at_least(0),
      Key("keep_steps", &c.keep_steps, "Keep those of these steps.").at_least(0),
      Key("keep_best", &c.keep_best, "Keep the best by trainer.training_metric."),
      Key("keep_all", &c.keep_all, "Keep every one."),
      Key("keep_epochs", &c.keep_epochs, "Keep every one that stands at the end of an epoch."),
      Key("keep_previous_epoch", &c.keep_previous_epoch,
          "Keep the newest of those that stand at the end of an epoch, beside the newest of all."),
      Key("in_trials", &c.in_trials, "Write checkpoints in trials of a search too."),
      Key("asynchronous", &c.asynchronous,
          "Write in the background: training waits for a copy of the tensors only.")
          .like({"async", "async_save"}),
      Key("content", &c.content,
          "all: what a run goes on from; model: its weights and averages alone.")
          .one_of({"all", "model"}),
      Key("warm_start", keys(c.warm_start), "Where a run without checkpoints takes its weights."),
      Key("reload", keys(c.reload), "What a resumed run takes from its checkpoint."),
  };
}

Key own_rate(const char* name, std::int64_t* value) {
  return Key(name, value, "steps", "Its own rate; 0: log.every_n_steps.").at_least(0);
}

Keys keys(LogConfig& c) {
  return {
      Key("save_metric_vars", &c.save_metric_vars,
          "Which metrics are written: all, none, or a list of parts of their names.")
          .or_words({"all", "none"})
          .like({"metrics", "save_metrics"}),
      Key("every_n_steps", &c.every_n_steps, "steps",
          "Rate of rows, whose means begin anew each time, of every file without one of its own.")
          .at_least(1)
          .like({"log_every", "log_every_n_steps", "logging_steps"}),
      Key("every_n_seconds", &c.every_n_seconds, "s",
          "Rate of the lines where there is no terminal.")
          .at_least(0),
      Key("lines_every_n_steps", &c.lines_every_n_steps, "steps",
          "Rate of the lines by steps instead; 0: by time.")
          .at_least(0),
      Key("progress", &c.progress, "A bar on a terminal, lines elsewhere, or one of them always.")
          .one_of({"auto", "bar", "lines", "none"}),
      Key("units", &c.units, "Write units behind the rates of the bar and of the lines."),
      Key("csv", &c.csv, "Write metrics.csv."),
      own_rate("csv_every_n_steps", &c.csv_every_n_steps),
      Key("jsonl", &c.jsonl, "Write metrics.jsonl."),
      own_rate("jsonl_every_n_steps", &c.jsonl_every_n_steps),
      Key("timing", &c.timing, "Write timing.jsonl: times, rates and memory."),
      Key("tensorboard", &c.tensorboard, "Write TensorBoard event files.").like({"tb"}),
      own_rate("tensorboard_every_n_steps", &c.tensorboard_every_n_steps),
      Key("histograms_every_n_steps", &c.histograms_every_n_steps, "steps",
          "Rate of histograms of weights and gradients; 0: none.")
          .at_least(0)
          .like({"histogram_freq"}),
      Key("images", &c.images, "Write logged pictures to visualizations/<step>/<key>."),
      Key("images_every_n_steps", &c.images_every_n_steps, "steps",
          "Rate of pictures that training logs; 0: as every_n_steps.")
          .at_least(0),
      Key("images_format", &c.images_format, "Kind of picture files.").one_of({"png", "jpg"}),
      Key("wandb", &c.wandb, "Write an offline run of Weights & Biases."),
      own_rate("wandb_every_n_steps", &c.wandb_every_n_steps),
  };
}

Keys keys(ProfilerConfig& c) {
  return {
      Key("wait", &c.wait, "steps", "Passed over before the profile.").at_least(0),
      Key("warm", &c.warm, "steps", "Then recorded, but not kept.").at_least(0),
      Key("active", &c.active, "steps", "Kept: trace_<step>.json, for ui.perfetto.dev; 0: none.")
          .at_least(0)
          .at_most(100'000),
  };
}

}  // namespace

Keys keys(Config& c) {
  Keys all = {
      Key("run", keys(c.run), "Where and how the run takes place."),
      Key("task", keys(c.task), "What is learned.").open(&c.task.options),
      Key("data", named(c.data, keys), "Datasets: train trains, all others are evaluated."),
      Key("model", keys(c.model), "The network.").open(&c.model.options),
      Key("optim", keys(c.optim), "The optimizer."),
      Key("schedule", keys(c.schedule), "The learning rate over time."),
      Key("optimizers", named(c.optimizers, keys),
          "Several optimizers in place of [optim] and [schedule]: tables [optimizers.<name>] with "
          "the keys of [optim], a table schedule, and `parameters`, patterns of the names it "
          "moves."),
      Key("trainer", keys(c.trainer), "The loop."),
      Key("checkpoint", keys(c.checkpoint), "When to save and what to keep."),
      Key("log", keys(c.log), "What is written while it runs."),
      Key("profiler", keys(c.profiler), "Some steps looked at closely."),
  };
  if (!c.optimizers.empty())  // which stand in their place
    std::erase_if(all, [](const Key& k) { return k.name == "optim" || k.name == "schedule"; });
  return all;
}

}  // namespace gradus::trainer
