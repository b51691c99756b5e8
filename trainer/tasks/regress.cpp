#include "gradus/trainer/tasks/regress.h"

#include <cmath>

#include "gradus/autograd/functions.h"
#include "gradus/autograd/node.h"
#include "gradus/kernels/create.h"
#include "gradus/tensor/random.h"
#include "gradus/trainer/scores.h"
#include "gradus/trainer/tasks/models.h"
#include "gradus/trainer/tasks/own_keys.h"

namespace gradus::trainer {
namespace {

/// The mean of field "y" over at most 10,000 samples, evenly spread: (...).
Tensor mean_target(const Dataset& data, const Shape& shape) {
  const std::int64_t n = std::min<std::int64_t>(data.size(), 10'000);
  const std::vector<Field> fields = data.fields();
  std::size_t y = 0;
  while (fields[y].name != "y") ++y;
  const Tensor sum = zeros(shape, {Dtype::f64});
  double* to = sum.data<double>();
  for (std::int64_t i = 0; i < n; ++i) {
    const Tensor one = as_contiguous(data.get(i * data.size() / n)[y]);
    for (std::int64_t k = 0; k < sum.numel(); ++k) to[k] += double{one.data<float>()[k]};
  }
  for (std::int64_t k = 0; k < sum.numel(); ++k) to[k] /= static_cast<double>(n);
  return as_dtype(sum, Dtype::f32);
}

}  // namespace

/// (N, ...) of the target's shape, or (N, members, ...).
Tensor Regress::forward(const Tensor& x, const Shape& target) {
  const std::int64_t members = options_.members;
  if (members == 1) return (*model_)(x).reshape(target);
  Shape shape = target;
  shape.insert(1, members);
  return (*model_)(repeat_interleave(x, members, 0)).reshape(shape);
}

StepResult Regress::losses(const Batch& batch, Tensor& y) {
  const Tensor& target = batch["y"];
  y = forward(batch["x"], target.shape());
  Tensor each;
  if (options_.loss == Loss::crps)
    each = crps(y, target, options_.fair);
  else if (options_.loss == Loss::mse)
    each = mse_loss(y, target, Reduction::none);
  else if (options_.loss == Loss::mae)
    each = l1_loss(y, target, Reduction::none);
  else
    each = huber_loss(y, target, Reduction::none);
  if (each.dim() > 1) each = mean(each.flatten(1, -1), Dims{1});
  StepResult result;
  result.losses.push_back({"loss", each});
  if (options_.members > 1) {
    const NoGrad no_grad;
    result.records.push_back({"_variance", ensemble_variance(y.detach())});
    y = mean(y.detach(), Dims{1});
  }
  return result;
}

std::optional<StepResult> Regress::step(const Batch& batch, const State&) {
  Tensor y;
  return losses(batch, y);
}

StepResult Regress::evaluate(const Batch& batch, std::string_view) {
  Tensor y;
  StepResult result = losses(batch, y);
  if (climate_ && climate_.device() != y.device()) climate_ = climate_.to(y.device());
  add_records(result.records, error_sums(y, batch["y"], climate_));
  return result;
}

Tensor Regress::predict(const Batch& batch) {
  if (options_.members == 1) return (*model_)(batch["x"]);
  const Tensor y = (*model_)(repeat_interleave(batch["x"], options_.members, 0));
  return y.unflatten(0, {batch["x"].size(0), options_.members});
}

void Regress::summarize(std::string_view dataset, Values& means) const {
  summarize_errors(dataset, means);
  const std::string group(dataset);
  for (auto& [name, value] : means) {
    if (name != group + "/_variance") continue;
    name = group + "/std";
    value = std::sqrt(value);
  }
}

std::shared_ptr<Task> make_regress(Config& config,
                                   const std::map<std::string, DatasetPointer>& data) {
  RegressKeys given;
  resolve(config.task.options, keys(given), "task", config.folder);
  const std::string& loss = given.loss;
  Regress::Options& options = given.options;
  if ((loss == "crps") != (options.members > 1)) {
    config.fail(
        "task.ensemble_size",
        "an ensemble is trained by loss = \"crps\", and crps needs one: ensemble_size of at "
        "least 2");
  }
  if (data.empty()) config.fail("data", "there is no data set");
  const auto train = data.find("train");
  const Dataset& first = train != data.end() ? *train->second : *data.begin()->second;
  const Field *x = nullptr, *y = nullptr;
  const std::vector<Field> fields = first.fields();
  for (const Field& f : fields) {
    if (f.name == "x") x = &f;
    if (f.name == "y") y = &f;
  }
  if (x == nullptr || y == nullptr || y->dtype != Dtype::f32)
    config.fail("task.type", "regress needs data with inputs \"x\" and targets \"y\" of numbers");
  // Of an image model the outputs are channels, of any other numbers.
  const bool image = config.model.type == "unet";
  if (image && y->shape.size() != 3)
    config.fail("model.type",
                "unet gives images (C, H, W), the targets are " + to_string(y->shape));
  const RandomScope init(static_cast<std::uint64_t>(config.run.seed), 0);
  auto model = build_model(config, {x->shape}, image ? y->shape[0] : y->shape.numel());
  options.loss = loss == "mse"     ? Regress::Loss::mse
                 : loss == "mae"   ? Regress::Loss::mae
                 : loss == "huber" ? Regress::Loss::huber
                                   : Regress::Loss::crps;
  return std::make_shared<Regress>(std::move(model), options, mean_target(first, y->shape));
}

}  // namespace gradus::trainer
