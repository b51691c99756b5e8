// What can be known before the first step: that data arrive, that memory suffices, that forward and
// backward run on the real weights. Nothing of the model changes, no data and no random numbers are
// used up.
#include <fmt/format.h>

#include "gradus/autograd/autocast.h"
#include "gradus/autograd/engine.h"
#include "gradus/autograd/functions.h"
#include "gradus/kernels/create.h"
#include "gradus/tensor/allocator.h"
#include "gradus/tensor/random.h"
#include "gradus/tensor/stream.h"
#include "gradus/trainer/data/loader.h"
#include "gradus/trainer/logging.h"
#include "gradus/trainer/loop.h"

namespace gradus::trainer {
namespace {

/// The values of a module's buffers, put back at the end: running statistics stand still.
class BufferGuard {
 public:
  explicit BufferGuard(const nn::Module& module) {
    for (const Parameter& b : module.named_buffers()) kept_.emplace_back(b, b.clone());
  }
  ~BufferGuard() {
    const NoGrad no_grad;
    for (const auto& [live, kept] : kept_) copy_into(kept, live);
  }
  BufferGuard(const BufferGuard&) = delete;
  BufferGuard& operator=(const BufferGuard&) = delete;

 private:
  std::vector<std::pair<Tensor, Tensor>> kept_;
};

}  // namespace

void Loop::preflight() {
  try_evaluations();
  const double began = now_seconds();
  Loader& loader = *loaders_.at("train");
  start_reading();  // training starts it again at the same place
  Batch* const read = loader.next();
  if (read == nullptr) return;  // a whole epoch is done: training begins with the next one
  const double data_seconds = now_seconds() - began;

  reset_peak_memory_stats(device_);
  const std::int64_t before = memory_stats(device_).now;
  const auto available = static_cast<double>(available_memory(device_));
  double gradients = 0;  // which the first step will ask for, beside what this one does
  {
    Batch first = piece_of(*read, 0, piece_size(read->size));
    Batch& batch = on_device_.put(first, device_, weights_dtype_);
    const BufferGuard buffers(task_->module());
    const LogScope silent;
    const RandomScope random(static_cast<std::uint64_t>(config_.run.seed),
                             static_cast<std::uint32_t>(state_.attempted), 0, 0, batch.size,
                             batch.size);
    const std::optional<StepResult> result = [&] {
      const Autocast lower(lowered_);
      return task_->step(batch, state_);
    }();
    std::vector<Tensor> losses, inputs;
    for (const Metric& n : result ? result->losses : PooledVector<Metric>())
      if (n.value.requires_grad()) losses.push_back(sum(n.value));
    for (const Parameter& p : task_->module().named_parameters())
      if (p.requires_grad()) inputs.push_back(p);
    for (const Tensor& p : inputs)
      gradients += static_cast<double>(p.numel()) * static_cast<double>(size_of(p.dtype()));
    check(!result || !losses.empty(), ErrorKind::argument,
          "preflight: no loss of the task depends on a parameter");
    if (!losses.empty()) grad(losses, inputs);
    synchronize(device_);
  }
  const double needed = gradients + static_cast<double>(memory_stats(device_).peak - before);
  log_message({"preflight: the first batch after ", fmt::format("{:.2f}", data_seconds),
               " s, forward and backward in ",
               fmt::format("{:.2f}", now_seconds() - began - data_seconds), " s, ",
               fmt::format("{:.1f}", needed / 1e6), " MB more than before",
               available > 0 ? fmt::format(" of {:.0f} MB that are free", available / 1e6) : ""});
  check(available == 0 || needed < available, ErrorKind::memory, "preflight: a step needs ",
        needed / 1e6, " MB, ", available / 1e6, " MB are free; a larger ",
        "trainer.split_batches gives the same gradients");
}

}  // namespace gradus::trainer
