// Our side of bench/gpu_check: kernels, products and optimizer steps on a CUDA device, one JSON
// line a row. gpu_rows.py prints the same rows of PyTorch. `bytes` is the least that a row must
// move, each input read once and each output written once.
#include "gradus/autograd/functions.h"
#include "gradus/bench/gpu_timing.h"
#include "gradus/kernels/random.h"
#include "gradus/optim/adam.h"

namespace {

using namespace gradus;

const Device device = Device::cuda();

struct Row {
  std::string name;
  double bytes;
  std::function<void()> step;
};

Tensor values(const Shape& shape, Dtype dtype = Dtype::f32, bool wants_gradient = false) {
  Tensor t = randn(shape, {Dtype::f32, device}).to(dtype);
  t.set_requires_grad(wants_gradient);
  return t;
}

double size(const Tensor& t) {
  return static_cast<double>(t.numel()) * static_cast<double>(size_of(t.dtype()));
}

/// f forward and backward with a fixed upstream gradient; `passes` is how often x's bytes move.
Row trained(const std::string& name, const Tensor& x, double passes,
            const std::function<Tensor()>& f) {
  Tensor dy = randn_like(f().detach());
  return {name, passes * size(x), [=]() mutable {
            Tensor(x).zero_grad();
            f().backward(dy);
          }};
}

/// clip + AdamW over tensors of one size: reads p, g, m, v and writes p, m, v.
Row epilogue(const std::string& name, int tensors, std::int64_t numel, bool average) {
  std::vector<Tensor> parameters;
  for (int i = 0; i < tensors; ++i) {
    parameters.push_back(values({numel}, Dtype::f32, true));
    mul(parameters.back(), parameters.back()).sum().backward();
  }
  optim::AdamWOptions options{.max_grad_norm = 1.0};
  if (average) options.ema_decay = 0.999;
  const auto optimizer = std::make_shared<optim::AdamW>(parameters, options);
  const double elements = static_cast<double>(tensors) * static_cast<double>(numel);
  return {name, elements * 4 * (8 + (average ? 2 : 0)), [=] { optimizer->step(); }};
}

using MakeRow = std::function<Row()>;

std::vector<MakeRow> rows() {
  std::vector<MakeRow> all;
  constexpr std::int64_t many = 64 << 20;
  for (const Dtype dtype : {Dtype::f32, Dtype::bf16}) {
    const std::string type(to_string(dtype));
    all.push_back([=] {
      const Tensor a = values({many}, dtype), b = values({many}, dtype);
      return Row{"add 64M " + type, 3 * size(a), [=] { add(a, b); }};
    });
    all.push_back([=] {
      const Tensor a = values({many}, dtype);
      return Row{"gelu 64M " + type, 2 * size(a), [=] { gelu(a); }};
    });
    all.push_back([=] {
      const Tensor a = values({4096, 4096}, dtype), b = values({4096, 4096}, dtype);
      return Row{"matmul 4096 " + type, 3 * size(a), [=] { matmul(a, b); }};
    });
  }
  all.push_back([] {
    const Tensor a = values({many});
    return Row{"sum 64M", size(a), [=] { sum(a); }};
  });
  all.push_back([] {
    const Tensor a = values({many});
    return Row{"dropout 64M", 2 * size(a), [=] { dropout(a, 0.1); }};
  });
  all.push_back([] {
    const Tensor x = values({8192, 4096}, Dtype::f32, true);
    return trained("softmax 8192x4096", x, 5, [=] { return softmax(x, -1); });
  });
  all.push_back([] {
    const Tensor x = values({8192, 4096}, Dtype::f32, true), w = values({4096}, Dtype::f32, true);
    return trained("layer_norm 8192x4096", x, 5, [=] { return layer_norm(x, {4096}, w, w); });
  });
  all.push_back([] {
    const Tensor x = values({8192, 4096}, Dtype::f32, true), w = values({4096}, Dtype::f32, true);
    return trained("rms_norm 8192x4096", x, 5, [=] { return rms_norm(x, {4096}, w); });
  });
  all.push_back([] {
    const Tensor x = values({8192, 50304}, Dtype::f32, true);
    const Tensor t = randint(0, 50304, {8192}, {Dtype::i64, device});
    return trained("cross_entropy 8192x50304", x, 3, [=] { return cross_entropy(x, t); });
  });
  all.push_back([] {
    const Tensor w = values({50304, 768}, Dtype::f32, true);
    const Tensor i = randint(0, 50304, {16384}, {Dtype::i64, device});
    return trained("embedding 16384 of 50304x768", w, 2, [=] { return embedding(i, w); });
  });
  for (const Dtype dtype : {Dtype::f32, Dtype::bf16}) {
    all.push_back([=] {
      const Tensor q = values({8, 12, 1024, 64}, dtype, true);
      return trained("attention 8x12x1024x64 causal " + std::string(to_string(dtype)), q, 12,
                     [=] { return scaled_dot_product_attention(q, q, q, {}, 0, true); });
    });
  }
  all.push_back([] { return epilogue("clip AdamW 124M", 148, 838'000, false); });
  all.push_back([] { return epilogue("clip AdamW EMA 124M", 148, 838'000, true); });
  all.push_back([] { return epilogue("clip AdamW 1M in 120", 120, 8'192, false); });
  return all;
}

}  // namespace

int main() {
  if (!bench::check_gpu("gpu_rows")) return 1;
  for (const MakeRow& make : rows()) {
    const Row row = make();
    bench::time_row(device, row.name, "gradus", row.bytes, row.step);
  }
  return 0;
}
