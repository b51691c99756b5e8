// The stock task for single-label classification: fields "x" (inputs) and "y" (class indices).
#pragma once

#include <map>
#include <memory>

#include "gradus/nn/nn.h"
#include "gradus/trainer/config.h"
#include "gradus/trainer/data/dataset.h"
#include "gradus/trainer/task.h"

namespace gradus::trainer {

/// Cross-entropy, and accuracies as records; one value a sample, so that no metric depends on how a
/// batch was split.
class Classify final : public Task {
 public:
  struct Options {
    double label_smoothing = 0;
    std::vector<std::int64_t> top_k;  // "top<k>_accuracy" for each, beside "accuracy"
    bool confusion = false;           // logged as the table <dataset>/confusion
  };
  Classify(std::shared_ptr<nn::Module> model, Options options)
      : model_(std::move(model)), options_(options) {}
  nn::Module& module() override { return *model_; }
  std::optional<StepResult> step(const Batch& batch, const State& state) override;
  StepResult evaluate(const Batch& batch, std::string_view dataset) override;
  /// Class probabilities (N, C).
  Tensor predict(const Batch& batch) override;
  void summarize(std::string_view dataset, Values& means) const override;

 private:
  StepResult losses(const Batch& batch, double label_smoothing, Tensor* used = nullptr);
  std::shared_ptr<nn::Module> model_;
  Options options_;
  Tensor counts_;  // (C, C) of the data set that is being evaluated
};

/// The classify task of a configuration for these data sets, with the model it asks for.
std::shared_ptr<Task> make_classify(Config& config,
                                    const std::map<std::string, DatasetPointer>& data);

}  // namespace gradus::trainer
