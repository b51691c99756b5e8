#include "gradus/trainer/step_graph.h"

namespace gradus::trainer {

/// The entry of this kind, made if there is room; else null.
StepGraphs::Entry* StepGraphs::find(const MicroStepKind& kind) {
  for (Entry& e : entries_) {
    if (e.kind == kind) return &e;
  }
  if (entries_.size() == most) return nullptr;
  entries_.push_back({kind, 0, {}, 0, {}});
  return &entries_.back();
}

std::optional<double> StepGraphs::run(const MicroStepKind& kind, std::uint32_t step,
                                      const std::function<std::optional<double>()>& work) {
  Entry* entry = find(kind);
  if (entry == nullptr) return work();
  for (const auto& [leaf, gradient] : entry->written) {
    if (leaf->gradient.raw() != gradient.raw()) entry->graph = Capture();  // it writes elsewhere
  }
  if (entry->seen < 2) {
    const std::optional<double> weight = work();
    entry->seen += weight.value_or(0) != 0;
    return weight;
  }
  if (!entry->graph.recorded()) {
    entry->written.clear();
    entry->graph.record(device_, [&] { entry->weight = work(); });
    if (entry->weight.value_or(0) == 0) {
      entry->graph = Capture();
      return entry->weight;
    }
    for (const Parameter& p : parameters_) {
      Leaf* leaf = leaf_of(p);
      if (leaf != nullptr && leaf->written) entry->written.emplace_back(leaf, leaf->gradient);
    }
  }
  entry->graph.replay(step);
  for (const auto& [leaf, gradient] : entry->written) leaf->written = true;
  return entry->weight;
}

}  // namespace gradus::trainer
