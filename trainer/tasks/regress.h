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
/// correlation about the mean target of train.
class Regress final : public Task {
 public:
  enum class Loss { mse, mae, huber };
  /// `climate`: the mean target, or undefined: no anomaly correlation then.
  Regress(std::shared_ptr<nn::Module> model, Loss loss, Tensor climate)
      : model_(std::move(model)), loss_(loss), climate_(std::move(climate)) {}
  nn::Module& module() override { return *model_; }
  std::optional<StepResult> step(const Batch& batch, const State& state) override;
  StepResult evaluate(const Batch& batch, std::string_view dataset) override;
  /// (N, ...) as the targets.
  Tensor predict(const Batch& batch) override;
  void summarize(std::string_view dataset, Values& means) const override;

 private:
  StepResult losses(const Batch& batch, Tensor& y);
  std::shared_ptr<nn::Module> model_;
  Loss loss_;
  Tensor climate_;
};

/// The regress task of a configuration for these data sets, with the model it asks for.
std::shared_ptr<Task> make_regress(Config& config,
                                   const std::map<std::string, DatasetPointer>& data);

}  // namespace gradus::trainer
