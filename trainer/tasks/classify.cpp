#include "gradus/trainer/tasks/classify.h"

#include "gradus/autograd/functions.h"
#include "gradus/autograd/node.h"
#include "gradus/tensor/random.h"
#include "gradus/trainer/logging.h"
#include "gradus/trainer/scores.h"
#include "gradus/trainer/tasks/models.h"
#include "gradus/trainer/tasks/own_keys.h"

namespace gradus::trainer {

/// The first samples as the model sees them, for the eye: are they the right way up, augmented as
/// meant, normalised? Their own range is stretched to black and white.
static void show_inputs(const Tensor& x) {
  const bool picture = x.dim() == 4 && (x.size(1) == 1 || x.size(1) == 3);
  if (!picture || !is_floating(x.dtype())) return;
  log_entry("inputs", Entry::image, [&] {
    const NoGrad guard;
    const Tensor some = x.slice(0, 0, std::min<std::int64_t>(16, x.size(0)));
    const Tensor low = amin(some), range = amax(some) - low;
    return picture_of((some - low) / clamp(range, 1e-12));
  });
}

StepResult Classify::losses(const Batch& batch, double label_smoothing, Tensor* used) {
  const Tensor& target = batch["y"];
  show_inputs(batch["x"]);
  const Tensor logits = (*model_)(batch["x"]);  // (N, C)
  StepResult result;
  result.losses.push_back(
      {"loss", cross_entropy(logits, target, {}, -100, Reduction::none, label_smoothing)});
  const NoGrad guard;
  if (used != nullptr) *used = logits.detach();
  // Mixed samples have shares of classes (N, C): right is the one with the largest.
  const Tensor right = target.dim() == 2 ? argmax(target, 1) : target;
  result.records.push_back({"accuracy", eq(argmax(logits.detach(), 1), right)});
  for (const std::int64_t k : options_.top_k)
    result.records.push_back(
        {"top" + std::to_string(k) + "_accuracy", is_in_top(logits.detach(), right, k)});
  return result;
}

std::optional<StepResult> Classify::step(const Batch& batch, const State&) {
  return losses(batch, options_.label_smoothing);
}

StepResult Classify::evaluate(const Batch& batch, std::string_view) {
  Tensor logits;
  StepResult result = losses(batch, 0, &logits);
  if (!options_.confusion) return result;
  const Tensor& y = batch["y"];
  const Tensor right = y.dim() == 2 ? argmax(y, 1) : y;
  const Tensor counts = confusion(argmax(logits, 1), right, logits.size(1));
  counts_ = counts_ && batch.first_row > 0 ? counts_ + counts : counts;
  return result;
}

void Classify::summarize(std::string_view dataset, Values&) const {
  if (!counts_ || dataset == "train") return;
  log_entry("confusion", Entry::table, [&] { return confusion_table(counts_); });
}

Tensor Classify::predict(const Batch& batch) { return softmax((*model_)(batch["x"]), 1); }

std::shared_ptr<Task> make_classify(Config& config,
                                    const std::map<std::string, DatasetPointer>& data) {
  Classify::Options options;
  resolve(config.task.options, keys(options), "task", config.folder);
  const Dataset* first = nullptr;
  std::int64_t classes = 0;
  for (const auto& [name, set] : data) {
    if (first == nullptr || name == "train") first = set.get();
    classes = std::max(classes, set->classes());
  }
  if (first == nullptr) config.fail("data", "there is no data set");
  if (const auto train = data.find("train"); train != data.end()) {
    classes = train->second->classes();
    for (const auto& [name, set] : data) {
      if (set->classes() > classes) {
        config.fail("data." + name, "has " + std::to_string(set->classes()) +
                                        " classes, data.train has " + std::to_string(classes));
      }
    }
  }
  const std::vector<Field> fields = first->fields();
  if (fields.size() != 2 || fields[0].name != "x" || fields[1].name != "y" || classes < 2) {
    config.fail("task.type",
                "classify needs data with inputs \"x\" and at least two classes \"y\"");
  }
  const RandomScope init(static_cast<std::uint64_t>(config.run.seed), 0);
  return std::make_shared<Classify>(build_model(config, {fields[0].shape}, classes), options);
}

}  // namespace gradus::trainer
