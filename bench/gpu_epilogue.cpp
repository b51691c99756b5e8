// G3 of bench/gpu_check: everything between the last gradient and the next forward, for GPT-2's
// tensors at 124 M and 1.5 B parameters; gpu_epilogue.py does the same in PyTorch. `bytes` is what
// a parameter has to move: gradients twice (norm, update), weights, moments and averages in and
// out, the low-precision copy out (a split master: both halves of the weight, and no copy).
#include <memory>

#include "gradus/bench/gpu_timing.h"
#include "gradus/kernels/random.h"
#include "gradus/optim/adam.h"

namespace {

using namespace gradus;

const Device device = Device::cuda();

struct Case {
  const char* name;
  Dtype low, gradient;
  bool scaled, clip, average;
  bool split = false;
};
constexpr Case cases[] = {
    {"bf16 clip EMA", Dtype::bf16, Dtype::f32, false, true, true},
    {"fp16 scale clip EMA", Dtype::f16, Dtype::f32, true, true, true},
    {"bf16 clip", Dtype::bf16, Dtype::f32, false, true, false},
    {"bf16 EMA", Dtype::bf16, Dtype::f32, false, false, true},
    {"bf16", Dtype::bf16, Dtype::f32, false, false, false},
    {"bf16 gradients clip", Dtype::bf16, Dtype::bf16, false, true, false},
    {"bf16 gradients clip split", Dtype::bf16, Dtype::bf16, false, true, false, true},
    {"bf16 gradients clip EMA", Dtype::bf16, Dtype::bf16, false, true, true},
    {"bf16 gradients clip EMA split", Dtype::bf16, Dtype::bf16, false, true, true, true},
};

/// The elements of GPT-2's tensors.
std::vector<std::int64_t> sizes_of(std::int64_t layers, std::int64_t width, std::int64_t vocabulary,
                                   std::int64_t context) {
  std::vector<std::int64_t> n = {vocabulary * width, context * width};
  for (std::int64_t i = 0; i < layers; ++i) {
    for (const std::int64_t of :
         {width, width, 3 * width * width, 3 * width, width * width, width, width, width,
          4 * width * width, 4 * width, 4 * width * width, width})
      n.push_back(of);
  }
  n.push_back(width);
  n.push_back(width);
  return n;
}

/// Gives a weight's storage its low-precision copy, as a forward under Autocast does.
void make_shadow(const Tensor& weight, Dtype dtype) {
  Storage& storage = *weight.raw()->storage;
  const Tensor low = weight.detach().to(dtype);
  storage.shadow = low.raw()->storage.get();
  retain(storage.shadow);
  storage.shadow_dtype = dtype;
  storage.shadow_version = storage.version.load();
}

struct Run {
  std::vector<Tensor> weights;
  std::unique_ptr<optim::AdamW> optimizer;
  double bytes = 0;

  Run(const Case& c, const std::vector<std::int64_t>& sizes) {
    double elements = 0;
    for (const std::int64_t n : sizes) {
      const Tensor w = (randn({n}, {Dtype::f32, device}) * 0.02).to(c.split ? c.low : Dtype::f32);
      const Tensor g = (randn({n}, {Dtype::f32, device}) * 1e-3).to(c.gradient);
      w.set_requires_grad(true);
      w.set_grad(g);
      weights.push_back(w);
      elements += static_cast<double>(n);
    }
    optim::AdamWOptions options{.lr = 1e-4};
    if (c.clip) options.max_grad_norm = 1;
    if (c.average) options.ema_decay = 0.999;
    options.split_master = c.split;
    if (c.scaled) options.loss_scale = optim::LossScale{.init = 1, .interval = 2000};
    optimizer = std::make_unique<optim::AdamW>(weights, options);
    for (const Tensor& w : weights) {
      if (!c.split) make_shadow(w, c.low);
    }
    const double gradient = static_cast<double>(size_of(c.gradient));
    bytes = elements * (2 * gradient + 8 + 16 + (c.split ? 0 : 2) + (c.average ? 8 : 0));
  }
};

void time_case(const std::string& model, const Case& c, const std::vector<std::int64_t>& sizes) {
  const std::string row = "G3 " + model + " " + c.name;
  try {
    const Run run(c, sizes);
    bench::time_row(device, row, "gradus", run.bytes, [&] { run.optimizer->step(); });
  } catch (const Error& e) {
    bench::print_failed(row, "gradus", e.what());
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (!bench::check_gpu("gpu_epilogue")) return 1;
  const bool small = bench::is_small(argc, argv);
  const auto m124 = small ? sizes_of(2, 16, 100, 8) : sizes_of(12, 768, 50257, 1024);
  const auto b15 = small ? sizes_of(3, 16, 100, 8) : sizes_of(48, 1600, 50257, 1024);
  for (const Case& c : cases) time_case("124M", c, m124);
  for (const Case& c : cases) time_case("1.5B", c, b15);
  return 0;
}
