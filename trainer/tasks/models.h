// Models from a configuration.
#pragma once

#include "gradus/nn/nn.h"
#include "gradus/trainer/config.h"

namespace gradus::trainer {

/// The model of `config.model` for samples of shape `input` (without the batch dimension) and
/// `outputs` outputs. `model.type` is mlp or cnn with their sizes, or `model.layers` lists modules
/// by name; sizes that follow from the input are worked out here. Fills `config.model` with every
/// default. Throws Error(argument) with the place in the file.
nn::Sequential build_model(Config& config, const Shape& input, std::int64_t outputs);

}  // namespace gradus::trainer
