// What the trainer adds to a step: logging with every sink that is on by default, a progress bar
// and hooks, beside the same run without them. The digits MLP at batch 64, 100 us a step: small
// enough that it would show.
#include "gradus/trainer/trainer.h"

#include <benchmark/benchmark.h>

#include <algorithm>
#include <filesystem>
#include <memory>
#include <vector>

#include "gradus/trainer/data/readers.h"
#include "gradus/trainer/log/console.h"
#include "gradus/trainer/tasks/classify.h"

namespace gradus::trainer {
namespace {

namespace fs = std::filesystem;
constexpr std::int64_t steps = 2000;

/// Seconds that a run of so many steps takes; into `directory`, with all that a person sees, unless
/// it is empty.
double run(const fs::path& directory) {
  Config config = load_config(
      GRADUS_SOURCE_DIR "/examples/digits.toml",
      {"trainer.max_steps=" + std::to_string(steps), "trainer.max_epochs=0",
       "trainer.training_metric=none", "trainer.validate_every_n_epochs=0",
       "trainer.preflight=false", "trainer.evaluate_at_end=false", "checkpoint.every_n_seconds=0"});
  auto data = open_datasets(config);
  data.erase("valid");
  data.erase("test");
  const auto task = make_classify(config, data);
  Trainer trainer(config, task, data);
  std::size_t shown = 0;
  if (!directory.empty()) {
    trainer.use_directory(directory);
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
  return seconds;
}

/// The two in turn; the cost is the median of the turns' ratios.
void logging_and_hooks(benchmark::State& state) {
  const fs::path directory = fs::temp_directory_path() / "gradus_bench_trainer";
  std::vector<double> plain, ratio;
  for (auto _ : state) {
    fs::remove_all(directory);
    fs::create_directories(directory);
    plain.push_back(run({}));
    const double seconds = run(directory);
    ratio.push_back(seconds / plain.back());
    state.SetIterationTime(seconds / static_cast<double>(steps));
  }
  fs::remove_all(directory);
  const auto median = [](std::vector<double>& v) {
    std::nth_element(v.begin(), v.begin() + static_cast<std::ptrdiff_t>(v.size() / 2), v.end());
    return v[v.size() / 2];
  };
  state.counters["plain_us"] = 1e6 * median(plain) / static_cast<double>(steps);
  state.counters["cost_%"] = 100 * (median(ratio) - 1);
}
BENCHMARK(logging_and_hooks)->UseManualTime()->Iterations(31)->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace gradus::trainer
