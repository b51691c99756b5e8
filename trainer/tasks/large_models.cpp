// Models with a class of their own in nn/: their sizes in a configuration.
#include "gradus/trainer/tasks/models.h"
#include "gradus/trainer/tasks/own_keys.h"

namespace gradus::trainer {
namespace {

void need_image(const Config& config, const ModelInput& input, const std::string& type) {
  if (input.vocabulary > 0 || input.shape.size() != 3) {
    config.fail("model.type", type + " needs images (C, H, W), the data has " +
                                  (input.vocabulary > 0 ? "tokens" : to_string(input.shape)));
  }
}

std::shared_ptr<nn::Module> resnet9(Config& config, const ModelInput& input, std::int64_t outputs) {
  ResNet9Sizes o;
  resolve(config.model.options, keys(o), "model", config.folder);
  need_image(config, input, "resnet9");
  if (input.shape[1] < 8 || input.shape[2] < 8)
    config.fail("model.type", "resnet9 halves the image three times: " + to_string(input.shape) +
                                  " is too small");
  return std::make_shared<nn::ResNet9>(input.shape[0], outputs, o.width);
}

std::shared_ptr<nn::Module> unet(Config& config, const ModelInput& input, std::int64_t outputs) {
  UNetSizes o;
  resolve(config.model.options, keys(o), "model", config.folder);
  need_image(config, input, "unet");
  const std::int64_t unit = std::int64_t{1} << o.depth;
  if (o.width % 2 != 0) config.fail("model.width", "unet needs an even width");
  if (input.shape[1] % unit != 0 || input.shape[2] % unit != 0) {
    config.fail("model.depth", "unet of depth " + std::to_string(o.depth) +
                                   " needs sizes that are multiples of " + std::to_string(unit) +
                                   ", the data has " + to_string(input.shape));
  }
  return std::make_shared<nn::UNet>(input.shape[0], outputs, o);
}

std::shared_ptr<nn::Module> gpt(Config& config, const ModelInput& input, std::int64_t outputs) {
  GPTSizes o;
  resolve(config.model.options, keys(o), "model", config.folder);
  if (input.vocabulary == 0 || input.shape.size() != 1)
    config.fail("model.type", "gpt needs tokens: task.type = \"language\" with a text");
  if (o.width % o.heads != 0) config.fail("model.width", "must be a multiple of model.heads");
  if (o.context == 0) o.context = input.shape[0];
  if (o.context < input.shape[0]) {
    config.fail("model.context", "the data's sequences have " + std::to_string(input.shape[0]) +
                                     " tokens: more than the model can see");
  }
  o.vocabulary = outputs;
  return std::make_shared<nn::GPT>(o);
}

std::shared_ptr<nn::Module> lstm(Config& config, const ModelInput& input, std::int64_t outputs) {
  LSTMSizes o;
  resolve(config.model.options, keys(o), "model", config.folder);
  if (input.vocabulary == 0 && input.shape.size() != 2)
    config.fail("model.type",
                "lstm needs tokens, or sequences (T, F); the data has " + to_string(input.shape));
  o.vocabulary = input.vocabulary;
  if (input.vocabulary == 0) o.inputs = input.shape[1];
  return std::make_shared<nn::SequenceLSTM>(outputs, o);
}

std::shared_ptr<nn::Module> vit(Config& config, const ModelInput& input, std::int64_t outputs) {
  ViTSizes o;
  resolve(config.model.options, keys(o), "model", config.folder);
  need_image(config, input, "vit");
  if (input.shape[1] % o.patch != 0 || input.shape[2] % o.patch != 0)
    config.fail("model.patch", "patches of " + std::to_string(o.patch) + " do not divide images " +
                                   to_string(input.shape));
  if (o.hidden % o.heads != 0) config.fail("model.hidden", "must be a multiple of model.heads");
  o.channels = input.shape[0];
  o.height = input.shape[1];
  o.width = input.shape[2];
  return std::make_shared<nn::VisionTransformer>(outputs, o);
}

}  // namespace

std::shared_ptr<nn::Module> build_large_model(Config& config, const ModelInput& input,
                                              std::int64_t outputs) try {
  const std::string& type = config.model.type;
  if (type == "resnet9") return resnet9(config, input, outputs);
  if (type == "unet") return unet(config, input, outputs);
  if (type == "gpt") return gpt(config, input, outputs);
  if (type == "lstm") return lstm(config, input, outputs);
  if (type == "vit") return vit(config, input, outputs);
  return nullptr;
} catch (const Error& error) {
  if (error.kind() == ErrorKind::argument) throw;
  if (error.kind() == ErrorKind::memory) throw;
  config.fail("model", error.what());  // sizes of which no tensor can be made
}

}  // namespace gradus::trainer
