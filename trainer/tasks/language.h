// The stock task for texts: guess the next token. Fields "x" and "y" (T) i64, y one token later.
#pragma once

#include <map>
#include <memory>

#include "gradus/nn/module.h"
#include "gradus/trainer/config.h"
#include "gradus/trainer/data/tokens.h"
#include "gradus/trainer/task.h"

namespace gradus::trainer {

/// Cross-entropy a token; a batch weighs as much as it has tokens. Metrics: loss (nats a token) and
/// perplexity = exp(loss).
class Language final : public Task {
 public:
  struct Options {
    double temperature = 0.8;  // 0: always the likeliest token
    std::int64_t top_k = 0;    // draw among so many only; 0: all
    std::int64_t sample = 500;
    std::uint64_t seed = 0;
    std::int64_t context = 0;  // how many tokens the model is shown
  };
  /// `alphabet` is empty where tokens stand for no bytes.
  Language(std::shared_ptr<nn::Module> model, Alphabet alphabet, Options options)
      : model_(std::move(model)), alphabet_(std::move(alphabet)), options_(options) {}
  nn::Module& module() override { return *model_; }
  std::optional<StepResult> step(const Batch& batch, const State& state) override;
  /// Probabilities of the token after the last: (N, V).
  Tensor predict(const Batch& batch) override;
  bool writes_text() const override { return alphabet_.size() > 0; }
  /// `prompt` and options.sample more tokens; one seed gives one text.
  std::string write(const std::string& prompt) override;
  void summarize(std::string_view dataset, Values& means) const override;

 private:
  std::shared_ptr<nn::Module> model_;
  Alphabet alphabet_;
  Options options_;
};

/// The language task of a configuration for these data sets, with the model it asks for.
std::shared_ptr<Task> make_language(Config& config,
                                    const std::map<std::string, DatasetPointer>& data);

}  // namespace gradus::trainer
