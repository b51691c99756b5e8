// What the trainer adds to a step: the same run with and without something, in turns, as the median
// of the turns' ratios.
#include "gradus/trainer/trainer.h"

#include <benchmark/benchmark.h>

#include <algorithm>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "gradus/trainer/clock.h"
#include "gradus/trainer/data/readers.h"
#include "gradus/trainer/log/console.h"
#include "gradus/trainer/tasks/classify.h"

namespace gradus::trainer {
namespace {

namespace fs = std::filesystem;
using Settings = std::vector<std::string>;

struct Job {
  const char* config;  // of examples/
  std::int64_t steps;
};
constexpr Job digits{"digits.toml", 8000};  // the MLP at batch 64: 80 us a step
constexpr Job fashion{"fashion_mnist.toml", 200};

/// Seconds that the job takes, without evaluation; `tells`: with a progress bar and hooks.
double run(const Job& job, Settings settings, bool tells) {
  const fs::path directory = fs::temp_directory_path() / "gradus_bench_trainer";
  fs::remove_all(directory);
  fs::create_directories(directory);
  for (const char* set :
       {"trainer.max_epochs=0", "trainer.training_metric=none", "trainer.validate_every_n_epochs=0",
        "trainer.preflight=false", "trainer.evaluate_at_end=false"})
    settings.push_back(set);
  settings.push_back("trainer.max_steps=" + std::to_string(job.steps));
  const std::string path = std::string(GRADUS_SOURCE_DIR "/examples/") + job.config;
  Config config = load_config(path, settings);
  auto data = open_datasets(config);
  data.erase("valid");
  data.erase("test");
  const auto task = make_classify(config, data);
  Trainer trainer(config, task, data);
  std::size_t shown = 0;
  trainer.use_directory(directory);
  if (tells) {
    ConsoleOptions options;
    options.bar = true;
    options.out = [&shown](std::string_view text) { shown += text.size(); };
    options.seconds = now_seconds;
    trainer.add(std::make_unique<Console>(options));
    for (const HookPhase phase : {HookPhase::batch, HookPhase::step_end, HookPhase::log})
      trainer.add(make_hook("nothing", phase, [&shown](HookContext&) { ++shown; }));
  }
  const double seconds = trainer.fit().seconds;
  benchmark::DoNotOptimize(shown);
  fs::remove_all(directory);
  return seconds;
}

double median(std::vector<double> v) {
  std::nth_element(v.begin(), v.begin() + static_cast<std::ptrdiff_t>(v.size() / 2), v.end());
  return v[v.size() / 2];
}

/// Runs without and with; reports the time of a step without, and what `with` adds to it.
template <class Without, class With>
void in_turns(benchmark::State& state, const Job& job, Without without, With with) {
  std::vector<double> plain, ratio;
  for (auto _ : state) {
    plain.push_back(without());
    const double seconds = with();
    ratio.push_back(seconds / plain.back());
    state.SetIterationTime(seconds / static_cast<double>(job.steps));
  }
  state.counters["plain_us"] = 1e6 * median(plain) / static_cast<double>(job.steps);
  state.counters["cost_%"] = 100 * (median(ratio) - 1);
}

/// Every sink that is on by default, a progress bar and three hooks. Both sides save at the end.
void logging_and_hooks(benchmark::State& state) {
  const Settings quiet = {"log.csv=false", "log.jsonl=false", "log.timing=false",
                          "checkpoint.every_n_seconds=0"};
  in_turns(
      state, digits, [&] { return run(digits, quiet, false); },
      [&] { return run(digits, {"checkpoint.every_n_seconds=0"}, true); });
}
BENCHMARK(logging_and_hooks)->UseManualTime()->Iterations(15)->Unit(benchmark::kMicrosecond);

/// A checkpoint every 50 steps, beside training or (for comparison) within the step.
void saves(benchmark::State& state, const Job& job, bool asynchronous) {
  const auto with = [&](std::int64_t every, bool beside) {
    return run(job,
               {"checkpoint.every_n_seconds=0", "checkpoint.every_n_steps=" + std::to_string(every),
                std::string("checkpoint.asynchronous=") + (beside ? "true" : "false")},
               false);
  };
  in_turns(
      state, job, [&] { return with(0, false); }, [&] { return with(50, asynchronous); });
}
BENCHMARK_CAPTURE(saves, mlp_asynchronous, digits, true)
    ->UseManualTime()
    ->Iterations(7)
    ->Unit(benchmark::kMicrosecond);
BENCHMARK_CAPTURE(saves, mlp_within, digits, false)
    ->UseManualTime()
    ->Iterations(7)
    ->Unit(benchmark::kMicrosecond);
BENCHMARK_CAPTURE(saves, cnn_asynchronous, fashion, true)
    ->UseManualTime()
    ->Iterations(5)
    ->Unit(benchmark::kMicrosecond);
BENCHMARK_CAPTURE(saves, cnn_within, fashion, false)
    ->UseManualTime()
    ->Iterations(5)
    ->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace gradus::trainer
