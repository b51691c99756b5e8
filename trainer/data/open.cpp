// The data sets of a configuration: opened, split, transformed.
#include <filesystem>

#include "gradus/kernels/create.h"
#include "gradus/tensor/views.h"
#include "gradus/trainer/config/key.h"
#include "gradus/trainer/data/color.h"
#include "gradus/trainer/data/readers.h"
#include "gradus/trainer/data/transforms.h"

namespace gradus::trainer {
namespace fs = std::filesystem;
namespace {

/// A data set with nothing to read is most often a mistyped name: --set data.trian.batch_size=8.
[[noreturn]] void fail_without_path(const Config& config, const std::string& name) {
  std::vector<std::string> others;
  for (const auto& [other, c] : config.data)
    if (!c.path.empty() || !c.from.empty()) others.push_back(other);
  const std::string near = nearest(name, others);
  config.fail("data." + name, "needs path (a file) or from (another dataset)" +
                                  (near.empty() ? "" : "; did you mean \"data." + near + "\"?"));
}

/// The same samples with "x" handed out as (x - mean) / std, where that costs nothing; else null.
DatasetPointer normalized(const DatasetPointer& data, double mean, double std) {
  if (const auto* all = dynamic_cast<const TensorDataset*>(data.get()))
    return all->normalized(mean, std);
  const auto* part = dynamic_cast<const Subset*>(data.get());
  const DatasetPointer base = part != nullptr ? normalized(part->base(), mean, std) : nullptr;
  return base != nullptr ? std::make_shared<Subset>(base, part->indices()) : nullptr;
}

DatasetPointer transformed(const Config& config, const std::string& key, DatasetPointer data,
                           const std::vector<Value>& list, std::int64_t views, bool random) {
  std::vector<Field> fields = data->fields();
  if (list.empty() && views == 1) return data;
  if (fields.empty() || fields[0].name != "x" || fields[0].dtype != Dtype::f32)
    config.fail(key + ".transforms", "transforms and views need samples of numbers \"x\"");
  Transforms t = read_transforms(config, key, list, fields[0].shape, random);
  // A normalisation that comes first, with one mean and std, is done where numbers are converted.
  while (!t.list.empty()) {
    const auto* n = dynamic_cast<const Normalize*>(t.list.front().get());
    if (n == nullptr || n->mean.size() != 1 || n->std.size() != 1) break;
    const DatasetPointer next = normalized(data, n->mean[0], n->std[0]);
    if (next == nullptr) break;
    data = next;
    t.list.erase(t.list.begin());
  }
  if (t.empty() && views == 1) return data;
  if (t.mixing.kind != Mixing::Kind::none && data->classes() < 2)
    config.fail(key + ".transforms", "mixup and cutmix need classes to mix");
  return std::make_shared<TransformedDataset>(std::move(data), std::move(t), views,
                                              static_cast<std::uint64_t>(config.run.seed));
}

/// (N, ...) of any form with as many numbers a sample as `sample` has, seen as (N, sample ...).
Tensor as_samples(const std::string& path, const Tensor& data, const Shape& sample) {
  Shape all = sample;
  all.insert(0, data.size(0));
  check(data.numel() == all.numel(), ErrorKind::argument, path, ": samples of shape ", data.shape(),
        " do not fit a model of ", sample);
  return as_contiguous(data).reshape(all);
}

/// The numbers of a file of inputs (N, ...), as data.<like> would hold them.
Tensor read_inputs(DataConfig c, const std::string& file, const Shape& sample) {
  c.path = file;
  c.format.clear();  // by the new file's own name
  const std::string format = format_of(c), ending = fs::path(file).extension().string();
  if (format == "csv") {
    const Tensor table = read_csv(file);
    if (table.size(1) != sample.numel() + 1) return table;
    return as_contiguous(views::slice(table, 1, 0, sample.numel(), 1));
  }
  if (format == "idx") {
    const Tensor images = read_idx(file);
    if (images.dim() != 3) return images;
    return images.reshape({images.size(0), 1, images.size(1), images.size(2)});
  }
  if (format == "npy") return read_npy(file);
  if (ending == ".png" || ending == ".jpg" || ending == ".jpeg")
    return read_image(file, sample.size() == 3 && sample[0] == 1 ? 1 : 3).unsqueeze(0);
  raise(ErrorKind::argument, {file, ": expected a .csv, .npy, .png, .jpg or an IDX file"});
}

}  // namespace

DatasetPointer open_inputs(const Config& config, const std::string& like, const std::string& file,
                           const Shape& sample) {
  DataConfig c = config.data.at(like);
  const std::string known = c.from.empty() ? like : c.from;
  if (!c.from.empty()) c = config.data.at(c.from);
  Tensor data = read_inputs(c, file, sample);
  check(data.dim() >= 1, ErrorKind::argument, file, ": expected samples (N, ...)");
  Shape one = data.shape();
  one.erase(0);
  if (one.numel() == sample.numel() || one.size() < 3) {  // images may have another size yet
    data = as_samples(file, data, sample);
    one = sample;
  }
  std::vector<TensorDataset::Column> columns(1);
  columns[0].field = {"x", one, Dtype::f32};
  columns[0].data = as_contiguous(data);
  columns[0].scale = data.dtype() == Dtype::u8 ? 1.0 / 255 : 1.0;
  const DatasetPointer out =
      transformed(config, "data." + known, std::make_shared<TensorDataset>(std::move(columns)),
                  c.transforms, 1, /*random=*/false);
  const Shape shape = out->fields()[0].shape;
  check(shape == sample, ErrorKind::argument, file, ": samples of shape ", shape,
        " do not fit a model of ", sample);
  return out;
}

std::map<std::string, DatasetPointer> open_datasets(const Config& config) {
  std::map<std::string, DatasetPointer> sets;
  std::string alphabet;  // of the text that is trained on: others are read with the same
  const auto open = [&](const std::string& name, const DataConfig& c) {
    if (c.path.empty()) fail_without_path(config, name);
    sets[name] = open_format(config, "data." + name, c, alphabet);
  };
  if (const auto train = config.data.find("train");
      train != config.data.end() && train->second.from.empty()) {
    open("train", train->second);
    alphabet = sets["train"]->alphabet();
  }
  for (const auto& [name, c] : config.data)
    if (!name.starts_with("_") && c.from.empty() && sets.count(name) == 0) open(name, c);

  // Splits: what is left stays under the old name, the part goes to the new one. A fraction is of
  // the whole, whatever other parts are taken from it.
  std::map<std::string, std::int64_t> whole;
  for (const auto& [name, set] : sets) whole[name] = set->size();
  for (const auto& [name, c] : config.data) {
    if (name.starts_with("_") || c.from.empty()) continue;
    const auto base = sets.find(c.from);
    if (base == sets.end()) {
      config.fail("data." + name + ".from",
                  "dataset \"" + c.from + "\" is not opened (its name begins with _)");
    }
    const std::int64_t n = base->second->size();
    const auto all = static_cast<double>(whole.at(c.from));
    const auto taken = static_cast<std::int64_t>(all * c.fraction + 0.5);
    if (taken < 1 || taken >= n) {
      const bool shared = n < whole.at(c.from);
      config.fail("data." + name + ".fraction", "takes " + std::to_string(taken) + " of the " +
                                                    std::to_string(n) + " samples " +
                                                    (shared ? "that others left of \"" : "of \"") +
                                                    c.from + "\"; both sides need at least one");
    }
    auto [rest, part] = split(base->second, taken, static_cast<std::uint64_t>(config.run.seed));
    base->second = rest;
    sets[name] = part;
  }

  for (auto& [name, set] : sets) {
    const DataConfig& c = config.data.at(name);
    // A part without transforms of its own is prepared as the whole, but never augmented.
    const bool inherits = !c.from.empty() && c.transforms.empty();
    const std::vector<Value>& list = inherits ? config.data.at(c.from).transforms : c.transforms;
    const std::string key = "data." + (inherits ? c.from : name);
    set = transformed(config, key, set, list, c.views, /*random=*/!inherits);
  }
  return sets;
}

}  // namespace gradus::trainer
