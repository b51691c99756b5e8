// G6 and G7 of bench/gpu_check, GPT-2 124M and a network for Fashion-MNIST: whole training steps,
// each kernel started alone ("eager") and as a captured graph ("gradus", what trainer.cuda_graph
// does). gpu_models.py does the same in PyTorch.
#include <memory>

#include "gradus/autograd/autocast.h"
#include "gradus/autograd/functions.h"
#include "gradus/bench/gpu_timing.h"
#include "gradus/kernels/random.h"
#include "gradus/nn/gpt.h"
#include "gradus/nn/nn.h"
#include "gradus/optim/adam.h"
#include "gradus/trainer/step_graph.h"

namespace {

using namespace gradus;

const Device device = Device::cuda();

struct Mlp : nn::Module {
  nn::Linear fc1, fc2;
  Mlp(std::int64_t hidden) : fc1(784, hidden), fc2(hidden, 10) {}
  Tensor forward(const Tensor& x) override { return fc2(relu(fc1(x))); }
  void visit(nn::Visitor& v) override {
    v("fc1", fc1);
    v("fc2", fc2);
  }
};

/// examples/fashion_mnist.toml's network.
struct Cnn : nn::Module {
  nn::Conv2d conv1{1, 32, 3, {.padding = 1}}, conv2{32, 64, 3, {.padding = 1}};
  nn::Linear fc1{64 * 7 * 7, 128}, fc2{128, 10};
  nn::Dropout drop{0.25};
  Tensor forward(const Tensor& x) override {
    const Tensor h = max_pool2d(relu(conv1(x)), 2);
    return fc2(drop(relu(fc1(max_pool2d(relu(conv2(h)), 2).flatten(1)))));
  }
  void visit(nn::Visitor& v) override {
    v("conv1", conv1);
    v("conv2", conv2);
    v("fc1", fc1);
    v("fc2", fc2);
    v("drop", drop);
  }
};

/// A model that trains on one batch, again and again.
struct Training {
  std::shared_ptr<nn::Module> model;
  Tensor x, target;  // (N, ...), (N) or (N, T)
  bool lowered = false;
  std::unique_ptr<optim::AdamW> optimizer;
  std::unique_ptr<trainer::StepGraphs> graphs;
  std::uint32_t steps = 0;

  void begin(double ema_decay, bool graph) {
    model->to(device);
    optimizer = std::make_unique<optim::AdamW>(
        model->parameters(),
        optim::AdamWOptions{.lr = 1e-4, .max_grad_norm = 1, .ema_decay = ema_decay});
    if (graph) graphs = std::make_unique<trainer::StepGraphs>(device, model->parameters());
  }
  double forward_and_backward() {
    Tensor loss;
    {
      std::optional<Autocast> lower;
      if (lowered) lower.emplace(Dtype::bf16);
      const Tensor y = model->forward(x);
      loss = cross_entropy(y.reshape({-1, y.size(-1)}), target.reshape({-1}));
    }
    loss.backward();
    return 1;
  }
  void step() {
    optimizer->zero_grad();
    const RandomScope random(1, steps);
    if (graphs) {
      const trainer::MicroStepKind kind{{{x.data(), x.shape(), x.dtype()}}, 0, 0, nullptr};
      graphs->run(kind, steps, [&] { return forward_and_backward(); });
    } else {
      forward_and_backward();
    }
    ++steps;
    optimizer->step();
  }
};

using Make = std::function<std::unique_ptr<Training>()>;

/// samples: what a step trains on; `unit` names them.
void time_model(const std::string& row, const Make& make, double ema_decay, double samples,
                const char* unit) {
  for (const bool graph : {false, true}) {
    const char* const side = graph ? "gradus" : "gradus eager";
    try {
      const auto training = make();
      training->begin(ema_decay, graph);
      const auto step = [&] { training->step(); };
      for (int i = 0; i < 4; ++i) step();  // two of them are eager, one is recorded
      const double host = bench::host_microseconds(device, step);
      const double us = bench::microseconds(device, step);
      const auto launched = launches(device), waited = synchronizations(device);
      for (int i = 0; i < 4; ++i) step();
      const auto per_step = [](std::int64_t n) { return static_cast<double>(n) / 4; };
      bench::print_row(
          row, side, us,
          fmt::format("\"host_us\": {:.2f}, \"{}_s\": {:.0f}, \"launches\": {}, \"waits\": {}, "
                      "\"peak_bytes\": {}",
                      host, unit, samples / us * 1e6, per_step(launches(device) - launched),
                      per_step(synchronizations(device) - waited), memory_stats(device).peak));
    } catch (const Error& e) {
      bench::print_failed(row, side, e.what());
    }
  }
}

Tensor classes(std::int64_t n, const Shape& shape) {
  return randint(0, n, shape, {Dtype::i64, device});
}

Make small_mlp(std::int64_t hidden, std::int64_t batch) {
  return [=] {
    auto t = std::make_unique<Training>();
    t->model = std::make_shared<Mlp>(hidden);
    t->x = randn({batch, 784}, {Dtype::f32, device});
    t->target = classes(10, {batch});
    return t;
  };
}

Make gpt(std::int64_t layers, std::int64_t width, std::int64_t vocabulary, std::int64_t batch,
         std::int64_t length) {
  return [=] {
    auto t = std::make_unique<Training>();
    t->model = std::make_shared<nn::GPT>(nn::GPTOptions{.vocabulary = vocabulary,
                                                        .context = length,
                                                        .layers = layers,
                                                        .heads = width / 64 > 0 ? width / 64 : 1,
                                                        .width = width});
    t->x = classes(vocabulary, {batch, length});
    t->target = classes(vocabulary, {batch, length});
    t->lowered = true;
    return t;
  };
}

}  // namespace

int main(int argc, char** argv) {
  if (!bench::check_gpu("gpu_models")) return 1;
  const bool small = bench::is_small(argc, argv);
  time_model("G6 MLP 784-32-10 batch 1", small_mlp(32, 1), 0.999, 1, "samples");
  time_model("G6 MLP 784-128-10 batch 64", small_mlp(128, small ? 4 : 64), 0.999, small ? 4 : 64,
             "samples");
  const std::int64_t images = small ? 2 : 128;
  const Make cnn = [=] {
    auto t = std::make_unique<Training>();
    t->model = std::make_shared<Cnn>();
    t->x = randn({images, 1, 28, 28}, {Dtype::f32, device});
    t->target = classes(10, {images});
    return t;
  };
  time_model("Fashion-MNIST CNN batch 128", cnn, 0, static_cast<double>(images), "images");
  const std::int64_t length = small ? 8 : 1024;
  for (const std::int64_t batch : {std::int64_t{8}, std::int64_t{32}}) {
    for (const double ema_decay : {0.0, 0.999}) {
      if (small && batch > 8) continue;
      const std::string row =
          fmt::format("GPT-2 124M bf16 batch {}{}", batch, ema_decay > 0 ? " EMA" : "");
      time_model(row, small ? gpt(1, 16, 50, 2, length) : gpt(12, 768, 50304, batch, length),
                 ema_decay, static_cast<double>((small ? 2 : batch) * length), "tokens");
    }
  }
  return 0;
}
