// Training on rollouts: the model's output is its next input, for several timesteps, and one
// optimizer step learns from all of them. Fields "x" (N, ...), the state to begin with, and "y"
// (N, T, ...), the T states that follow.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <vector>

#include "gradus/nn/module.h"
#include "gradus/trainer/config.h"
#include "gradus/trainer/data/dataset.h"
#include "gradus/trainer/task.h"

namespace gradus::trainer {

/// The probability that a rollout ends after a timestep: 1 in the first epoch, `least` after
/// `total` epochs, in a straight line between, never outside [0.01, 1]. Training begins with single
/// timesteps and comes to whole forecasts.
double annealed_probability(std::int64_t epoch, std::int64_t total, double least);

/// Timesteps count from 1. The loss is the mean, over the timesteps that give one, of the mean
/// squared (absolute, Huber) error. Other timesteps are computed without a graph: no gradient flows
/// through their output.
class Rollout final : public Task {
 public:
  enum class Loss { mse, mae, huber };
  struct Options {
    std::int64_t forecast_len = 1;                   // timesteps of a whole rollout
    std::vector<std::int64_t> backprop_on_timestep;  // which give a loss; empty: all
    /// f(epoch, total): after each timestep of a training rollout it ends with this probability,
    /// but not before its first loss. Drawn once a step, the same for all of its micro-batches.
    /// Empty: never.
    std::function<double(std::int64_t epoch, std::int64_t total)> probability;
    std::int64_t total_epochs = 0;
    std::uint64_t seed = 0;
    Loss loss = Loss::mse;
    /// The input of the next timestep from this one's input and output, where the output alone is
    /// not it (a history, known forcings). Empty: the output, in the input's shape.
    std::function<Tensor(const Tensor& x, const Tensor& y, std::int64_t timestep)> next_input;
  };
  Rollout(std::shared_ptr<nn::Module> model, Options options);
  nn::Module& module() override { return *model_; }
  std::optional<StepResult> step(const Batch& batch, const State& state) override;
  /// Always whole rollouts; besides the loss rmse, mae, bias and r2 over all timesteps, and
  /// rmse_<k> of the k-th.
  StepResult evaluate(const Batch& batch, std::string_view dataset) override;
  /// (N, forecast_len, ...).
  Tensor predict(const Batch& batch) override;
  void summarize(std::string_view dataset, Values& means) const override;
  /// A captured step is one of a length.
  int variant(const Batch&, const State& state) const override {
    return static_cast<int>(length(state));
  }
  /// Timesteps of the rollout of this training step.
  std::int64_t length(const State& state) const;

 private:
  bool gives_loss(std::int64_t timestep) const;
  Tensor advance(const Tensor& x, const Tensor& y, std::int64_t timestep) const;
  Tensor error(const Tensor& y, const Tensor& target) const;
  std::shared_ptr<nn::Module> model_;
  Options options_;
  std::int64_t first_loss_ = 1, last_loss_ = 1;
};

/// The rollout task of a configuration for these data sets, with the model it asks for.
std::shared_ptr<Task> make_rollout(Config& config,
                                   const std::map<std::string, DatasetPointer>& data);

}  // namespace gradus::trainer
