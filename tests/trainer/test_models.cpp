// Models from a configuration: what is built, and what is refused before anything is.
#include <gtest/gtest.h>

#include "gradus/autograd/functions.h"
#include "gradus/kernels/create.h"
#include "gradus/kernels/random.h"
#include "gradus/nn/state_dict.h"
#include "gradus/trainer/tasks/models.h"

namespace gradus::trainer {
namespace {

Config with(const std::string& model) {
  return parse_config("[model]\n" + model + "\n[trainer]\nmax_steps = 1\n", "m.toml", ".");
}

struct Built {
  std::string names;  // of the parameters and buffers
  Shape output;
};

Built built(const std::string& model, const Shape& input) {
  Config config = with(model);
  const auto net = build_model(config, {input}, 3);
  Built out;
  for (const auto& [name, tensor] : nn::state_dict(*net)) out.names += name + " ";
  Shape batch = input;
  batch.insert(0, 2);
  out.output = (*net)(zeros(batch)).shape();
  return out;
}

std::string error_of(const std::string& model, const Shape& input) {
  try {
    built(model, input);
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

TEST(Models, layers_by_name_and_stock_models) {
  const std::string norm = ".running_mean 1.running_var 1.num_batches_tracked ";
  struct {
    const char* model;
    Shape input;
    std::string names;
  } const cases[] = {
      {"type = 'mlp'\nhidden = []", {4}, "1.weight 1.bias "},
      {"layers = [{type = 'conv2d', out = 2, padding = 1}, 'batch_norm', 'relu', 'global_avg_pool',"
       " 'flatten', {type = 'linear', out = 3}]",
       {1, 6, 6},
       "0.weight 0.bias 1.weight 1.bias 1" + norm + "5.weight 5.bias "},
      {"layers = [{type = 'linear', out = 5}, 'batch_norm', 'gelu', {type = 'linear', out = 3}]",
       {4},
       "0.weight 0.bias 1.weight 1.bias 1" + norm + "3.weight 3.bias "},
      {"type = 'cnn'\nchannels = [2]\nhidden = []\nbatch_norm = true",
       {1, 6, 6},
       "0.weight 1.weight 1.bias 1" + norm + "5.weight 5.bias "},
  };
  for (const auto& c : cases) {
    const Built model = built(c.model, c.input);
    EXPECT_EQ(model.names, c.names) << c.model;
    EXPECT_EQ(model.output, (Shape{2, 3})) << c.model;
  }
}

/// Output and gradients of a model with the weights of `weights`, all in a row.
std::vector<float> learned(nn::Module& net, nn::Module& weights, const Tensor& x) {
  nn::load_state_dict(net, nn::state_dict(weights));
  const Tensor y = net(x);
  (y * y).sum().backward();
  std::vector<float> out = y.to_vector<float>();
  for (const Parameter& p : net.parameters()) {
    const auto g = p.grad().to_vector<float>();
    out.insert(out.end(), g.begin(), g.end());
  }
  return out;
}

TEST(Models, relu_before_or_after_the_pooling_is_the_same_to_the_bit) {
  Config stock = with("type = 'cnn'\nchannels = [3, 4]\nhidden = [5]");
  Config written = with(
      "layers = [{type = 'conv2d', out = 3, padding = 1}, 'relu', {type = 'max_pool2d', kernel = "
      "2}, "
      "{type = 'conv2d', out = 4, padding = 1}, 'relu', {type = 'max_pool2d', kernel = 2}, "
      "'flatten', {type = 'linear', out = 5}, 'relu', {type = 'linear', out = 3}]");
  const auto a = build_model(stock, {{1, 9, 8}}, 3), b = build_model(written, {{1, 9, 8}}, 3);
  const Tensor x = randn({6, 1, 9, 8});
  EXPECT_EQ(learned(*a, *a, x), learned(*b, *a, x));
}

TEST(Models, what_does_not_fit_is_refused_with_its_place) {
  struct {
    const char* model;
    Shape input;
    const char* says;
  } const cases[] = {
      {"type = 'cnn'", {4}, "m.toml:2:8: model.type: cnn needs images (C, H, W)"},
      {"type = 'cnn'\nkernel = 2", {1, 6, 6}, "m.toml:3:10: model.kernel: the kernel must be odd"},
      {"type = 'cnn'", {1, 2, 2}, "the image is already (64, 1, 1): too small"},
      {"type = 'transformer'", {4}, "unknown model \"transformer\"; there are: mlp, cnn"},
      {"layers = ['flaten']", {4}, "unknown layer \"flaten\"; there are: linear"},
      {"layers = [{type = 'linear', out = 3}]", {1, 2, 2}, "linear needs a flat input"},
      {"layers = [{type = 'linear'}]", {4}, "linear needs out = <number of outputs>"},
      {"layers = [{type = 'linear', out = 4}]",
       {4},
       "the last layer gives (4), the task needs (3)"},
      {"layers = [{type = 'linear', out = 3, outs = 3}]", {4}, "did you mean"},
      {"layers = ['batch_norm']", {2, 2}, "batch_norm needs an input (F) or (C, H, W), got (2, 2)"},
      {"layers = [{type = 'conv2d', out = 9000000000000000000}]", {1, 6, 6}, "too many elements"},
      {"type = 'mlp'\nlayers = ['relu']", {4}, "type and layers exclude each other"},
  };
  for (const auto& c : cases)
    EXPECT_NE(error_of(c.model, c.input).find(c.says), std::string::npos)
        << error_of(c.model, c.input);
}

}  // namespace
}  // namespace gradus::trainer
