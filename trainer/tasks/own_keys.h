// The keys that stock tasks and models have of their own, in the open tables [task] and [model]:
// their fields with every default, and the rows that read, check and describe them.
#pragma once

#include "gradus/nn/nn.h"
#include "gradus/trainer/config/key.h"
#include "gradus/trainer/tasks/classify.h"
#include "gradus/trainer/tasks/language.h"
#include "gradus/trainer/tasks/regress.h"
#include "gradus/trainer/tasks/rollout.h"

namespace gradus::trainer {

struct RegressKeys {
  std::string loss = "mse";
  Regress::Options options;
};
struct RolloutKeys {
  std::string loss = "mse", rollout = "full";
  double least = 0.01;
  Rollout::Options options;
  RolloutKeys() { options.forecast_len = 0; }
};
struct MlpSizes {
  std::vector<std::int64_t> hidden = {128};
  std::string activation = "relu";
  double dropout = 0;
};
struct CnnSizes {
  std::vector<std::int64_t> channels = {32, 64}, hidden = {128};
  std::int64_t kernel = 3;
  std::string activation = "relu";
  double dropout = 0;
  bool batch_norm = false;
};
struct ResNet9Sizes {
  std::int64_t width = 64;
};
struct UNetSizes : nn::UNetOptions {};
struct GPTSizes : nn::GPTOptions {
  GPTSizes() { context = 0; }
};
struct LSTMSizes : nn::SequenceLSTMOptions {};
struct ViTSizes : nn::VisionTransformerOptions {};

Keys keys(Classify::Options& options);
Keys keys(Language::Options& options);
Keys keys(RegressKeys& options);
Keys keys(RolloutKeys& options);
Keys keys(MlpSizes& sizes);
Keys keys(CnnSizes& sizes);
Keys keys(ResNet9Sizes& sizes);
Keys keys(UNetSizes& sizes);
Keys keys(GPTSizes& sizes);
Keys keys(LSTMSizes& sizes);
Keys keys(ViTSizes& sizes);

/// What a layer may be between: "relu", "gelu" ...
std::vector<std::string> activation_names();

/// Writes every default of a stock task and model into the configuration, as building them does.
/// What is not stock is left as it is.
void resolve_own_keys(Config& config);
/// All of them, as describe_config() has the others; each line a comment, because only the type in
/// use has them.
std::string describe_own_keys();

}  // namespace gradus::trainer
