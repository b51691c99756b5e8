// The data sets of a configuration.
#include <cmath>

#include "gradus/kernels/create.h"
#include "gradus/tensor/views.h"
#include "gradus/trainer/config/key.h"
#include "gradus/trainer/data/readers.h"

namespace gradus::trainer {
namespace fs = std::filesystem;
namespace {

struct Scaling {
  double scale = 1, shift = 0;
};

/// `{type = "normalize", mean, std}` as value * scale + shift; transforms that change pixels only
/// linearly are folded together and cost nothing a sample.
Scaling fold(const Config& config, const std::string& key, const std::vector<Value>& transforms,
             double first) {
  Scaling s{first, 0};
  for (std::size_t i = 0; i < transforms.size(); ++i) {
    struct {
      std::string type;
      double mean = 0, std = 1;
    } t;
    Value options = transforms[i];
    const std::string at = key + ".transforms";
    resolve(options,
            {Key("type", &t.type, "The transform."), Key("mean", &t.mean, "Subtracted first."),
             Key("std", &t.std, "Divided by after that.")},
            at, config.folder);
    if (t.type != "normalize")
      config.fail(at, "unknown transform \"" + t.type + "\"; there is: normalize");
    if (!(t.std > 0)) config.fail(at, "normalize: std must be positive");
    s = {s.scale / t.std, (s.shift - t.mean) / t.std};
  }
  return s;
}

/// How many classes the labels (N) i64 name: indices from 0.
std::int64_t count_classes(const Tensor& labels) {
  std::int64_t largest = -1;
  for (std::int64_t i = 0; i < labels.numel(); ++i)
    largest = std::max(largest, labels.data<std::int64_t>()[i]);
  return largest + 1;
}

/// One column of a table (N) f32 as class indices (N) i64.
Tensor class_indices(const fs::path& path, const Tensor& column) {
  for (std::int64_t i = 0; i < column.numel(); ++i) {
    const float v = column.data<float>()[i];
    check(v >= 0 && v < 1e6f && v == std::floor(v), ErrorKind::corrupt, path.native(), ": row ",
          i + 1, ": the last column is ", double{v}, ", expected a class: 0, 1, 2 ...");
  }
  return as_dtype(column, Dtype::i64);
}

DatasetPointer open_idx(const Config& config, const std::string& key, const DataConfig& c) {
  if (c.labels.empty())
    config.fail(key, "format \"idx\" needs labels: the file with the class of each image");
  Tensor images = read_idx(c.path);
  const Tensor raw = read_idx(c.labels);
  check(raw.dim() == 1 && raw.size(0) == images.size(0), ErrorKind::corrupt, c.labels.native(),
        ": labels of shape ", raw.shape(), " do not fit images of shape ", images.shape(), " in ",
        c.path.native());
  check(images.numel() > 0, ErrorKind::corrupt, c.path.native(), ": no samples: images of shape ",
        images.shape());
  if (images.dim() == 3)  // one channel: (N, H, W) -> (N, 1, H, W)
    images = images.reshape({images.size(0), 1, images.size(1), images.size(2)});
  else if (images.dim() == 1)  // one number a sample
    images = images.reshape({images.size(0), 1});
  const Tensor labels = as_dtype(raw, Dtype::i64);
  const Scaling s = fold(config, key, c.transforms, 1.0 / 255);
  Shape shape = images.shape();
  shape.erase(0);
  return std::make_shared<TensorDataset>(
      std::vector<TensorDataset::Column>{{{"x", shape, Dtype::f32}, images, s.scale, s.shift},
                                         {{"y", {}, Dtype::i64}, labels}},
      count_classes(labels));
}

std::string dims(const std::vector<std::int64_t>& shape) {
  std::string text;
  for (const std::int64_t size : shape) text += (text.empty() ? "(" : ", ") + std::to_string(size);
  return text + ")";
}

/// The last column is the class; the others are the features, seen as `shape` if one is given.
DatasetPointer open_csv(const Config& config, const std::string& key, const DataConfig& c) {
  const Tensor table = read_csv(c.path);
  const std::int64_t n = table.size(0), features = table.size(1) - 1;
  check(features >= 1, ErrorKind::corrupt, c.path.native(),
        ": one column; expected features and a class");
  Shape shape = {features};
  if (!c.shape.empty()) {
    // Divided rather than multiplied: a product of large sizes would overflow.
    std::int64_t left = features;
    for (const std::int64_t size : c.shape) left = left % size == 0 ? left / size : 0;
    if (left != 1 || c.shape.size() >= Shape::max_dims) {
      config.fail(key + ".shape", dims(c.shape) + " does not fit the " + std::to_string(features) +
                                      " features of " + c.path.native());
    }
    shape = Shape(c.shape);
  }
  Shape all = shape;
  all.insert(0, n);
  const Tensor x = as_contiguous(views::slice(table, 1, 0, features, 1)).reshape(all);
  const Tensor y = class_indices(c.path, as_contiguous(views::select(table, 1, features)));
  const Scaling s = fold(config, key, c.transforms, 1);
  return std::make_shared<TensorDataset>(
      std::vector<TensorDataset::Column>{{{"x", shape, Dtype::f32}, x, s.scale, s.shift},
                                         {{"y", {}, Dtype::i64}, y}},
      count_classes(y));
}

/// What the file's name says where the configuration does not.
std::string format_of(const DataConfig& c) {
  if (!c.format.empty()) return c.format;
  fs::path path = c.path.filename();
  if (path.extension() == ".gz") path = path.stem();
  if (path.extension() == ".csv") return "csv";
  return path.native().find("idx") != std::string::npos ? "idx" : path.extension().native();
}

/// (N) samples of any form with as many numbers as `sample` has, seen as (N, sample ...).
Tensor as_samples(const std::filesystem::path& path, const Tensor& data, const Shape& sample) {
  Shape all = sample;
  all.insert(0, data.size(0));
  check(data.numel() == all.numel(), ErrorKind::argument, path.native(), ": samples of shape ",
        data.shape(), " do not fit a model of ", sample);
  return as_contiguous(data).reshape(all);
}

/// A dataset with nothing to read is most often a mistyped name: --set data.trian.batch_size=8.
[[noreturn]] void fail_without_path(const Config& config, const std::string& name) {
  std::vector<std::string> others;
  for (const auto& [other, c] : config.data)
    if (!c.path.empty() || !c.from.empty()) others.push_back(other);
  const std::string near = nearest(name, others);
  config.fail("data." + name, "needs path (a file) or from (another dataset)" +
                                  (near.empty() ? "" : "; did you mean \"data." + near + "\"?"));
}

}  // namespace

DatasetPointer open_inputs(const Config& config, const std::string& like, const fs::path& file,
                           const Shape& sample) {
  DataConfig c = config.data.at(like);
  const std::string known = c.from.empty() ? like : c.from;
  if (!c.from.empty()) c = config.data.at(c.from);
  c.path = file;
  c.format.clear();  // by the new file's own name
  const std::string format = format_of(c);
  Tensor data;
  if (format == "csv") {
    data = read_csv(file);
    if (data.size(1) == sample.numel() + 1)
      data = as_contiguous(views::slice(data, 1, 0, sample.numel(), 1));
  } else if (format == "idx") {
    data = read_idx(file);
  } else {
    check(false, ErrorKind::argument, file.native(), ": expected a .csv or an IDX file");
  }
  const Scaling s = fold(config, "data." + known, c.transforms, format == "idx" ? 1.0 / 255 : 1.0);
  std::vector<TensorDataset::Column> columns(1);
  columns[0].field = {"x", sample, Dtype::f32};
  columns[0].data = as_samples(file, data, sample);
  columns[0].scale = s.scale;
  columns[0].shift = s.shift;
  return std::make_shared<TensorDataset>(std::move(columns));
}

std::map<std::string, DatasetPointer> open_datasets(const Config& config) {
  std::map<std::string, DatasetPointer> sets;
  for (const auto& [name, c] : config.data) {
    if (name.starts_with("_") || !c.from.empty()) continue;
    const std::string key = "data." + name;
    if (c.path.empty()) fail_without_path(config, name);
    const std::string format = format_of(c);
    if (format == "idx")
      sets[name] = open_idx(config, key, c);
    else if (format == "csv")
      sets[name] = open_csv(config, key, c);
    else
      config.fail(key + ".format",
                  c.format.empty()
                      ? "the name of " + c.path.native() + " does not say: set idx or csv"
                      : "unknown format \"" + format + "\"; there are: idx, csv");
  }
  // Splits: what is left stays under the old name, the part goes to the new one.
  for (const auto& [name, c] : config.data) {
    if (name.starts_with("_") || c.from.empty()) continue;
    const auto base = sets.find(c.from);
    if (base == sets.end()) {
      config.fail("data." + name + ".from",
                  "dataset \"" + c.from + "\" is not opened (its name begins with _)");
    }
    const std::int64_t n = base->second->size();
    const auto taken = static_cast<std::int64_t>(static_cast<double>(n) * c.fraction + 0.5);
    if (taken < 1 || taken >= n) {
      config.fail("data." + name + ".fraction", "takes " + std::to_string(taken) + " of the " +
                                                    std::to_string(n) + " samples of \"" + c.from +
                                                    "\"; both sides need at least one");
    }
    auto [rest, part] =
        split(base->second, c.fraction, static_cast<std::uint64_t>(config.run.seed));
    base->second = rest;
    sets[name] = part;
  }
  return sets;
}

}  // namespace gradus::trainer
