// gradus_bench_ladder [NAME]...: every rung of the ladders checked against f64, then timed on
// cuda:0. One table a ladder, and with --json one line of JSON a rung instead.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <string>
#include <vector>

#include "gradus/bench/ladder/ladder.h"
#include "gradus/tensor/device.h"
#include "gradus/tensor/stream.h"

namespace {

using namespace gradus;
using namespace gradus::ladder;

/// Median of five blocks of at least 50 ms, in microseconds a run; a block ends with a wait.
double microseconds(const Rung& rung, const Work& work) {
  using Clock = std::chrono::steady_clock;
  const auto block = [&](int n) {
    const auto begin = Clock::now();
    for (int i = 0; i < n; ++i) rung.run(work);
    synchronize(Device::cuda());
    return std::chrono::duration<double, std::micro>(Clock::now() - begin).count();
  };
  block(1);
  int n = 1;
  while (block(n) < 50e3 && n < 1000) n *= 2;
  std::vector<double> times;
  for (int i = 0; i < 5; ++i) times.push_back(block(n) / n);
  std::nth_element(times.begin(), times.begin() + 2, times.end());
  return times[2];
}

bool climb(const Ladder& ladder, bool json) {
  const bool small = cuda_is_simulated;
  if (!json) {
    fmt::print("\n{} on {}\n", ladder.name, device_name(Device::cuda()));
    fmt::print("{:20} {:>11} {:>9} {:>9} {:>8} {:>8} {:>6}  {}\n", "rung", "us", "of below",
               "of first", "launches", "waits", "error", "");
  }
  const std::vector<Tensor> expected = ladder.expected(ladder.make(small));
  double first = 0, below = 0;
  bool good = true;
  for (const Rung& rung : ladder.rungs) {
    const Work work = ladder.make(small);
    const auto launched = launches(Device::cuda()), waited = synchronizations(Device::cuda());
    rung.run(work);
    const auto launched_now = launches(Device::cuda()) - launched,
               waited_now = synchronizations(Device::cuda()) - waited;
    const double error = error_of(work, expected);
    const bool right = error <= rung.tolerance;
    good &= right;
    const double us = small ? 0 : microseconds(rung, work);
    if (first == 0) first = below = us;
    const double rate = work.flops > 0 ? work.flops / us * 1e-6 : work.bytes / us * 1e-3;
    const char* unit = work.flops > 0 ? "TFLOP/s" : "GB/s";
    if (json) {
      const std::string timed =
          small ? "null, \"rate\": null" : fmt::format("{:.2f}, \"rate\": {:.2f}", us, rate);
      fmt::print(
          "{{\"ladder\": \"{}\", \"rung\": \"{}\", \"us\": {}, \"unit\": \"{}\", \"launches\": {}, "
          "\"waits\": {}, \"error\": {:.2g}, \"right\": {}}}\n",
          ladder.name, rung.name, timed, unit, launched_now, waited_now, error, right);
    } else if (small) {
      fmt::print("{:20} {:>11} {:>9} {:>9} {:>8} {:>8} {:>6.0e}  {}{}\n", rung.name, "-", "-", "-",
                 launched_now, waited_now, error, rung.idea, right ? "" : "  WRONG");
    } else {
      fmt::print("{:20} {:11.1f} {:8.2f}x {:8.1f}x {:>8} {:>8} {:>6.0e}  {} ({:.1f} {}){}\n",
                 rung.name, us, below / us, first / us, launched_now, waited_now, error, rung.idea,
                 rate, unit, right ? "" : "  WRONG");
    }
    std::fflush(stdout);
    below = us;
  }
  return good;
}

}  // namespace

int main(int argc, char** argv) try {
  const std::vector<Ladder> all{reduction(), softmax_of_rows(), matrix_product(), epilogue()};
  bool json = false, good = true;
  std::vector<std::string> names;
  for (int i = 1; i < argc; ++i) {
    const std::string word = argv[i];
    if (word == "--json") {
      json = true;
    } else if (std::any_of(all.begin(), all.end(), [&](auto& l) { return word == l.name; })) {
      names.push_back(word);
    } else {
      fmt::print(
          stderr,
          "usage: gradus_bench_ladder [--json] [reduction | softmax | matmul | epilogue]...\n");
      return 2;
    }
  }
  if (!cuda_available()) {
    fmt::print(stderr, "gradus_bench_ladder: no CUDA device\n");
    return 4;
  }
  if (cuda_is_simulated && !json)
    fmt::print("The device is simulated: rungs are checked at small sizes, not timed.\n");
  for (const Ladder& ladder : all) {
    if (names.empty() || std::count(names.begin(), names.end(), ladder.name) > 0)
      good &= climb(ladder, json);
  }
  return good ? 0 : 1;
} catch (const std::exception& e) {
  fmt::print(stderr, "gradus_bench_ladder: {}\n", e.what());
  return 1;
}
