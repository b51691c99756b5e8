#include "gradus/trainer/tasks/rollout.h"

#include <algorithm>
#include <cmath>

#include "gradus/autograd/functions.h"
#include "gradus/autograd/node.h"
#include "gradus/kernels/create.h"
#include "gradus/tensor/random.h"
#include "gradus/trainer/data/keyed.h"
#include "gradus/trainer/scores.h"
#include "gradus/trainer/tasks/models.h"
#include "gradus/trainer/tasks/own_keys.h"

namespace gradus::trainer {
namespace {

constexpr std::uint32_t rollout_draw = 0x726f6c6cu;  // a sequence of its own: "roll"

/// Name of the k-th timestep's squared error among the records.
std::string error_name(std::int64_t k) { return "_squared_" + std::to_string(k); }

Tensor mean_a_sample(const Tensor& x) { return x.dim() > 1 ? mean(x.flatten(1, -1), Dims{1}) : x; }

}  // namespace

double annealed_probability(std::int64_t epoch, std::int64_t total, double least) {
  const double share = total > 0 ? static_cast<double>(epoch) / static_cast<double>(total) : 1;
  return std::clamp(1 - share * (1 - least), std::max(least, 0.01), 1.0);
}

Rollout::Rollout(std::shared_ptr<nn::Module> model, Options options)
    : model_(std::move(model)), options_(std::move(options)) {
  const std::int64_t most = options_.forecast_len;
  check(most >= 1, ErrorKind::argument, "rollout: forecast_len must be at least 1, got ", most);
  auto& steps = options_.backprop_on_timestep;
  std::sort(steps.begin(), steps.end());
  steps.erase(std::unique(steps.begin(), steps.end()), steps.end());
  for (const std::int64_t k : steps) {
    check(k >= 1 && k <= most, ErrorKind::argument, "rollout: backprop_on_timestep: ", k,
          " is not among the timesteps 1 ... ", most);
  }
  first_loss_ = steps.empty() ? 1 : steps.front();
  last_loss_ = steps.empty() ? most : steps.back();
}

bool Rollout::gives_loss(std::int64_t timestep) const {
  const auto& steps = options_.backprop_on_timestep;
  return steps.empty() || std::binary_search(steps.begin(), steps.end(), timestep);
}

std::int64_t Rollout::length(const State& state) const {
  if (!options_.probability) return last_loss_;
  const double p = options_.probability(state.epoch, options_.total_epochs);
  Keyed draw(options_.seed, 0, state.attempted, rollout_draw);
  std::int64_t timesteps = 1;
  while (timesteps < last_loss_ && !(draw.chance(p) && timesteps >= first_loss_)) ++timesteps;
  return timesteps;
}

Tensor Rollout::advance(const Tensor& x, const Tensor& y, std::int64_t timestep) const {
  return options_.next_input ? options_.next_input(x, y, timestep) : y.reshape(x.shape());
}

/// (N), means over a sample.
Tensor Rollout::error(const Tensor& y, const Tensor& target) const {
  const Tensor seen = y.reshape(target.shape());
  return mean_a_sample(options_.loss == Loss::mse   ? mse_loss(seen, target, Reduction::none)
                       : options_.loss == Loss::mae ? l1_loss(seen, target, Reduction::none)
                                                    : huber_loss(seen, target, Reduction::none));
}

std::optional<StepResult> Rollout::step(const Batch& batch, const State& state) {
  const Tensor& target = batch["y"];
  check(target.dim() >= 2 && target.size(1) >= options_.forecast_len, ErrorKind::shape,
        "rollout: expected targets (N, T, ...) of at least ", options_.forecast_len,
        " timesteps, got ", target.shape());
  const std::int64_t timesteps = length(state);
  Tensor x = batch["x"], sum;
  std::int64_t losses = 0;
  for (std::int64_t k = 1; k <= timesteps; ++k) {
    Tensor y;
    if (gives_loss(k)) {
      y = (*model_)(x);
      const Tensor each = error(y, target.select(1, k - 1));
      sum = ++losses == 1 ? each : sum + each;
    } else {
      const NoGrad no_grad;
      y = (*model_)(x);
    }
    if (k < timesteps) x = advance(x, y, k);
  }
  StepResult result;
  result.losses.push_back({"loss", losses == 1 ? sum : sum / static_cast<double>(losses)});
  if (options_.probability) {
    const NoGrad no_grad;
    result.records.push_back(
        {"rollout_len", full({}, static_cast<double>(timesteps), {Dtype::f32, x.device()})});
  }
  return result;
}

Tensor Rollout::predict(const Batch& batch) {
  Tensor x = batch["x"];
  std::vector<Tensor> all;
  for (std::int64_t k = 1; k <= options_.forecast_len; ++k) {
    const Tensor y = (*model_)(x);
    if (k < options_.forecast_len) x = advance(x, y, k);
    all.push_back(options_.next_input ? y : y.reshape(batch["x"].shape()));
  }
  return stack(all, 1);
}

StepResult Rollout::evaluate(const Batch& batch, std::string_view) {
  const Tensor target = batch["y"].narrow(1, 0, options_.forecast_len);
  const Tensor y = predict(batch).reshape(target.shape());
  StepResult result;
  Tensor sum;
  for (std::int64_t k = 1; k <= options_.forecast_len; ++k) {
    const Tensor one = y.select(1, k - 1), wanted = target.select(1, k - 1);
    if (gives_loss(k)) sum = sum ? sum + error(one, wanted) : error(one, wanted);
    result.records.push_back(
        {error_name(k), mean_a_sample(mse_loss(one, wanted, Reduction::none))});
  }
  const auto losses = options_.backprop_on_timestep.empty()
                          ? static_cast<double>(options_.forecast_len)
                          : static_cast<double>(options_.backprop_on_timestep.size());
  result.losses.push_back({"loss", sum / losses});
  add_records(result.records, error_sums(y, target, {}));
  return result;
}

void Rollout::summarize(std::string_view dataset, Values& means) const {
  summarize_errors(dataset, means);
  const std::string group = std::string(dataset) + "/";
  for (auto& [name, value] : means) {
    for (std::int64_t k = 1; k <= options_.forecast_len; ++k) {
      if (name != group + error_name(k)) continue;
      name = group + "rmse_" + std::to_string(k);
      value = std::sqrt(value);
    }
  }
}

std::shared_ptr<Task> make_rollout(Config& config,
                                   const std::map<std::string, DatasetPointer>& data) {
  RolloutKeys given;
  resolve(config.task.options, keys(given), "task", config.folder);
  const std::string& loss = given.loss;
  Rollout::Options& options = given.options;
  if (data.empty()) config.fail("data", "there is no data set");
  const auto train = data.find("train");
  const Dataset& first = train != data.end() ? *train->second : *data.begin()->second;
  const Field *x = nullptr, *y = nullptr;
  const std::vector<Field> fields = first.fields();
  for (const Field& f : fields) {
    if (f.name == "x") x = &f;
    if (f.name == "y") y = &f;
  }
  Shape one = y != nullptr ? y->shape : Shape{};
  if (one.size() > 0) one.erase(0);
  if (x == nullptr || y == nullptr || y->dtype != Dtype::f32 || one.numel() != x->shape.numel() ||
      y->shape.size() == 0) {
    config.fail(
        "task.type",
        "rollout needs data with states \"x\" (...) and the states \"y\" (T, ...) that "
        "follow each; got " +
            (y != nullptr && x != nullptr ? to_string(x->shape) + " and " + to_string(y->shape)
                                          : std::string("other fields")));
  }
  if (options.forecast_len == 0) options.forecast_len = y->shape[0];
  if (options.forecast_len > y->shape[0]) {
    config.fail("task.forecast_len", std::to_string(options.forecast_len) + ", the targets have " +
                                         std::to_string(y->shape[0]) + " timesteps");
  }
  for (const std::int64_t k : options.backprop_on_timestep) {
    if (k > options.forecast_len)
      config.fail("task.backprop_on_timestep",
                  "timestep " + std::to_string(k) + " of " + std::to_string(options.forecast_len));
  }
  if (given.rollout == "annealed") {
    if (config.trainer.max_epochs == 0 && config.data.count("train"))
      config.fail("task.rollout", "annealed needs trainer.max_epochs: over how many epochs");
    options.probability = [least = given.least](std::int64_t epoch, std::int64_t total) {
      return annealed_probability(epoch, total, least);
    };
  }
  options.total_epochs = config.trainer.max_epochs;
  options.seed = static_cast<std::uint64_t>(config.run.seed);
  options.loss = loss == "mse"   ? Rollout::Loss::mse
                 : loss == "mae" ? Rollout::Loss::mae
                                 : Rollout::Loss::huber;
  const RandomScope init(options.seed, 0);
  const bool image = config.model.type == "unet";
  auto model = build_model(config, {x->shape}, image ? x->shape[0] : x->shape.numel());
  return std::make_shared<Rollout>(std::move(model), std::move(options));
}

}  // namespace gradus::trainer
