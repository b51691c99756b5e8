#include "gradus/trainer/tasks/models.h"

namespace gradus::trainer {
namespace {

/// Adds modules one after another and keeps track of the shape that comes out of them.
class Builder {
 public:
  Builder(const Config& config, std::string key, Shape shape)
      : config_(config), key_(std::move(key)), shape_(std::move(shape)) {}

  void linear(std::int64_t out, bool bias = true) {
    need(1, "linear");
    net.append(nn::Linear(shape_[0], out, bias));
    shape_ = {out};
  }
  void flatten() {
    net.append(nn::Flatten());
    shape_ = {shape_.numel()};
  }
  template <class Module>
  void same_shape(Module module) {
    net.append(std::move(module));
  }
  const Shape& shape() const { return shape_; }
  [[noreturn]] void fail(const std::string& text) const { config_.fail(key_, text); }

  nn::Sequential net;

 private:
  void need(int dims, const std::string& what) const {
    if (shape_.size() != dims) {
      fail(what + " needs " +
           (dims == 1 ? "a flat input; put \"flatten\" before it" : "an input (C, H, W)") +
           ", got " + to_string(shape_));
    }
  }
  const Config& config_;
  std::string key_;
  Shape shape_;
};

void add_activation(Builder& b, const std::string& name) {
  if (name == "relu")
    b.same_shape(nn::ReLU());
  else if (name == "gelu")
    b.same_shape(nn::GELU());
  else if (name == "silu")
    b.same_shape(nn::SiLU());
  else if (name == "tanh")
    b.same_shape(nn::Tanh());
  else if (name == "sigmoid")
    b.same_shape(nn::Sigmoid());
  else
    b.fail("unknown activation \"" + name + "\"; there are: relu, gelu, silu, tanh, sigmoid");
}

/// One entry of model.layers: a word, or a table with `type` and sizes.
void add_layer(Builder& b, const Config& config, const std::string& key, Value entry) {
  std::string type;
  std::int64_t out = 0;
  double p = 0.5;
  bool bias = true;
  if (const std::string* word = entry.as<std::string>()) {
    type = *word;
  } else {
    resolve(entry,
            {Key("type", &type, "The module.").must_be_set(),
             Key("out", &out, "Outputs or channels.").at_least(1),

             Key("p", &p, "Share of elements dropped.").at_least(0).at_most(1),
             Key("bias", &bias, "Whether it adds a bias.")},
            key, config.folder);
  }
  if (type == "linear" && out == 0) b.fail(type + " needs out = <number of outputs>");
  if (type == "linear")
    b.linear(out, bias);
  else if (type == "flatten")
    b.flatten();
  else if (type == "dropout")
    b.same_shape(nn::Dropout(p));
  else if (type == "relu" || type == "gelu" || type == "silu" || type == "tanh" ||
           type == "sigmoid")
    add_activation(b, type);
  else {
    b.fail("unknown layer \"" + type +
           "\"; there are: linear, flatten, dropout, "
           "relu, gelu, silu, tanh, sigmoid");
  }
}

/// hidden layers with an activation and dropout, then the outputs.
void build_mlp(Builder& b, Config& config, std::int64_t outputs) {
  std::vector<std::int64_t> hidden = {128};
  std::string activation = "relu";
  double dropout = 0;
  resolve(config.model.options,
          {Key("hidden", &hidden, "Sizes of the hidden layers.").at_least(1),
           Key("activation", &activation, "After each hidden layer.")
               .one_of({"relu", "gelu", "silu", "tanh", "sigmoid"}),
           Key("dropout", &dropout, "After each activation.").at_least(0).at_most(1)},
          "model", config.folder);
  b.flatten();
  for (std::int64_t size : hidden) {
    b.linear(size);
    add_activation(b, activation);
    if (dropout > 0) b.same_shape(nn::Dropout(dropout));
  }
  b.linear(outputs);
}

}  // namespace

nn::Sequential build_model(Config& config, const Shape& input, std::int64_t outputs) {
  const ModelConfig& m = config.model;
  if (!m.layers.empty()) {
    if (!m.type.empty()) config.fail("model", "type and layers exclude each other");
    Builder b(config, "model.layers", input);
    for (const Value& entry : m.layers) add_layer(b, config, "model.layers", entry);
    if (b.shape() != Shape{outputs}) {
      config.fail("model.layers", "the last layer gives " + to_string(b.shape()) +
                                      ", the task needs " + to_string(Shape{outputs}));
    }
    return std::move(b.net);
  }
  Builder b(config, "model", input);
  if (m.type == "mlp")
    build_mlp(b, config, outputs);
  else
    config.fail("model.type",
                "unknown model \"" + m.type + "\"; there are: mlp (or give model.layers)");
  return std::move(b.net);
}

}  // namespace gradus::trainer
