// Our side of the comparison with PyTorch (side_by_side/compare.py starts it and says what to run),
// and the ceilings of this machine: multiplications and memory.
#include <fmt/format.h>

#include <cmath>
#include <cstring>
#include <fstream>
#include <string>

#include "gradus/bench/side_by_side/data.h"
#include "gradus/bench/side_by_side/models.h"
#include "gradus/bench/side_by_side/serve.h"
#include "gradus/kernels/cpu/gemm.h"
#include "gradus/kernels/cpu/simd.h"

namespace {

using namespace gradus;
using namespace gradus::bench;

enum class Rule { sgd, adamw_clip, adamw_clip_ema };

std::shared_ptr<optim::Optimizer> optimizer_of(const std::vector<Parameter>& parameters,
                                               Rule rule) {
  if (rule == Rule::sgd)
    return std::make_shared<optim::SGD>(parameters, optim::SGDOptions{.lr = 1e-2});
  optim::AdamWOptions options{.lr = 1e-3, .max_grad_norm = 1.0};
  if (rule == Rule::adamw_clip_ema) options.ema_decay = 0.999;
  return std::make_shared<optim::AdamW>(parameters, options);
}

/// forward, backward, clip, step, average. Values: three losses, then weights after these steps.
Workload training(const std::shared_ptr<nn::Module>& model, const Tensor& x, const Tensor& target,
                  std::int64_t classes, Rule rule) {
  fill_parameters(*model);
  const auto optimizer = optimizer_of(model->parameters(), rule);
  const auto loss = [=] { return cross_entropy((*model)(x).view({-1, classes}), target); };
  Workload w;
  w.step = [=] {
    optimizer->zero_grad();
    loss().backward();
    optimizer->step();
  };
  for (int i = 0; i < 3; ++i) {
    w.values.push_back(loss().item<double>());
    w.step();
  }
  for (const auto& p : model->parameters()) sample(p, w.values);
  return w;
}

Workload images(const std::shared_ptr<nn::Module>& model, const Shape& shape, Rule rule) {
  return training(model, uniform(1, shape), indices(2, {shape[0]}, 10), 10, rule);
}

Workload text(int layers, std::int64_t c, std::int64_t heads, std::int64_t t, std::int64_t batch) {
  const std::int64_t vocabulary = 96;
  const auto model = std::make_shared<Gpt>(vocabulary, layers, c, heads, t);
  return training(model, indices(1, {batch, t}, vocabulary), indices(2, {batch * t}, vocabulary),
                  vocabulary, Rule::adamw_clip);
}

/// n parameters in 64 tensors; gradients stay as they are.
Workload epilogue(std::int64_t n) {
  std::vector<Tensor> parameters;
  for (std::uint32_t i = 0; i < 64; ++i)
    parameters.push_back(uniform(100 + i, {n / 64}).set_requires_grad(true));
  const auto optimizer = std::make_shared<optim::AdamW>(
      parameters, optim::AdamWOptions{.lr = 1e-3, .max_grad_norm = 1.0, .ema_decay = 0.999});
  for (std::uint32_t i = 0; i < 64; ++i) parameters[i].set_grad(uniform(200 + i, {n / 64}));
  Workload w;
  w.step = [optimizer] { optimizer->step(); };
  for (int i = 0; i < 3; ++i) w.step();
  for (const Tensor& p : parameters) sample(p, w.values);
  return w;
}

Workload product(const Product& p) {
  const Tensor a = uniform(1, {p.m, p.k}), b = uniform(2, {p.k, p.n}), c = empty({p.m, p.n});
  cpu::Gemm<float> g;
  g.m = p.m, g.n = p.n, g.k = p.k;
  g.a = a.data<float>(), g.a_row = p.turn_a ? 1 : p.k, g.a_col = p.turn_a ? p.m : 1;
  g.b = b.data<float>(), g.b_row = p.turn_b ? 1 : p.n, g.b_col = p.turn_b ? p.k : 1;
  g.c = c.data<float>(), g.c_row = p.n;
  Workload w;
  w.step = [a, b, c, g] { cpu::gemm(g); };
  w.step();
  sample(c, w.values);
  return w;
}

Workload add() {
  const Tensor a = uniform(1, {8, 8}), b = uniform(2, {8, 8});
  Workload w;
  w.step = [a, b] { const Tensor y = a + b; };
  sample(a + b, w.values);
  return w;
}

Workload node() {
  const Tensor x = uniform(1, {8, 8}).set_requires_grad(true), dy = uniform(2, {8, 8});
  Workload w;
  w.step = [x, dy] {
    x.zero_grad();
    tanh(x).backward(dy);
  };
  w.step();
  sample(x.grad(), w.values);
  return w;
}

/// Fused multiply-adds of independent chains in registers: this many on every thread.
constexpr std::int64_t fma_count = 24 * 16 << 18;
Workload fma_ceiling() {
  using V = cpu::Simd<float>;
  constexpr int chains = cpu::vector_registers < 32 ? 12 : 24;
  constexpr std::int64_t steps = fma_count / (chains * V::width);
  const auto sums = std::make_shared<std::vector<float>>(256 * 16);
  Workload w;
  w.step = [sums] {
    parallel_chunks(num_threads(), [&](std::int64_t chunk) {
      V::Vec acc[chains], x = V::Vec{} + 1.0f;
      for (int j = 0; j < chains; ++j) acc[j] = x * static_cast<float>(j);  // no two chains alike
      const float s = 0.5f;
      for (std::int64_t i = 0; i < steps; ++i) {
        GRADUS_UNROLL
        for (int j = 0; j < chains; ++j) acc[j] = V::fma(x, s, acc[j]);
      }
      for (int j = 1; j < chains; ++j) acc[0] += acc[j];
      (*sums)[static_cast<std::size_t>(chunk) * 16] = acc[0][0];
    });
  };
  return w;
}

/// y = x over 256 MiB each: far beyond the caches.
Workload copy_ceiling() {
  const std::int64_t n = std::int64_t{1} << 26;
  const Tensor x = full({n}, 1), y = full({n}, 2);
  Workload w;
  w.step = [x, y, n] {
    parallel_for(n, 65536, [&](std::int64_t begin, std::int64_t end) {
      std::memcpy(y.data<float>() + begin, x.data<float>() + begin,
                  static_cast<std::size_t>(end - begin) * sizeof(float));
    });
  };
  return w;
}

Workload make(const std::string& name) {
  if (name == "add_8x8") return add();
  if (name == "node_8x8") return node();
  if (name == "mlp_b1_sgd") return images(mlp(32), {1, 784}, Rule::sgd);
  if (name == "mlp_b1_adamw") return images(mlp(32), {1, 784}, Rule::adamw_clip_ema);
  if (name == "mlp_b64_sgd") return images(mlp(128), {64, 784}, Rule::sgd);
  if (name == "mlp_b64_adamw") return images(mlp(128), {64, 784}, Rule::adamw_clip_ema);
  if (name == "mlp_b256_adamw") return images(mlp(512), {256, 784}, Rule::adamw_clip_ema);
  if (name == "cnn_b64") return images(cnn(16, 32, 5, 0), {64, 1, 28, 28}, Rule::sgd);
  if (name == "fashion_b128")
    return images(cnn(32, 64, 3, 128), {128, 1, 28, 28}, Rule::adamw_clip);
  if (name == "gpt_small") return text(4, 128, 4, 64, 12);
  if (name == "gpt_medium") return text(6, 384, 6, 256, 8);
  if (name == "epilogue_32m") return epilogue(32'000'000);
  if (name == "ceiling_fma") return fma_ceiling();
  if (name == "ceiling_copy") return copy_ceiling();
  if (Product p; Product::parse(name, p)) return product(p);
  throw Error(ErrorKind::unsupported, "no workload " + name);
}

/// The peak of this program's own memory (getrusage would count what the starting process had).
double peak_megabytes() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("VmHWM:")) return std::stod(line.substr(6)) / 1024;
  }
  return 0;
}

/// A process of its own for what a process costs: "start" ends with its first backward, "train"
/// after 100 steps of the MLP with batches of 32.
int process(const std::string& what) {
  if (what == "start") {
    const Tensor x = ones({8, 8}, {.requires_grad = true});
    sum(tanh(x)).backward();
  } else {
    const Workload w = images(mlp(32), {32, 784}, Rule::sgd);
    for (int i = 0; i < 100; ++i) w.step();
  }
  fmt::print("{{\"megabytes\": {}}}\n", peak_megabytes());
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc > 2 && std::string(argv[1]) == "--process") return process(argv[2]);
  if (argc > 1) set_num_threads(std::stoi(argv[1]));
  return serve(fmt::format("{{\"name\": \"Gradus\", \"version\": {}, \"threads\": {}, "
                           "\"build\": {}, \"fma_flops\": {}}}",
                           quoted(std::string(version())), num_threads(), quoted(build_info()),
                           2 * fma_count * num_threads()),
               make);
}
