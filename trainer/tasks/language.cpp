#include "gradus/trainer/tasks/language.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "gradus/autograd/functions.h"
#include "gradus/kernels/create.h"
#include "gradus/tensor/random.h"
#include "gradus/trainer/tasks/models.h"
#include "gradus/trainer/tasks/own_keys.h"

namespace gradus::trainer {
namespace {

/// A number in [0, 1) for the n-th token that is drawn.
double uniform(std::uint64_t seed, std::uint32_t n) {
  const Draw draw{seed, n, 0, Stream::host, 0};
  const Counter counter = counter_of(draw, 0);
  std::uint32_t words[4][1] = {
      {counter.word[0]}, {counter.word[1]}, {counter.word[2]}, {counter.word[3]}};
  philox::rounds(words, seed);
  return static_cast<double>(words[0][0]) / 4294967296.0;
}

/// A token by softmax(scores / temperature) among the top_k likeliest.
std::int64_t draw(const std::vector<float>& scores, const Language::Options& o, std::uint32_t n) {
  std::vector<std::size_t> order(scores.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return scores[a] > scores[b]; });
  if (o.temperature == 0) return static_cast<std::int64_t>(order[0]);
  if (o.top_k > 0) order.resize(std::min(order.size(), static_cast<std::size_t>(o.top_k)));
  std::vector<double> weights;
  for (const std::size_t token : order)
    weights.push_back(std::exp((scores[token] - scores[order[0]]) / o.temperature));
  double left = uniform(o.seed, n) * std::accumulate(weights.begin(), weights.end(), 0.0);
  for (std::size_t i = 0; i + 1 < order.size(); ++i) {
    left -= weights[i];
    if (left < 0) return static_cast<std::int64_t>(order[i]);
  }
  return static_cast<std::int64_t>(order.back());
}

}  // namespace

std::optional<StepResult> Language::step(const Batch& batch, const State&) {
  const Tensor& target = batch["y"];            // (N, T)
  const Tensor logits = (*model_)(batch["x"]);  // (N, T, V)
  const Tensor each =
      cross_entropy(logits.flatten(0, 1), target.flatten(0, 1), {}, -100, Reduction::none);
  StepResult result;
  result.losses.push_back({"loss", mean(each.reshape(target.shape()), Dims{1})});
  result.weight = static_cast<double>(target.numel());
  return result;
}

void Language::summarize(std::string_view dataset, Values& means) const {
  const std::string group(dataset);
  if (const double* loss = find(means, group + "/loss"))
    means.emplace_back(group + "/perplexity", std::exp(*loss));
}

Tensor Language::predict(const Batch& batch) {
  return softmax((*model_)(batch["x"]).select(1, -1), 1);
}

std::string Language::write(const std::string& prompt) {
  check(!prompt.empty(), ErrorKind::argument, "predict: the text to go on with is empty");
  const Tensor start = alphabet_.encode(prompt, "the text to go on with");
  std::vector<std::int64_t> tokens = start.to_vector<std::int64_t>();
  const Device device = model_->parameters().at(0).device();
  std::string text = prompt;
  for (std::int64_t n = 0; n < options_.sample; ++n) {
    const auto seen = std::min<std::size_t>(tokens.size(), std::size_t(options_.context));
    const Tensor x = from_data(tokens.data() + tokens.size() - seen,
                               {1, static_cast<std::int64_t>(seen)}, {Dtype::i64});
    const Tensor scores = (*model_)(x.to(device)).select(1, -1).select(0, 0);  // (V)
    tokens.push_back(draw(scores.to_vector<float>(), options_, static_cast<std::uint32_t>(n)));
    text.push_back(alphabet_.decode(tokens.back()));
  }
  return text;
}

std::shared_ptr<Task> make_language(Config& config,
                                    const std::map<std::string, DatasetPointer>& data) {
  Language::Options options;
  options.seed = static_cast<std::uint64_t>(config.run.seed);
  resolve(config.task.options, keys(options), "task", config.folder);
  if (data.empty()) config.fail("data", "there is no data set");
  const auto train = data.find("train");
  const Dataset& first = train != data.end() ? *train->second : *data.begin()->second;
  const std::vector<Field> fields = first.fields();
  const std::int64_t vocabulary = first.classes();
  if (fields.size() != 2 || fields[0].dtype != Dtype::i64 || fields[0].shape.size() != 1 ||
      fields[1].shape != fields[0].shape || vocabulary < 2)
    config.fail("task.type", "language needs tokens: data of format text or tokens");
  for (const auto& [name, set] : data) {
    if (set->classes() > vocabulary || set->fields()[0].shape != fields[0].shape)
      config.fail("data." + name, "its tokens or their length are not those of data.train");
  }
  options.context = fields[0].shape[0];
  const RandomScope init(static_cast<std::uint64_t>(config.run.seed), 0);
  auto model = build_model(config, {fields[0].shape, vocabulary}, vocabulary);
  return std::make_shared<Language>(std::move(model), Alphabet(first.alphabet()), options);
}

}  // namespace gradus::trainer
