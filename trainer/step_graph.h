// trainer.cuda_graph: micro-steps captured as CUDA graphs. A micro-step of a kind that was seen
// before is recorded, and given to the device as a whole from then on: the same bits, without the
// host's time for each kernel. The update is three launches as it is, and stays outside.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "gradus/autograd/node.h"
#include "gradus/autograd/parameter.h"
#include "gradus/tensor/capture.h"
#include "gradus/trainer/data/batch.h"

namespace gradus::trainer {

/// What makes two micro-steps the same work: the batch's tensors and where they lie, the place in
/// the window (the first one writes gradients, later ones add to them), and Task::variant().
struct MicroStepKind {
  struct Field {
    const void* data;
    Shape shape;
    Dtype dtype;
    bool operator==(const Field&) const = default;
  };
  std::vector<Field> fields;
  std::int64_t first_row = 0;
  int variant = 0;
  const void* metrics = nullptr;  // where sums are kept,
  const void* judged = nullptr;   // and those of training that judges itself
  bool operator==(const MicroStepKind&) const = default;
};

class StepGraphs {
 public:
  StepGraphs(Device device, std::vector<Parameter> parameters)
      : device_(device), parameters_(std::move(parameters)) {}

  /// Does the work of a micro-step: eagerly the first two times (what it makes once must exist),
  /// then by recording it, and then by its graph alone. Returns what `work` does: what the batch
  /// counts for; where that is nothing, nothing was recorded.
  std::optional<double> run(const MicroStepKind& kind, std::uint32_t step,
                            const std::function<std::optional<double>()>& work);

 private:
  struct Entry {
    MicroStepKind kind;
    int seen = 0;
    Capture graph;
    std::optional<double> weight = {};
    std::vector<std::pair<Leaf*, Tensor>> written;  // leaves with a gradient after it, and where
  };
  static constexpr std::size_t most = 32;  // kinds; more would only be memory
  Entry* find(const MicroStepKind& kind);

  Device device_;
  std::vector<Parameter> parameters_;
  std::vector<Entry> entries_;
};

}  // namespace gradus::trainer
