// Our side of the comparison with PyTorch: the same work as torch_side.py. Reads lines "<workload>
// <seconds>" and answers each with one line of JSON: microseconds an iteration. Started by
// compare.py.
#include <fmt/format.h>
#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <functional>
#include <iostream>
#include <map>
#include <sstream>

#include "gradus/gradus.h"
#include "gradus/kernels/matmul.h"

namespace {

using namespace gradus;
using Step = std::function<void()>;

double now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

/// Median of blocks, each long enough for the clock.
double microseconds(const Step& step, double seconds) {
  for (int i = 0; i < 3; ++i) step();
  const double first = now();
  step();
  const int block = std::max(1, static_cast<int>(0.02 / std::max(now() - first, 1e-7)));
  std::vector<double> blocks;
  const double end = now() + seconds;
  while (now() < end || blocks.size() < 3) {
    const double begin = now();
    for (int i = 0; i < block; ++i) step();
    blocks.push_back((now() - begin) / block);
  }
  std::sort(blocks.begin(), blocks.end());
  return blocks[blocks.size() / 2] * 1e6;
}

/// forward, backward, clip, step, average.
Step training(std::shared_ptr<nn::Module> model, std::function<Tensor()> loss, bool adamw,
              double ema) {
  std::shared_ptr<optim::Optimizer> optimizer;
  if (adamw) {
    optimizer = std::make_shared<optim::AdamW>(
        model->parameters(),
        optim::AdamWOptions{.lr = 1e-3, .max_grad_norm = 1.0, .ema_decay = ema});
  } else {
    optimizer = std::make_shared<optim::SGD>(model->parameters(), optim::SGDOptions{.lr = 1e-2});
  }
  return [model, loss, optimizer] {
    optimizer->zero_grad();
    loss().backward();
    optimizer->step();
  };
}

Step mlp(std::int64_t batch, std::int64_t hidden, bool adamw) {
  auto model =
      std::make_shared<nn::Sequential>(nn::Linear(784, hidden), nn::ReLU(), nn::Linear(hidden, 10));
  const Tensor x = randn({batch, 784}), y = randint(0, 10, {batch});
  return training(
      model, [model, x, y] { return cross_entropy((*model)(x), y); }, adamw, adamw ? 0.999 : 0);
}

Step cnn(std::int64_t batch, std::int64_t first, std::int64_t second, std::int64_t kernel,
         std::int64_t hidden, bool adamw) {
  auto model = std::make_shared<nn::Sequential>(
      nn::Conv2d(1, first, kernel, {.padding = kernel / 2}), nn::ReLU(), nn::MaxPool2d(2),
      nn::Conv2d(first, second, kernel, {.padding = kernel / 2}), nn::ReLU(), nn::MaxPool2d(2),
      nn::Flatten());
  const std::int64_t width = second * 7 * 7;
  if (hidden > 0) {
    model->append(nn::Linear(width, hidden));
    model->append(nn::ReLU());
  }
  model->append(nn::Linear(hidden > 0 ? hidden : width, 10));
  const Tensor x = randn({batch, 1, 28, 28}), y = randint(0, 10, {batch});
  return training(
      model, [model, x, y] { return cross_entropy((*model)(x), y); }, adamw, 0);
}

struct Block : nn::Module {
  Block(std::int64_t c, std::int64_t heads)
      : heads(heads), ln1({c}), ln2({c}), qkv(c, 3 * c), out(c, c), up(c, 4 * c), down(4 * c, c) {}
  std::int64_t heads;
  nn::LayerNorm ln1, ln2;
  nn::Linear qkv, out, up, down;

  Tensor forward(const Tensor& x) override {  // (B, T, C)
    const std::int64_t b = x.size(0), t = x.size(1), c = x.size(2);
    const Tensor all = qkv(ln1(x)).view({b, t, 3, heads, c / heads});
    const auto part = [&](int i) { return all.select(2, i).transpose(1, 2); };  // (B, H, T, D)
    Tensor a = scaled_dot_product_attention(part(0), part(1), part(2), {}, 0, true);
    Tensor y = x + out(a.transpose(1, 2).reshape({b, t, c}));
    return y + down(gelu(up(ln2(y))));
  }
  void visit(nn::Visitor& v) override {
    v("ln1", ln1), v("ln2", ln2), v("qkv", qkv), v("out", out), v("up", up), v("down", down);
  }
};

struct Gpt : nn::Module {
  Gpt(std::int64_t vocabulary, int layers, std::int64_t c, std::int64_t heads, std::int64_t t)
      : token(vocabulary, c), place(t, c), norm({c}), head(c, vocabulary, false) {
    for (int i = 0; i < layers; ++i) blocks.emplace_back(c, heads);
  }
  nn::Embedding token, place;
  std::vector<Block> blocks;
  nn::LayerNorm norm;
  nn::Linear head;

  Tensor forward(const Tensor& x) override {  // (B, T) indices
    Tensor y = token(x) + place.weight.slice(0, 0, x.size(1));
    for (Block& block : blocks) y = block(y);
    return head(norm(y));
  }
  void visit(nn::Visitor& v) override {
    v("token", token), v("place", place);
    for (std::size_t i = 0; i < blocks.size(); ++i) v("blocks." + std::to_string(i), blocks[i]);
    v("norm", norm), v("head", head);
  }
};

Step gpt(int layers, std::int64_t c, std::int64_t heads, std::int64_t t, std::int64_t batch) {
  auto model = std::make_shared<Gpt>(96, layers, c, heads, t);
  const Tensor x = randint(0, 96, {batch, t}), y = randint(0, 96, {batch * t});
  return training(
      model,
      [=] {
        return cross_entropy((*model)(x).view({batch * t, 96}), y);
      },
      true, 0);
}

/// n parameters in 64 tensors: clip, AdamW, average; gradients stay as they are.
Step epilogue(std::int64_t n) {
  auto parameters = std::make_shared<std::vector<Tensor>>();
  for (int i = 0; i < 64; ++i) {
    Tensor p = randn({n / 64});
    p.set_requires_grad(true);
    parameters->push_back(p);
  }
  auto optimizer = std::make_shared<optim::AdamW>(
      *parameters, optim::AdamWOptions{.lr = 1e-3, .max_grad_norm = 1.0, .ema_decay = 0.999});
  for (const Tensor& p : *parameters) p.set_grad(randn(p.shape()));
  return [parameters, optimizer] { optimizer->step(); };
}

Step sgemm(std::int64_t m, std::int64_t n, std::int64_t k) {
  const Tensor a = randn({m, k}), b = randn({k, n}), c = empty({m, n});
  return [=] { cpu::matmul(a, b, c); };
}

Step make(const std::string& name) {
  if (name == "add_8x8") {
    const Tensor a = randn({8, 8}), b = randn({8, 8});
    return [a, b] { Tensor y = a + b; };
  }
  if (name == "node_8x8") {
    const Tensor x = randn({8, 8}), dy = randn({8, 8});
    x.set_requires_grad(true);
    return [x, dy] {
      x.zero_grad();
      tanh(x).backward(dy);
    };
  }
  if (name == "mlp_b1_sgd") return mlp(1, 32, false);
  if (name == "mlp_b1_adamw") return mlp(1, 32, true);
  if (name == "mlp_b64_sgd") return mlp(64, 128, false);
  if (name == "mlp_b64_adamw") return mlp(64, 128, true);
  if (name == "mlp_b256_adamw") return mlp(256, 512, true);
  if (name == "cnn_b64") return cnn(64, 16, 32, 5, 0, false);
  if (name == "fashion_b128") return cnn(128, 32, 64, 3, 128, true);
  if (name == "gpt_small") return gpt(4, 128, 4, 64, 12);
  if (name == "gpt_medium") return gpt(6, 384, 6, 256, 8);
  if (name == "epilogue_32m") return epilogue(std::int64_t{32} << 20);
  std::int64_t m = 0, n = 0, k = 0;
  char x = 0;
  std::istringstream sizes(name.starts_with("sgemm_") ? name.substr(6) : "");
  if (sizes >> m >> x >> n >> x >> k) return sgemm(m, n, k);
  throw Error(ErrorKind::argument, "unknown workload " + name);
}

int start_up() {
  const Tensor x = ones({8, 8});
  x.set_requires_grad(true);
  sum(tanh(x)).backward();
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  fmt::print("{{\"megabytes\": {}}}\n", static_cast<double>(usage.ru_maxrss) / 1024);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc > 1 && std::string(argv[1]) == "--start-up") return start_up();
  set_num_threads(argc > 1 ? std::stoi(argv[1]) : 2);
  fmt::print("{{\"side\": \"gradus\", \"version\": \"{}\", \"threads\": {}}}\n", version(),
             num_threads());
  std::cout.flush();
  std::map<std::string, Step> ready;
  for (std::string line; std::getline(std::cin, line);) {
    std::istringstream words(line);
    std::string name;
    double seconds = 0;
    words >> name >> seconds;
    if (name.empty() || name == "quit") break;
    if (name == "free") {
      ready.clear();
      fmt::print("{{\"workload\": \"free\"}}\n");
    } else {
      if (ready.count(name) == 0) ready[name] = make(name);
      fmt::print("{{\"workload\": \"{}\", \"us\": {}}}\n", name,
                 microseconds(ready[name], seconds));
    }
    std::fflush(stdout);
  }
  return 0;
}
