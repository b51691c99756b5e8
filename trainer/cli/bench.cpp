// gradus bench: how fast this machine is at what training does, in a few seconds. Numbers to
// compare machines and builds with; the benchmarks of the source tree go deeper.
#include "gradus/trainer/cli/bench.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <functional>

#include "gradus/autograd/engine.h"
#include "gradus/autograd/functions.h"
#include "gradus/autograd/node.h"
#include "gradus/kernels/create.h"
#include "gradus/nn/nn.h"
#include "gradus/optim/optim.h"
#include "gradus/tensor/build_info.h"
#include "gradus/tensor/parallel.h"
#include "gradus/tensor/random.h"
#include "gradus/tensor/stream.h"
#include "gradus/trainer/cli/machine.h"
#include "gradus/trainer/device.h"

namespace gradus::cli {
namespace {

double now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

/// The best of the timings that fit into about 0.3 s: what the machine can do when it is not
/// disturbed. The first call warms up.
double seconds_of(Device device, const std::function<void()>& work) {
  work();
  synchronize(device);
  double best = HUGE_VAL;
  std::int64_t calls = 1;
  for (const double end = now() + 0.3; now() < end;) {
    const double begin = now();
    for (std::int64_t i = 0; i < calls; ++i) work();
    synchronize(device);
    const double each = (now() - begin) / static_cast<double>(calls);
    best = std::min(best, each);
    calls = std::clamp<std::int64_t>(static_cast<std::int64_t>(0.02 / each), 1, 100'000);
  }
  return best;
}

struct Row {
  std::string name;
  double seconds, work;  // of one call
  const char* unit;      // of work / seconds / 1e9; null: the time itself
};

/// Forward, backward and update of a small classifier on `batch` samples of 64 numbers.
double step_seconds(Device device, std::int64_t batch) {
  nn::Sequential model{nn::Linear(64, 128), nn::ReLU(), nn::Linear(128, 10)};
  model.to(device);
  optim::AdamW optimizer(model.named_parameters(), {.lr = 1e-3});
  const Tensor x = randn({batch, 64}, {Dtype::f32, device});
  const Tensor y = randint(0, 10, {batch}, {Dtype::i64, device});
  return seconds_of(device, [&] {
    optimizer.zero_grad();
    cross_entropy(model(x), y).backward();
    optimizer.step();
  });
}

std::vector<Row> measure(Device device) {
  const TensorOptions f32{Dtype::f32, device};
  std::vector<Row> rows;
  {
    const NoGrad guard;
    constexpr std::int64_t n = 1024, elements = 1 << 24;
    const Tensor a = randn({n, n}, f32), b = randn({n, n}, f32);
    rows.push_back({"product of 1024 x 1024", seconds_of(device, [&] { matmul(a, b); }),
                    2.0 * n * n * n, "GFLOP/s"});
    const Tensor x = randn({elements}, f32), y = randn({elements}, f32);
    rows.push_back(
        {"sum of 2 x 64 MiB", seconds_of(device, [&] { add(x, y); }), 3.0 * 4 * elements, "GB/s"});
    rows.push_back(
        {"exp of 64 MiB", seconds_of(device, [&] { exp(x); }), 2.0 * 4 * elements, "GB/s"});
    const Tensor image = randn({8, 32, 32, 32}, f32), kernel = randn({32, 32, 3, 3}, f32);
    rows.push_back({"3 x 3 convolution, 8 x 32 x 32 x 32",
                    seconds_of(device, [&] { conv2d(image, kernel, {}, 1, 1); }),
                    2.0 * 8 * 32 * 32 * 32 * 32 * 9, "GFLOP/s"});
    const Tensor small = randn({8, 8}, f32);
    rows.push_back({"sum of 8 x 8", seconds_of(device, [&] { add(small, small); }), 1, nullptr});
  }
  rows.push_back({"training step, 64-128-10, batch 64", step_seconds(device, 64), 1, nullptr});
  return rows;
}

std::string time_text(double seconds) {
  if (seconds < 1e-6) return fmt::format("{:.0f} ns", seconds * 1e9);
  if (seconds < 1e-3) return fmt::format("{:.1f} us", seconds * 1e6);
  return fmt::format("{:.2f} ms", seconds * 1e3);
}

}  // namespace

int bench(const Arguments& arguments, const Tasks&) {
  trainer::Config config;
  if (!arguments.device.empty()) config.run.device = arguments.device;
  const Device device = trainer::device_of(config);
  const Machine machine = this_machine();
  print(fmt::format("{}\n{}, {} threads\n", build_info(),
                    device.is_cpu() ? machine.processor : device_name(device), num_threads()));
  manual_seed(0);
  for (const Row& row : measure(device)) {
    const std::string rate =
        row.unit ? fmt::format("{:8.1f} {}", row.work / row.seconds / 1e9, row.unit) : "";
    print(fmt::format("  {:<36} {:>10}  {}", row.name, time_text(row.seconds), rate) + "\n");
  }
  return 0;
}

}  // namespace gradus::cli
