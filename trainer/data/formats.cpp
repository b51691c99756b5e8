// One data set from the files of its format: fields "x", and "y" where there are targets.
#include <algorithm>
#include <cmath>

#include "gradus/kernels/create.h"
#include "gradus/tensor/safetensors.h"
#include "gradus/tensor/views.h"
#include "gradus/trainer/data/inflate.h"
#include "gradus/trainer/data/readers.h"
#include "gradus/trainer/data/tokens.h"

namespace gradus::trainer {
namespace {

namespace fs = std::filesystem;
using Column = TensorDataset::Column;

struct Source {
  const Config& config;
  std::string key;  // "data.train"
  const DataConfig& c;
  const std::string& alphabet;
  [[noreturn]] void fail(const std::string& part, const std::string& text) const {
    config.fail(part.empty() ? key : key + "." + part, text);
  }
};

/// How many classes the labels (N) i64 name: indices from 0.
std::int64_t count_classes(const Tensor& labels) {
  std::int64_t largest = -1;
  for (std::int64_t i = 0; i < labels.numel(); ++i)
    largest = std::max(largest, labels.data<std::int64_t>()[i]);
  return largest + 1;
}

/// One column of a table (N) f32 as class indices (N) i64.
Tensor class_indices(const std::string& path, const Tensor& column) {
  for (std::int64_t i = 0; i < column.numel(); ++i) {
    const float v = column.data<float>()[i];
    check(v >= 0 && v < 1e6f && v == std::floor(v), ErrorKind::corrupt, path, ": row ", i + 1,
          ": the last column is ", double{v}, ", expected a class: 0, 1, 2 ...");
  }
  return as_dtype(column, Dtype::i64);
}

Shape sample_shape(const Tensor& data) {
  Shape shape = data.shape();
  shape.erase(0);
  return shape;
}

/// (N, ...) as the field "x": numbers are handed out as f32, bytes as value / 255.
Column inputs(const Tensor& data) {
  return {{"x", sample_shape(data), Dtype::f32},
          as_contiguous(data),
          data.dtype() == Dtype::u8 ? 1.0 / 255 : 1.0,
          0};
}

/// (N) integers are classes, anything else is a target of numbers.
Column targets(const std::string& path, const Tensor& data, std::int64_t samples) {
  check(data.dim() >= 1 && data.size(0) == samples, ErrorKind::corrupt, path, ": labels of shape ",
        data.shape(), " for ", samples, " samples");
  if (data.is_floating()) return {{"y", sample_shape(data), Dtype::f32}, as_contiguous(data)};
  const Tensor y = as_dtype(data, Dtype::i64);
  for (std::int64_t i = 0; i < y.numel(); ++i)
    check(y.data<std::int64_t>()[i] >= 0, ErrorKind::corrupt, path, ": label ", i, " is ",
          y.data<std::int64_t>()[i]);
  return {{"y", sample_shape(y), Dtype::i64}, as_contiguous(y)};
}

DatasetPointer in_memory(std::vector<Column> columns) {
  std::int64_t classes = 0;
  for (const Column& c : columns)
    if (c.field.name == "y" && c.field.dtype == Dtype::i64 && c.field.shape.empty())
      classes = count_classes(c.data);
  return std::make_shared<TensorDataset>(std::move(columns), classes);
}

DatasetPointer open_idx(const Source& s) {
  if (s.c.labels.empty())
    s.fail("", "format \"idx\" needs labels: the file with the class of each image");
  Tensor images = read_idx(s.c.path);
  const Tensor raw = read_idx(s.c.labels);
  check(raw.dim() == 1 && raw.size(0) == images.size(0), ErrorKind::corrupt, s.c.labels,
        ": labels of shape ", raw.shape(), " do not fit images of shape ", images.shape(), " in ",
        s.c.path);
  check(images.numel() > 0, ErrorKind::corrupt, s.c.path, ": no samples: images of shape ",
        images.shape());
  if (images.dim() == 3)  // one channel: (N, H, W) -> (N, 1, H, W)
    images = images.reshape({images.size(0), 1, images.size(1), images.size(2)});
  else if (images.dim() == 1)  // one number a sample
    images = images.reshape({images.size(0), 1});
  return in_memory({inputs(images), targets(s.c.labels, raw, images.size(0))});
}

std::string dims(const std::vector<std::int64_t>& shape) {
  std::string text;
  for (const std::int64_t size : shape) text += (text.empty() ? "(" : ", ") + std::to_string(size);
  return text + ")";
}

/// The last column is the class; the others are the features, seen as `shape` if one is given.
DatasetPointer open_csv(const Source& s) {
  const Tensor table = read_csv(s.c.path);
  const std::int64_t n = table.size(0), features = table.size(1) - 1;
  check(features >= 1, ErrorKind::corrupt, s.c.path, ": one column; expected features and a class");
  Shape all = {n, features};
  if (!s.c.shape.empty()) {
    // Divided rather than multiplied: a product of large sizes would overflow.
    std::int64_t left = features;
    for (const std::int64_t size : s.c.shape) left = left % size == 0 ? left / size : 0;
    if (left != 1 || s.c.shape.size() >= Shape::max_dims) {
      s.fail("shape", dims(s.c.shape) + " does not fit the " + std::to_string(features) +
                          " features of " + s.c.path);
    }
    all = Shape(s.c.shape);
    all.insert(0, n);
  }
  const Tensor x = as_contiguous(views::slice(table, 1, 0, features, 1)).reshape(all);
  const Tensor y = class_indices(s.c.path, as_contiguous(views::select(table, 1, features)));
  return in_memory({inputs(x), {{"y", {}, Dtype::i64}, y}});
}

DatasetPointer open_npy(const Source& s) {
  const Tensor x = read_npy(s.c.path);
  check(x.dim() >= 1 && x.numel() > 0, ErrorKind::corrupt, s.c.path,
        ": expected samples (N, ...), got shape ", x.shape());
  std::vector<Column> columns = {inputs(x)};
  if (!s.c.labels.empty()) columns.push_back(targets(s.c.labels, read_npy(s.c.labels), x.size(0)));
  return in_memory(std::move(columns));
}

DatasetPointer open_raw(const Source& s) {
  if (s.c.shape.empty() || s.c.shape.size() >= Shape::max_dims)
    s.fail("shape", "format \"raw\" needs the shape of one sample, of 1 to 7 sizes");
  Dtype dtype = Dtype::f32;
  for (const Dtype d :
       {Dtype::f32, Dtype::f64, Dtype::f16, Dtype::bf16, Dtype::i32, Dtype::i64, Dtype::u8})
    if (to_string(d) == s.c.dtype) dtype = d;
  const Tensor x = read_raw(s.c.path, dtype, Shape(s.c.shape));
  std::vector<Column> columns = {inputs(x)};
  if (!s.c.labels.empty())
    columns.push_back(targets(s.c.labels, read_raw(s.c.labels, Dtype::i64, {}), x.size(0)));
  return in_memory(std::move(columns));
}

DatasetPointer open_cifar(const Source& s) {
  const bool test = s.key.ends_with(".test");
  const bool hundred = format_of(s.c) == "cifar100";
  const std::string prefix = hundred ? (test ? "test" : "train") : test ? "test" : "data";
  const Cifar data = read_cifar(s.c.path, hundred, prefix);
  return std::make_shared<TensorDataset>(
      std::vector<Column>{inputs(data.images), {{"y", {}, Dtype::i64}, data.labels}},
      hundred ? 100 : 10);
}

DatasetPointer open_text(const Source& s) {
  const std::string text = read_all(s.c.path);
  check(!text.empty(), ErrorKind::corrupt, s.c.path, ": an empty text");
  const Alphabet alphabet = s.alphabet.empty() ? Alphabet::of(text) : Alphabet(s.alphabet);
  const std::int64_t stride = s.c.stride > 0 ? s.c.stride : s.c.length;
  if (static_cast<std::int64_t>(text.size()) <= s.c.length)
    s.fail("length", std::to_string(s.c.length) + " tokens are more than the " +
                         std::to_string(text.size()) + " bytes of " + s.c.path);
  return std::make_shared<TokenDataset>(alphabet.encode(text, s.c.path), s.c.length, stride,
                                        alphabet.size(), alphabet);
}

DatasetPointer open_tokens(const Source& s) {
  const TokenFile file = read_token_bin(s.c.path);
  const std::int64_t stride = s.c.stride > 0 ? s.c.stride : s.c.length;
  if (file.tokens.numel() <= s.c.length)
    s.fail("length", std::to_string(s.c.length) + " tokens are more than the " +
                         std::to_string(file.tokens.numel()) + " of " + s.c.path);
  return std::make_shared<TokenDataset>(file.tokens, s.c.length, stride, file.vocabulary);
}

DatasetPointer open_images(const Source& s) {
  if (!s.c.shape.empty() && (s.c.shape.size() != 3 || (s.c.shape[0] != 1 && s.c.shape[0] != 3)))
    s.fail("shape", "images are (C, H, W) with 1 or 3 channels, got " + dims(s.c.shape));
  return open_image_folder(s.c.path, s.c.shape.empty() ? Shape{} : Shape(s.c.shape));
}

/// Every tensor is a field; the first sizes are the samples. "x" is there, "y" may be.
DatasetPointer open_safetensors(const Source& s) {
  const TensorMap tensors = load_safetensors(s.c.path);
  const auto x = tensors.find("x");
  check(x != tensors.end() && x->second.dim() >= 1 && x->second.numel() > 0, ErrorKind::corrupt,
        s.c.path, ": expected a tensor \"x\" of samples (N, ...)");
  const std::int64_t n = x->second.size(0);
  std::vector<Column> columns = {inputs(x->second)};
  for (const auto& [name, tensor] : tensors) {
    if (name == "x") continue;
    Column column = targets(s.c.path, tensor, n);
    column.field.name = name;
    columns.push_back(std::move(column));
  }
  return in_memory(std::move(columns));
}

/// The variables as channels, the first dimension as samples: "x" (variables, rest ...).
DatasetPointer open_netcdf(const Source& s) {
  const std::vector<NetcdfVariable> all = read_netcdf(s.c.path);
  const auto named = [&](const std::string& name) {
    for (const NetcdfVariable& v : all)
      if (v.name == name) return v;
    std::string names;
    for (const NetcdfVariable& v : all) names += (names.empty() ? "" : ", ") + v.name;
    s.fail("variables", "no variable \"" + name + "\"; there are: " + names);
  };
  std::vector<NetcdfVariable> chosen;
  for (const std::string& name : s.c.variables) chosen.push_back(named(name));
  if (s.c.variables.empty()) {  // those of the form of the first one with more than one dimension
    for (const NetcdfVariable& v : all)
      if (v.data.dim() >= 2 && (chosen.empty() || v.dimensions == chosen[0].dimensions))
        chosen.push_back(v);
  }
  check(!chosen.empty() && chosen[0].data.dim() >= 1 && chosen[0].data.numel() > 0,
        ErrorKind::corrupt, s.c.path, ": no variable with samples (N, ...)");
  Shape shape = chosen[0].data.shape();
  check(shape.size() < Shape::max_dims, ErrorKind::unsupported, s.c.path,
        ": variables of 8 dimensions");
  shape.insert(1, static_cast<std::int64_t>(chosen.size()));
  const Tensor x = empty(shape);  // (N, V, rest ...) f32
  for (std::size_t v = 0; v < chosen.size(); ++v) {
    if (chosen[v].data.shape() != chosen[0].data.shape())
      s.fail("variables", chosen[v].name + " has shape " + to_string(chosen[v].data.shape()) +
                              ", " + chosen[0].name + " has " + to_string(chosen[0].data.shape()));
    copy_into(chosen[v].data, views::select(x, 1, static_cast<std::int64_t>(v)));
  }
  return in_memory({inputs(x)});
}

struct Format {
  const char* name;
  DatasetPointer (*open)(const Source&);
};
constexpr Format formats[] = {
    {"idx", open_idx},
    {"cifar10", open_cifar},
    {"cifar100", open_cifar},
    {"csv", open_csv},
    {"npy", open_npy},
    {"raw", open_raw},
    {"text", open_text},
    {"tokens", open_tokens},
    {"images", open_images},
    {"netcdf", open_netcdf},
    {"safetensors", open_safetensors},
};

}  // namespace

std::string format_of(const DataConfig& c) {
  if (!c.format.empty()) return c.format;
  std::error_code ignored;
  if (fs::is_directory(c.path, ignored)) return "images";
  fs::path path = fs::path(c.path).filename();
  if (path.extension() == ".gz") path = path.stem();
  const std::string ending = path.extension().string();
  if (ending == ".csv" || ending == ".npy" || ending == ".safetensors") return ending.substr(1);
  if (ending == ".txt") return "text";
  if (ending == ".nc" || ending == ".cdf") return "netcdf";
  return path.native().find("idx") != std::string::npos ? "idx" : "";
}

DatasetPointer open_format(const Config& config, const std::string& key, const DataConfig& c,
                           const std::string& alphabet) {
  const std::string format = format_of(c);
  std::string names;
  for (const Format& f : formats) {
    if (format == f.name) return f.open(Source{config, key, c, alphabet});
    names += (names.empty() ? "" : ", ") + std::string(f.name);
  }
  config.fail(key + ".format", c.format.empty()
                                   ? "the name of " + c.path + " does not say; set one of: " + names
                                   : "unknown format \"" + format + "\"; there are: " + names);
}

}  // namespace gradus::trainer
