// The stock task for targets of numbers: fields "x" and "y" (f32, any shape).
#pragma once

#include <map>
#include <memory>

#include "gradus/nn/module.h"
#include "gradus/trainer/config.h"
#include "gradus/trainer/data/dataset.h"
#include "gradus/trainer/task.h"

namespace gradus::trainer {

/// A loss between the model's output and "y"; metrics rmse, mae, bias, r2 and acc, the anomaly
/// correlation about the mean target of train. With members > 1 every sample is repeated so often
/// in the batch: a model that draws (dropout) gives an ensemble; the measures are of its mean, and
/// std is its spread.
class Regress final : public Task {
 public:
  enum class Loss { mse, mae, huber, crps };
  struct Options {
    Loss loss = Loss::mse;
    double fair = 1;           // of crps: see trainer/scores.h
    std::int64_t members = 1;  // of the ensemble
  };
  /// `climate`: the mean target, or undefined: no anomaly correlation then.
  Regress(std::shared_ptr<nn::Module> model, Options options, Tensor climate)
      : model_(std::move(model)), options_(options), climate_(std::move(climate)) {}
  nn::Module& module() override { return *model_; }
  std::optional<StepResult> step(const Batch& batch, const State& state) override;
  StepResult evaluate(const Batch& batch, std::string_view dataset) override;
  /// (N, ...) as the targets; (N, members, ...) of an ensemble.
  Tensor predict(const Batch& batch) override;
  void summarize(std::string_view dataset, Values& means) const override;

 private:
  Tensor forward(const Tensor& x, const Shape& target);
  StepResult losses(const Batch& batch, Tensor& y);
  std::shared_ptr<nn::Module> model_;
  Options options_;
  Tensor climate_;
};

/// The regress task of a configuration for these data sets, with the model it asks for.
std::shared_ptr<Task> make_regress(Config& config,
                                   const std::map<std::string, DatasetPointer>& data);

}  // namespace gradus::trainer
