#include "gradus/trainer/tasks/own_keys.h"

#include <memory>

namespace gradus::trainer {
namespace {

constexpr double largest = 1e6;  // of a size: what no network reaches

Key size(const char* name, std::int64_t* value, const char* about) {
  return Key(name, value, about).at_least(1).at_most(largest);
}
Key share(const char* name, double* value, const char* about) {
  return Key(name, value, about).at_least(0).at_most(1);
}

/// The keys of one type with defaults of their own.
struct Fields {
  std::shared_ptr<void> memory;
  Keys rows;
};
template <class T>
Fields fields() {
  auto memory = std::make_shared<T>();
  Keys rows = keys(*memory);
  return {std::move(memory), std::move(rows)};
}
struct Type {
  const char* name;
  Fields (*fields)();
};
constexpr Type tasks[] = {{"classify", fields<Classify::Options>},
                          {"regress", fields<RegressKeys>},
                          {"language", fields<Language::Options>},
                          {"rollout", fields<RolloutKeys>}};
constexpr Type models[] = {{"mlp", fields<MlpSizes>},         {"cnn", fields<CnnSizes>},
                           {"resnet9", fields<ResNet9Sizes>}, {"unet", fields<UNetSizes>},
                           {"gpt", fields<GPTSizes>},         {"lstm", fields<LSTMSizes>},
                           {"vit", fields<ViTSizes>}};

void resolve_table(std::span<const Type> types, const std::string& type, Value& options,
                   const std::string& table, const std::string& folder) {
  for (const Type& t : types)
    if (type == t.name) resolve(options, t.fields().rows, table, folder);
}

void describe_table(std::span<const Type> types, const char* table, std::string& text) {
  for (const Type& t : types) {
    ((((text += "\n# [") += table) += "] of type = \"") += t.name) += "\" also has:\n";
    const std::string rows = write_keys(t.fields().rows, true);
    for (std::size_t begin = 0; begin < rows.size();) {
      const std::size_t end = rows.find('\n', begin);
      (text += "# ").append(rows, begin, end - begin) += '\n';
      begin = end + 1;
    }
  }
}

}  // namespace

Keys keys(Classify::Options& o) {
  return {share("label_smoothing", &o.label_smoothing, "Mixed into the targets while training."),
          Key("confusion", &o.confusion,
              "Log at each validation how often which class was taken for which, as a table."),
          Key("top_k", &o.top_k, "Count answers right that are among the k likeliest, too.")
              .at_least(1)};
}

Keys keys(Language::Options& o) {
  return {Key("temperature", &o.temperature,
              "Of the text that predict writes; 0: always the likeliest token.")
              .at_least(0)
              .at_most(100),
          Key("top_k", &o.top_k, "Draw among so many likeliest tokens; 0: all.").at_least(0),
          Key("sample", &o.sample, "tokens", "How much predict writes.")
              .at_least(1)
              .at_most(1e6)
              .like({"max_new_tokens", "num_tokens"})};
}

Keys keys(RegressKeys& o) {
  return {Key("loss", &o.loss, "Between the output and the target.")
              .one_of({"mse", "mae", "huber", "crps"}),
          Key("ensemble_size", &o.options.members,
              "Members that a model which draws gives for each sample, for loss = crps.")
              .at_least(1)
              .at_most(1000),
          share("fair", &o.options.fair, "Of crps: 0 kernel, 1 fair, 0.95 almost fair.")};
}

Keys keys(RolloutKeys& o) {
  return {
      Key("forecast_len", &o.options.forecast_len, "timesteps",
          "How far a rollout goes; 0: as far as the targets.")
          .at_least(0)
          .at_most(100'000),
      Key("backprop_on_timestep", &o.options.backprop_on_timestep,
          "Timesteps, from 1, that give a loss; no gradient flows through others. Empty: all.")
          .at_least(1),
      Key("rollout", &o.rollout,
          "Whole rollouts, or annealed: each timestep is the last with a probability that "
          "falls from 1 to rollout_p_min over trainer.max_epochs.")
          .one_of({"full", "annealed"}),
      Key("rollout_p_min", &o.least, "What that probability falls to.").at_least(0.01).at_most(1),
      Key("loss", &o.loss, "Between each state and its target.").one_of({"mse", "mae", "huber"})};
}

Keys keys(MlpSizes& s) {
  return {Key("hidden", &s.hidden, "Sizes of the hidden layers.").at_least(1),
          Key("activation", &s.activation, "After each hidden layer.").one_of(activation_names()),
          share("dropout", &s.dropout, "After each activation.")};
}

Keys keys(CnnSizes& s) {
  return {Key("channels", &s.channels, "Of each block: convolution, activation, 2x2 max-pooling.")
              .at_least(1),
          size("kernel", &s.kernel, "Size of the convolutions; padded to keep the image's size."),
          Key("hidden", &s.hidden, "Sizes of the linear layers before the last.").at_least(1),
          Key("activation", &s.activation, "After each convolution and hidden layer.")
              .one_of(activation_names()),
          Key("batch_norm", &s.batch_norm, "Between each convolution and its activation."),
          share("dropout", &s.dropout, "Before each linear layer but the first.")};
}

Keys keys(ResNet9Sizes& s) {
  return {size("width", &s.width, "Channels of the first block; the last has 8 times as many.")};
}

Keys keys(UNetSizes& s) {
  return {size("width", &s.width, "Channels at full size; an even number.").at_least(2),
          size("depth", &s.depth, "How often the image is halved.").at_most(16)};
}

Keys keys(GPTSizes& s) {
  return {Key("context", &s.context, "tokens", "The longest sequence; 0: that of the data.")
              .at_least(0)
              .at_most(largest)
              .like({"block_size", "n_positions"}),
          size("depth", &s.layers, "Transformer layers.").like({"n_layer"}),
          size("heads", &s.heads, "Parts of the attention.").like({"n_head"}),
          size("width", &s.width, "Numbers a token; a multiple of heads.").like({"n_embd"}),
          share("dropout", &s.dropout, "Share dropped after the embedding and in every layer."),
          Key("bias", &s.bias, "Whether layers and norms add one.")};
}

Keys keys(LSTMSizes& s) {
  return {size("embedding", &s.embedding, "Numbers a token.").like({"emsize"}),
          size("hidden", &s.hidden, "Numbers in the state of a layer.").like({"nhid"}),
          size("depth", &s.layers, "LSTM layers.").like({"num_layers", "nlayers"}),
          share("dropout", &s.dropout, "Share dropped around and between the layers.")};
}

Keys keys(ViTSizes& s) {
  return {size("patch", &s.patch, "Side of a patch in pixels.").like({"patch_size"}),
          size("depth", &s.layers, "Transformer layers.").like({"num_layers"}),
          size("heads", &s.heads, "Parts of the attention.").like({"num_heads"}),
          size("hidden", &s.hidden, "Numbers a patch; a multiple of heads.")
              .like({"hidden_dim", "width"}),
          size("mlp", &s.mlp, "Width inside a layer.").like({"mlp_dim"}),
          share("dropout", &s.dropout, "Share dropped after every part of a layer."),
          share("attention_dropout", &s.attention_dropout, "Share of attention weights dropped.")};
}

void resolve_own_keys(Config& config) {
  resolve_table(tasks, config.task.type, config.task.options, "task", config.folder);
  resolve_table(models, config.model.type, config.model.options, "model", config.folder);
}

std::string describe_own_keys() {
  std::string text;
  describe_table(tasks, "task", text);
  describe_table(models, "model", text);
  return text;
}

}  // namespace gradus::trainer
