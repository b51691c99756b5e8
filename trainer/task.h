// What a run computes: the part of a trainer that its user writes.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "gradus/nn/module.h"
#include "gradus/optim/optimizer.h"
#include "gradus/tensor/pooled.h"
#include "gradus/trainer/data/batch.h"
#include "gradus/trainer/metrics.h"
#include "gradus/trainer/state.h"

namespace gradus::trainer {

/// A named loss or record of one batch: a mean (0-dim), or one value a sample (N).
/// Sums over per-sample values do not depend on how a batch was split; sums over means do, in the
/// last bit.
struct Metric {
  std::string name;
  Tensor value;
  double weight = 1;  // of a loss in the sum that is minimised
};

class Hook;  // trainer/hook.h
class Dataset;

struct StepResult {
  PooledVector<Metric> losses;   // summed and minimised; logged as <dataset>/<name>
  PooledVector<Metric> records;  // logged only
  /// What the batch counts for: its samples if nothing is said, or valid tokens or cells. A batch
  /// of weight 0 adds nothing; a step of nothing else is none.
  std::optional<double> weight = {};
  /// Names of the optimizers that move in this step, of several (Config::optimizers); empty: all.
  /// What the others move gets no gradient. The micro-batches of one step must agree.
  PooledVector<std::string> optimizers = {};
};

/// What is minimised where there are several losses: their weighted sum, logged as
/// "<dataset>/loss"; undefined for one. Throws Error(argument) if one of several has that name.
Tensor total_loss(const StepResult& result);
/// What a batch of so many samples counts for. Throws Error(argument) if the task says less than 0,
/// or something not finite.
double weight_of(const StepResult& result, std::int64_t samples);

/// Derive from it to train something of your own. nn::Module trains and is saved through module().
class Task {
 public:
  virtual ~Task() = default;
  /// Everything that is trained, moved and saved; the task's and its losses' own parameters
  /// included.
  virtual nn::Module& module() = 0;
  /// Forward and losses of one (micro-)batch. std::nullopt: skip this batch and fetch another.
  virtual std::optional<StepResult> step(const Batch& batch, const State& state) = 0;
  /// Pairs (parameter that learns, tensor that follows it): a self-distillation's teacher. The
  /// second are tensors of module() too, want no gradient, have the shape and dtype of the first,
  /// and move with each applied step: teacher = c teacher + (1 - c) parameter, c by half a cosine
  /// from optim.teacher_start to teacher_end.
  virtual std::vector<std::pair<Tensor, Tensor>> teacher() { return {}; }
  /// With trainer.cuda_graph: what else than the batch's shapes decides which work step() does (the
  /// length of a rollout, say). One graph is captured for each.
  virtual int variant(const Batch&, const State&) const { return 0; }
  /// True if step() reads values on the host, or does other things each time than start kernels:
  /// captured graphs are then turned off.
  virtual bool needs_host() const { return false; }
  /// The same for a data set that is only evaluated; under NoGrad, in eval mode. Default: step().
  virtual StepResult evaluate(const Batch& batch, std::string_view dataset);
  /// Outputs for `gradus predict`: (N, ...). Default: an error that says how to provide it.
  virtual Tensor predict(const Batch& batch);
  /// Metrics that follow from means over a whole data set, such as the root of a mean square: adds
  /// to "<dataset>/<name>" ..., or replaces them. Default: nothing.
  virtual void summarize(std::string_view dataset, Values& means) const;
  /// Hooks that belong to the task; a trainer adds them when it is made. Default: none.
  virtual std::vector<std::shared_ptr<Hook>> build_hooks() { return {}; }
  /// Data sets that belong to the task, by name: they come before those of the same name that a
  /// trainer is given. Default: none.
  virtual std::map<std::string, std::shared_ptr<const Dataset>> build_data() { return {}; }
  /// The schedule of an optimizer, for a run of `steps` (0: not known) with so many an epoch.
  /// Default: null, for that of the configuration.
  virtual std::optional<optim::Schedule> build_schedule(const std::string& optimizer,
                                                        double steps_per_epoch, double steps);
  /// The optimizer of that name ("main") over these groups, its loss scale included. Default: null,
  /// for that of the configuration.
  virtual std::unique_ptr<optim::Optimizer> build_optimizer(const std::string& name,
                                                            const std::vector<optim::Group>& groups,
                                                            const optim::Schedule& schedule);
  /// True if `gradus predict` gives a text to write() rather than samples to predict().
  virtual bool writes_text() const { return false; }
  /// `prompt` and what the model goes on with; under NoGrad, in eval mode.
  virtual std::string write(const std::string& prompt);
};

}  // namespace gradus::trainer
