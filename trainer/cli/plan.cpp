// gradus plan: what a configuration takes, measured by one step that leaves no trace.
#include <fmt/format.h>

#include <algorithm>

#include "gradus/optim/optimizer.h"
#include "gradus/tensor/allocator.h"
#include "gradus/tensor/random.h"
#include "gradus/tensor/stream.h"
#include "gradus/trainer/cli/machine.h"
#include "gradus/trainer/cli/session.h"
#include "gradus/trainer/data/loader.h"
#include "gradus/trainer/device.h"
#include "gradus/trainer/log/console.h"
#include "gradus/trainer/model_table.h"
#include "gradus/trainer/trainer.h"

namespace gradus::cli {
namespace {

std::int64_t bytes_of(const Tensor& t) {
  return t.numel() * static_cast<std::int64_t>(size_of(t.dtype()));
}

struct Memory {
  std::int64_t data = 0, weights = 0, gradients = 0, optimizer = 0, average = 0;
  std::int64_t prefetched = 0;                  // batches that wait, beside the one of now
  std::int64_t activations = 0, workspace = 0;  // measured; exact to 64 KiB
  std::int64_t peak = 0;
};

/// Sizes from what there is; activations are what a forward pass leaves behind for the backward
/// one, workspace is what the peak of a step has beside all the others. `data`: of data sets that
/// are in the memory that is measured.
Memory measure(trainer::Trainer& trainer, trainer::Batch& batch, std::int64_t data) {
  Memory m;
  m.data = data;
  const Device device = trainer.device();
  nn::Module& model = trainer.task().module();
  for (const Parameter& p : model.named_parameters()) {
    m.weights += bytes_of(p);
    if (p.requires_grad()) m.gradients += bytes_of(p);
  }
  for (const Parameter& b : model.named_buffers()) m.weights += bytes_of(b);
  for (const std::string& name : trainer.optimizer_names()) {
    const optim::Optimizer& optimizer = trainer.optimizer(name);
    for (const auto& [key, t] : optimizer.state_dict(false)) m.optimizer += bytes_of(t);
    for (const auto& [key, t] : optimizer.ema_state_dict()) m.average += bytes_of(t);
  }
  synchronize(device);
  {
    trainer::DeviceBatch places;
    trainer::Batch& there = places.put(batch, device);
    const RandomScope random(0, 0, 0, 0, batch.size, batch.size);
    const std::int64_t before = memory_stats(device).now;
    const auto result = trainer.task().step(there, trainer.state());
    check(result.has_value(), ErrorKind::argument, "plan: the task gave the first batch no loss");
    m.activations = std::max<std::int64_t>(0, memory_stats(device).now - before);
  }
  reset_peak_memory_stats(device);  // opening the data may have taken more than training does
  trainer.step(batch);
  synchronize(device);
  m.peak = memory_stats(device).peak;
  const std::int64_t known =
      m.weights + m.gradients + m.optimizer + m.average + m.activations + m.data;
  m.workspace = std::max<std::int64_t>(0, m.peak - known);
  return m;
}

}  // namespace

int plan(const Arguments& arguments, const Tasks& tasks) {
  trainer::Config config = trainer::load_config(arguments.path, settings_of(arguments));
  if (!config.data.count("train"))
    config.fail("data", "there is no data set \"train\": nothing is trained");
  const std::int64_t before = memory_stats(Device::cpu()).now;
  Session session = open_session(std::move(config), tasks);
  const std::int64_t opened = memory_stats(Device::cpu()).now - before;
  const auto train = session.data.at("train");
  const trainer::DataConfig data = session.config.data.at("train");
  trainer::Loader loader(train, {.batch_size = data.batch_size, .workers = 0, .prefetch = 1});
  loader.start(0);
  trainer::Batch* const batch = loader.next();
  check(batch != nullptr, ErrorKind::argument, "plan: data.train is empty");
  trainer::Trainer trainer(session.config, session.task, session.data);
  trainer.prepare();
  const auto rows = trainer::module_rows(trainer.task().module());
  // What was opened before: data sets, less the weights.
  const bool here = trainer.device().is_cpu();
  Memory m = measure(trainer, *batch, here ? std::max<std::int64_t>(0, opened - rows[0].bytes) : 0);
  // The run's loader reads ahead; the batch that was measured is one of its own.
  const trainer::LoaderOptions ahead{.workers = static_cast<int>(data.workers),
                                     .prefetch = static_cast<int>(data.prefetch)};
  const std::int64_t slots =
      loader.batches() > 0 ? std::min(loader.batches(), ahead.slots()) : ahead.slots();
  for (const auto& [name, t] : batch->fields) m.prefetched += (slots - 1) * bytes_of(t);
  if (here) m.peak += m.prefetched;
  std::string text = fmt::format("{} on {}\n", arguments.path.string(), session.device);
  text += model_table(rows, 200);
  std::string shapes;
  for (const auto& [name, t] : batch->fields)
    shapes += fmt::format("{}{} {}", shapes.empty() ? "" : ", ", name, to_string(t.shape()));
  text += fmt::format("a batch of {}: {}\nmemory of a step, in bytes:\n", batch->size, shapes);
  const auto line = [&](const char* name, std::int64_t bytes) {
    text += fmt::format("  {:<12}  {:>14}  {}\n", name, bytes, trainer::bytes_text(bytes));
  };
  line("data sets", m.data);
  line("weights", m.weights);
  line("gradients", m.gradients);
  line("optimizer", m.optimizer);
  line("average", m.average);
  line("prefetched", m.prefetched);
  line("activations", m.activations);
  line("workspace", m.workspace);
  line("peak", m.peak);
  if (trainer.device().is_cpu())
    text += fmt::format("  available: {}\n", trainer::bytes_text(this_machine().memory_available));
  const std::int64_t steps = trainer.steps_per_epoch();
  text += fmt::format("{} samples, {} steps an epoch{}\n", train->size(),
                      steps > 0 ? std::to_string(steps) : "an unknown number of",
                      session.config.trainer.accumulate_schedule.empty()
                          ? ""
                          : " with the windows of trainer.accumulate; see accumulate_schedule");
  print(text);
  return 0;
}

}  // namespace gradus::cli
