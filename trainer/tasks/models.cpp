#include "gradus/trainer/tasks/models.h"

#include "gradus/trainer/tasks/own_keys.h"

namespace gradus::trainer {
namespace {

/// Adds modules one after another and keeps track of the shape that comes out of them.
class Builder {
 public:
  Builder(const Config& config, std::string key, Shape shape)
      : config_(config), key_(std::move(key)), shape_(std::move(shape)) {}

  void linear(std::int64_t out, bool bias = true) {
    need(1, "linear");
    append([&] { return nn::Linear(shape_[0], out, bias); });
    shape_ = {out};
  }
  void conv2d(std::int64_t out, std::int64_t kernel, std::int64_t stride, std::int64_t padding,
              bool bias = true) {
    need(3, "conv2d");
    append([&] {
      return nn::Conv2d(shape_[0], out, kernel,
                        {.stride = stride, .padding = padding, .bias = bias});
    });
    shape_ = {out, after(shape_[1], kernel, stride, padding),
              after(shape_[2], kernel, stride, padding)};
  }
  void pool2d(bool max, std::int64_t kernel, std::int64_t stride) {
    need(3, max ? "max_pool2d" : "avg_pool2d");
    if (max)
      net.append(nn::MaxPool2d(kernel, stride));
    else
      net.append(nn::AvgPool2d(kernel, stride));
    shape_ = {shape_[0], after(shape_[1], kernel, stride, 0), after(shape_[2], kernel, stride, 0)};
  }
  void global_pool() {
    need(3, "adaptive_avg_pool2d");
    net.append(nn::AdaptiveAvgPool2d(1));
    shape_ = {shape_[0], 1, 1};
  }
  void batch_norm() {
    if (shape_.size() == 3)
      append([&] { return nn::BatchNorm2d(shape_[0]); });
    else if (shape_.size() == 1)
      append([&] { return nn::BatchNorm1d(shape_[0]); });
    else
      fail("batch_norm needs an input (F) or (C, H, W), got " + to_string(shape_));
  }
  void layer_norm() {
    append([&] { return nn::LayerNorm(shape_); });
  }
  void group_norm(std::int64_t groups) {
    if (shape_.empty() || shape_[0] % groups != 0)
      fail("group_norm: groups = " + std::to_string(groups) + " does not divide the channels of " +
           to_string(shape_));
    append([&] { return nn::GroupNorm(groups, shape_[0]); });
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
  /// Sizes of which no tensor can be made are the configuration's fault.
  template <class Make>
  void append(Make make) {
    try {
      net.append(make());
    } catch (const Error& error) {
      if (error.kind() == ErrorKind::memory) throw;
      fail(error.what());
    }
  }
  void need(int dims, const std::string& what) const {
    if (shape_.size() != dims) {
      fail(what + " needs " +
           (dims == 1 ? "a flat input; put \"flatten\" before it" : "an input (C, H, W)") +
           ", got " + to_string(shape_));
    }
  }
  std::int64_t after(std::int64_t size, std::int64_t kernel, std::int64_t stride,
                     std::int64_t padding) const {
    const std::int64_t out = (size + 2 * padding - kernel) / stride + 1;
    if (size + 2 * padding < kernel || out < 1)
      fail("the image is already " + to_string(shape_) + ": too small");
    return out;
  }
  const Config& config_;
  std::string key_;
  Shape shape_;
};

struct Activation {
  const char* name;
  void (*add)(Builder&);
};
template <class M>
constexpr Activation activation(const char* name) {
  return {name, [](Builder& b) { b.same_shape(M()); }};
}
constexpr Activation activations[] = {
    activation<nn::ReLU>("relu"),
    activation<nn::GELU>("gelu"),
    activation<nn::SiLU>("silu"),
    activation<nn::Tanh>("tanh"),
    activation<nn::Sigmoid>("sigmoid"),
    activation<nn::LeakyReLU>("leaky_relu"),
    activation<nn::ELU>("elu"),
    activation<nn::SELU>("selu"),
    activation<nn::CELU>("celu"),
    activation<nn::Mish>("mish"),
    activation<nn::Softplus>("softplus"),
    activation<nn::Softsign>("softsign"),
    activation<nn::Hardswish>("hardswish"),
    activation<nn::ReLU6>("relu6"),
};

}  // namespace

std::vector<std::string> activation_names() {
  std::vector<std::string> names;
  for (const Activation& a : activations) names.push_back(a.name);
  return names;
}

namespace {

bool add_activation(Builder& b, const std::string& name) {
  for (const Activation& a : activations) {
    if (name != a.name) continue;
    a.add(b);
    return true;
  }
  return false;
}

/// One entry of model.layers: a word, or a table with `type` and sizes.
void add_layer(Builder& b, const Config& config, const std::string& key, Value entry) {
  std::string type;
  std::int64_t out = 0, kernel = 3, stride = 0, padding = 0, groups = 1;
  double p = 0.5;
  bool bias = true;
  if (const std::string* word = entry.as<std::string>()) {
    type = *word;
  } else {
    resolve(entry,
            {Key("type", &type, "The module.").must_be_set(),
             Key("out", &out, "Outputs or channels.").at_least(1),
             Key("kernel", &kernel, "Size of the window.").at_least(1).at_most(1e6),
             Key("stride", &stride, "0: 1 for convolutions, the kernel for pooling.")
                 .at_least(0)
                 .at_most(1e6),
             Key("padding", &padding, "Zeros around the image.").at_least(0).at_most(1e6),
             Key("groups", &groups, "Of group_norm.").at_least(1).at_most(1e6),
             Key("p", &p, "Share of elements dropped.").at_least(0).at_most(1),
             Key("bias", &bias, "Whether it adds a bias.")},
            key, config.folder);
  }
  const bool sized = type == "linear" || type == "conv2d";
  if (sized && out == 0) b.fail(type + " needs out = <number of outputs>");
  if (type == "linear")
    b.linear(out, bias);
  else if (type == "conv2d")
    b.conv2d(out, kernel, stride == 0 ? 1 : stride, padding, bias);
  else if (type == "max_pool2d")
    b.pool2d(true, kernel, stride == 0 ? kernel : stride);
  else if (type == "avg_pool2d")
    b.pool2d(false, kernel, stride == 0 ? kernel : stride);
  else if (type == "global_avg_pool")
    b.global_pool();
  else if (type == "batch_norm")
    b.batch_norm();
  else if (type == "flatten")
    b.flatten();
  else if (type == "dropout")
    b.same_shape(nn::Dropout(p));
  else if (type == "layer_norm")
    b.layer_norm();
  else if (type == "group_norm")
    b.group_norm(groups);
  else if (!add_activation(b, type)) {
    std::string names;
    for (const std::string& name : activation_names()) names += ", " + name;
    b.fail("unknown layer \"" + type +
           "\"; there are: linear, conv2d, max_pool2d, avg_pool2d, global_avg_pool, batch_norm, "
           "layer_norm, group_norm, flatten, dropout" +
           names);
  }
}

/// hidden layers with an activation and dropout, then the outputs.
void build_mlp(Builder& b, Config& config, std::int64_t outputs) {
  MlpSizes sizes;
  resolve(config.model.options, keys(sizes), "model", config.folder);
  b.flatten();
  for (std::int64_t size : sizes.hidden) {
    b.linear(size);
    add_activation(b, sizes.activation);
    if (sizes.dropout > 0) b.same_shape(nn::Dropout(sizes.dropout));
  }
  b.linear(outputs);
}

/// Convolution, activation and max-pooling for each of `channels`; then hidden linear layers.
void build_cnn(Builder& b, Config& config, std::int64_t outputs) {
  CnnSizes sizes;
  resolve(config.model.options, keys(sizes), "model", config.folder);
  if (sizes.kernel % 2 == 0)
    config.fail("model.kernel", "the kernel must be odd, so that padding can keep the size");
  if (b.shape().size() != 3)
    config.fail("model.type", "cnn needs images (C, H, W), the data has " + to_string(b.shape()));
  for (std::int64_t c : sizes.channels) {
    b.conv2d(c, sizes.kernel, 1, sizes.kernel / 2, !sizes.batch_norm);
    if (sizes.batch_norm) b.batch_norm();
    // The largest of four is found before or after a ReLU, bit for bit, and so is its gradient:
    // after the pooling it has a quarter of the work.
    const bool pool_first = sizes.activation == "relu";
    if (pool_first) b.pool2d(true, 2, 2);
    add_activation(b, sizes.activation);
    if (!pool_first) b.pool2d(true, 2, 2);
  }
  b.flatten();
  for (std::int64_t size : sizes.hidden) {
    b.linear(size);
    add_activation(b, sizes.activation);
    if (sizes.dropout > 0) b.same_shape(nn::Dropout(sizes.dropout));
  }
  b.linear(outputs);
}

}  // namespace

std::shared_ptr<nn::Module> build_model(Config& config, const ModelInput& input,
                                        std::int64_t outputs) {
  const ModelConfig& m = config.model;
  if (!m.layers.empty() && !m.type.empty())
    config.fail("model", "type and layers exclude each other");
  if (auto large = build_large_model(config, input, outputs)) return large;
  if (input.vocabulary > 0) {
    config.fail(m.layers.empty() ? "model.type" : "model.layers",
                "the data has tokens; models for them are: gpt, lstm");
  }
  if (!m.layers.empty()) {
    Builder b(config, "model.layers", input.shape);
    for (const Value& entry : m.layers) add_layer(b, config, "model.layers", entry);
    if (b.shape() != Shape{outputs}) {
      config.fail("model.layers", "the last layer gives " + to_string(b.shape()) +
                                      ", the task needs " + to_string(Shape{outputs}));
    }
    return std::make_shared<nn::Sequential>(std::move(b.net));
  }
  Builder b(config, "model", input.shape);
  if (m.type == "mlp")
    build_mlp(b, config, outputs);
  else if (m.type == "cnn")
    build_cnn(b, config, outputs);
  else
    config.fail("model.type", "unknown model \"" + m.type +
                                  "\"; there are: mlp, cnn, resnet9, unet, gpt, lstm, vit (or "
                                  "give model.layers)");
  return std::make_shared<nn::Sequential>(std::move(b.net));
}

}  // namespace gradus::trainer
