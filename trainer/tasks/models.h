// Models from a configuration.
#pragma once

#include <memory>

#include "gradus/nn/nn.h"
#include "gradus/trainer/config.h"

namespace gradus::trainer {

/// What a model is built for.
struct ModelInput {
  Shape shape;                  // of one sample, without the batch dimension
  std::int64_t vocabulary = 0;  // tokens are integers below it; 0: samples are numbers
};

/// The model of `config.model` for such samples and `outputs` outputs (classes, channels, or scores
/// a token). `model.type` is mlp, cnn, resnet9, unet, gpt, lstm or vit with their sizes, or
/// `model.layers` lists modules by name; sizes that follow from the input are worked out here.
/// Fills `config.model` with every default. Throws Error(argument) with the place in the file.
std::shared_ptr<nn::Module> build_model(Config& config, const ModelInput& input,
                                        std::int64_t outputs);

/// The types with a class of their own (all but mlp and cnn); null for another type.
std::shared_ptr<nn::Module> build_large_model(Config& config, const ModelInput& input,
                                              std::int64_t outputs);

}  // namespace gradus::trainer
