// gradus predict: what a trained model says about new samples.
#include <fmt/format.h>

#include <algorithm>

#include "gradus/tensor/safetensors.h"
#include "gradus/trainer/cli/output.h"
#include "gradus/trainer/cli/session.h"
#include "gradus/trainer/cli/warm_start.h"
#include "gradus/trainer/data/loader.h"
#include "gradus/trainer/data/readers.h"
#include "gradus/trainer/log/json_line.h"
#include "gradus/trainer/run/files.h"
#include "gradus/trainer/trainer.h"

namespace gradus::cli {
namespace {

/// All outputs in the order of the samples.
struct Predictions {
  std::vector<float> values;  // row-major
  Shape row;                  // shape of one output
  std::int64_t count = 0;
};

Predictions predict_all(trainer::Trainer& trainer, trainer::DatasetPointer inputs,
                        std::int64_t batch_size) {
  Predictions out;
  trainer::Loader loader(std::move(inputs), {.batch_size = batch_size});
  loader.start(0);
  while (trainer::Batch* batch = loader.next()) {
    const Tensor y = trainer.predict(*batch).to(Dtype::f32);  // (N, ...)
    const std::vector<float> some = y.to_vector<float>();
    out.values.insert(out.values.end(), some.begin(), some.end());
    out.row = y.shape();
    out.row.erase(0);
    out.count += batch->size;
  }
  return out;
}

/// A line a sample; for one list of numbers a sample also which is the largest.
std::string as_csv(const Predictions& p) {
  const std::int64_t width = p.row.numel();
  const bool choice = p.row.size() == 1 && width > 1;
  std::string text = choice ? "argmax," : "";
  for (std::int64_t k = 0; k < width; ++k) text += fmt::format("{}y{}", k ? "," : "", k);
  text += "\n";
  for (std::int64_t i = 0; i < p.count; ++i) {
    const float* row = p.values.data() + i * width;
    if (choice) text += fmt::format("{},", std::max_element(row, row + width) - row);
    for (std::int64_t k = 0; k < width; ++k) text += fmt::format("{}{}", k ? "," : "", row[k]);
    text += "\n";
  }
  return text;
}

std::string as_safetensors(const Predictions& p) {
  Shape shape = p.row;
  shape.insert(0, p.count);
  std::vector<std::byte> bytes;
  save_safetensors(bytes, {{"predictions", from_data(p.values.data(), shape)}});
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

/// What the task writes after the text of a file.
std::string continued(trainer::Trainer& trainer, const std::filesystem::path& input) {
  std::string prompt = trainer::read_file(trainer::Files::system(), input, std::size_t{1} << 24);
  if (!prompt.empty() && prompt.back() == '\n') prompt.pop_back();  // an editor's, not the text's
  return trainer.write(prompt) + "\n";
}

}  // namespace

int predict(const Arguments& arguments, const Tasks& tasks) {
  namespace fs = std::filesystem;
  const fs::path& output = arguments.output;
  const bool tensors = output.extension() == ".safetensors";
  const bool known = tensors || output.extension() == ".csv" || output.extension() == ".txt";
  check(output.empty() || known, ErrorKind::argument, "-o ", output.string(),
        ": expected a name that ends in .csv or .safetensors, or in .txt for a text");
  if (!output.empty()) {
    check_output(output);
    check_not_input(output, arguments.input);
  }
  OpenedCheckpoint opened = open_checkpoint(arguments.path, settings_of(arguments));
  Session session = open_session(std::move(opened.config), tasks);
  const bool text_out = session.task->writes_text();
  check(output.empty() || text_out == (output.extension() == ".txt"), ErrorKind::argument, "-o ",
        output.string(), ": expected a name that ends in ",
        text_out ? ".txt: the task writes text" : ".csv or .safetensors");
  if (!output.empty())
    for (const auto& [name, data] : session.config.data) check_not_input(output, data.path);
  trainer::Trainer trainer(session.config, session.task, session.data);
  restore_frozen(trainer);
  trainer.load_weights(opened.path, session.config.trainer.evaluate_average);
  const std::string like = session.data.count("train") ? "train" : session.data.begin()->first;
  const Shape sample = session.data.at(like)->fields().at(0).shape;
  std::string text;
  if (text_out) {
    text = continued(trainer, arguments.input);
  } else {
    const auto inputs = trainer::open_inputs(session.config, like, arguments.input, sample);
    const std::int64_t batch_size = session.config.data.at(like).batch_size;
    const Predictions predictions = predict_all(trainer, inputs, batch_size);
    text = tensors ? as_safetensors(predictions) : as_csv(predictions);
  }
  if (output.empty())
    print(text);
  else
    write_durably(trainer::Files::system(), fs::weakly_canonical(output), text);  // follows links
  return 0;
}

}  // namespace gradus::cli
