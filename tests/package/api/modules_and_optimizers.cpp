// The chapter on modules, optimizers and files.
#include "names.h"

using namespace gradus;

struct Net : nn::Module {
  nn::Linear fc1{6, 8}, fc2{8, 3};
  Tensor scale = ones({3}, {.requires_grad = true});
  Tensor forward(const Tensor& x) override { return fc2(relu(fc1(x))) * scale; }
  void visit(nn::Visitor& v) override {
    v("fc1", fc1);
    v("fc2", fc2);
    v("scale", scale, Role::norm);
  }
};

static void modules() {
  Net net;
  const Tensor x = randn({2, 6});
  nn::Sequential sequence{nn::Linear(6, 8), nn::ReLU(), nn::Linear(8, 3)};
  EXPECT(net(x).shape() == sequence(x).shape());
  for (const auto& [name, t] : net.named_parameters()) EXPECT(!name.empty() && t.requires_grad());
  EXPECT(net.parameters().size() == 5 && net.named_buffers().empty());
  EXPECT(net.num_parameters() == 6 * 8 + 8 + 8 * 3 + 3 + 3);
  net.train(), net.eval(), net.to(Device::cpu()), net.to(Dtype::f32), net.zero_grad();
  Net copy = nn::clone(net);
  const nn::StateDict dict = nn::state_dict(net);
  nn::load_state_dict(copy, dict);
  nn::load_state_dict(copy, dict, /*strict=*/true);
  EXPECT(copy(x).to_vector<float>() == net(x).to_vector<float>());

  use(nn::Conv1d(2, 3, 3), nn::Conv2d(2, 3, 3), nn::Conv2d(2, 3, {3, 3}, {.stride = 2}));
  use(nn::Conv2d(2, 3, 3, {.padding = "same", .padding_mode = "reflect"}));
  auto normalised = nn::utils::spectral_norm(nn::Linear(6, 3), "weight", 1, 1e-12);
  EXPECT(normalised(x).shape() == Shape({2, 3}) && normalised.named_buffers().size() == 2);
  use(nn::Conv3d(2, 3, 3), nn::ConvTranspose1d(2, 3, 3), nn::ConvTranspose2d(2, 3, {2, 3}));
  use(nn::Upsample({}, 2.0), nn::InstanceNorm2d(3, {.track_running_stats = true}));
  use(nn::BatchNorm1d(3), nn::BatchNorm2d(3, {.eps = 1e-5, .momentum = 0.1}), nn::LayerNorm({4}));
  use(nn::LayerNorm(4, {.eps = 1e-5}), nn::RMSNorm(4), nn::GroupNorm(2, 4), nn::InstanceNorm2d(3));
  use(nn::Embedding(10, 4), nn::Dropout(), nn::Dropout(0.1), nn::MultiheadAttention(8, 2));
  use(nn::TransformerEncoderLayer(8, 2, {.dim_feedforward = 16, .dropout = 0}), nn::LSTM(4, 3));
  use(nn::RNN(4, 3, {}, nn::Nonlinearity::relu), nn::AdaptiveMaxPool2d({std::nullopt, 2}));
  use(nn::TransformerEncoderLayer(8, 2), nn::GRU(4, 3), nn::MaxPool2d(2), nn::AvgPool2d(2));
  use(nn::AdaptiveAvgPool2d(1), nn::Flatten(), nn::ModuleList{nn::Linear(2, 2)});
  use(nn::ReLU(), nn::LeakyReLU(), nn::ELU(), nn::SELU(), nn::CELU(), nn::GELU(), nn::GELU("tanh"));
  use(nn::SiLU(), nn::Mish(), nn::Softplus(), nn::Softsign(), nn::Sigmoid(), nn::LogSigmoid());
  use(nn::Hardtanh(), nn::Hardsigmoid(), nn::Hardswish(), nn::ReLU6(), nn::GLU(), nn::PReLU());
  use(nn::Threshold(0.1, 20), nn::Tanh(), nn::Softmax(1), nn::LogSoftmax(1));
  const Tensor w = randn({4, 4});
  nn::init::kaiming_uniform_(w), nn::init::kaiming_normal_(w), nn::init::xavier_uniform_(w);
  nn::init::xavier_normal_(w), nn::init::trunc_normal_(w), nn::init::orthogonal_(w);
}

static void files() {
  const std::map<std::string, Tensor> tensors{{"a", ones({2})}, {"b", zeros({3})}};
  const char* path = "api_names.safetensors";
  save_safetensors(path, tensors);
  save_safetensors(path, tensors, {{"key", "value"}});
  EXPECT(load_safetensors(path).size() == 2);
  EXPECT(load_safetensors(path, Device::cpu(), {"a"}).size() == 1);
  EXPECT(load_safetensors_metadata(path).at("key") == "value");
  std::remove(path);
  std::vector<std::byte> bytes;
  save_safetensors(bytes, tensors);
  EXPECT(load_safetensors(bytes).count("b") == 1);
}

static void optimizers() {
  Net net;
  const Tensor x = randn({2, 6});
  {
    optim::AdamW opt(net.parameters(),
                     {.lr = 1e-3, .weight_decay = 1e-2, .max_grad_norm = 1.0, .ema_decay = 0.999});
    opt.track(net.named_buffers());
    opt.zero_grad();
    net(x).sum().backward();
    EXPECT(clip_grad_norm_(net.parameters(), 1.0).dim() == 0);
    use(clip_grad_norm_(net.parameters(), 1.0, 2));
    opt.step();
    opt.set_lr(0.1);
    opt.load_state_dict(opt.state_dict());
    { const auto averaged = opt.ema(); }
    EXPECT(opt.applied().item<int>() == 1 && opt.skipped().item<int>() == 0);
    EXPECT(opt.grad_norm().item<double>() > 0);
  }
  using namespace optim::schedule;
  const auto body = net.fc1.parameters(), head = net.fc2.parameters();
  use(optim::AdamW({{"body", body, {.lr = 1e-3}}, {"head", head, {.lr = 1e-2}}},
                   {.schedule = warmup(500, cosine(10'000))}));
  use(optim::SGD(net.parameters(), {.lr = 0.1, .momentum = 0.9, .nesterov = true}));
  use(optim::Adam(net.parameters()), optim::LossScale{});
  use(optim::RMSprop(head), optim::Adagrad(body));
  use(optim::Adan(body, {.lr = 1e-3}), optim::Lion(head, {.lr = 1e-4}));
  use(optim::LARS(net.fc1.parameters(), {.lr = 0.1}));
  use(optim::LAMB(body), optim::Muon(std::vector<Tensor>{net.fc2.weight}, {.lr = 0.02}));
  use(constant(), linear(1, 0.1, 10), one_cycle(100), step(10, 0.1), multi_step({1, 2}, 0.1));
  use(cyclic(0.1, 5), polynomial(100, 2), restarts(10), lambda([](std::int64_t) { return 1.0; }));
  use(credit_lambda(10, 100));
  optim::SGD falling(net.fc2.parameters(), {.lr = 0.1});
  optim::Plateau plateau(falling, {.patience = 0});
  EXPECT(!plateau.step(1.0));
  use(exponential(0.9), &optim::epilogue::stats, &optim::epilogue::decide, &optim::epilogue::apply);
  WeightSink sink(net.parameters(), 0.1);
  backward(net(x).sum(), sink);
}

void modules_and_optimizers() {
  modules();
  files();
  optimizers();
}
