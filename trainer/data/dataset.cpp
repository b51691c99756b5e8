#include "gradus/trainer/data/dataset.h"

#include <algorithm>
#include <cstring>

#include "gradus/kernels/create.h"
#include "gradus/tensor/views.h"
#include "gradus/trainer/data/permutation.h"

namespace gradus::trainer {
namespace {

/// to[i] = from[i] * scale + shift for one row.
void convert_row(const void* from, Dtype from_dtype, void* to, Dtype to_dtype, std::int64_t n,
                 double scale, double shift) {
  if (from_dtype == to_dtype && scale == 1 && shift == 0) {
    std::memcpy(to, from, static_cast<std::size_t>(n) * size_of(to_dtype));
    return;
  }
  const auto s = static_cast<float>(scale), b = static_cast<float>(shift);
  visit(to_dtype, [&]<class To> {
    visit(from_dtype, [&]<class From> {
      const From* x = static_cast<const From*>(from);
      To* y = static_cast<To*>(to);
      if constexpr (std::is_same_v<To, float>) {
        for (std::int64_t i = 0; i < n; ++i) y[i] = float(compute_t<From>(x[i])) * s + b;
      } else {
        for (std::int64_t i = 0; i < n; ++i) y[i] = To(compute_t<To>(compute_t<From>(x[i])));
      }
    });
  });
}

}  // namespace

void allocate(const std::vector<Field>& fields, Batch& batch) {
  batch.fields.resize(fields.size());
  for (std::size_t k = 0; k < fields.size(); ++k) {
    Shape shape = fields[k].shape;
    shape.insert(0, batch.size);
    auto& [name, tensor] = batch.fields[k];
    name = fields[k].name;
    if (!tensor || !tensor.is_sole_owner() || tensor.shape() != shape)
      tensor = empty(shape, {fields[k].dtype});
  }
}

void put_sample(const std::vector<Tensor>& sample, std::int64_t i, const Batch& batch) {
  const std::int64_t row = batch.rows[static_cast<std::size_t>(i)];
  check(sample.size() == batch.fields.size(), ErrorKind::argument, "dataset: sample ", row, " has ",
        sample.size(), " fields, expected ", batch.fields.size());
  for (std::size_t k = 0; k < sample.size(); ++k) {
    const Tensor to = views::select(batch.fields[k].second, 0, i);
    check(sample[k].shape() == to.shape(), ErrorKind::shape, "dataset: field \"",
          batch.fields[k].first, "\" of sample ", row, " has shape ", sample[k].shape(),
          ", expected ", to.shape());
    copy_into(sample[k], to);
  }
}

void Dataset::fill(std::span<const std::int64_t> rows, Batch& batch) const {
  for (std::size_t i = 0; i < rows.size(); ++i) {
    std::vector<Tensor> sample;
    try {
      sample = get(rows[i]);
    } catch (const FileError&) {
      throw;  // names the file, and whose fault it is
    } catch (const Error& error) {
      raise(error.kind(), {"sample ", rows[i], " of the data set: ", error.what()});
    } catch (const std::exception& error) {
      raise(ErrorKind::io, {"sample ", rows[i], " of the data set: ", error.what()});
    }
    batch.rows.resize(rows.size());
    batch.rows[i] = rows[i];
    put_sample(sample, static_cast<std::int64_t>(i), batch);
  }
}

TensorDataset::TensorDataset(std::vector<Column> columns, std::int64_t classes)
    : columns_(std::move(columns)), classes_(classes) {
  check(!columns_.empty(), ErrorKind::argument, "TensorDataset: no columns");
  size_ = columns_[0].data.size(0);
  for (const Column& c : columns_) {
    Shape expected = c.field.shape;
    expected.insert(0, size_);
    check(c.data.shape() == expected && c.data.is_contiguous() && c.data.device().is_cpu(),
          ErrorKind::shape, "TensorDataset: column \"", c.field.name, "\" has shape ",
          c.data.shape(), ", expected row-major ", expected, " on the cpu");
  }
}

std::shared_ptr<TensorDataset> TensorDataset::normalized(double mean, double std) const {
  std::vector<Column> columns = columns_;
  for (Column& c : columns) {
    if (c.field.name != "x") continue;
    c.shift = (c.shift - mean) / std;
    c.scale /= std;
  }
  return std::make_shared<TensorDataset>(std::move(columns), classes_);
}

std::vector<Field> TensorDataset::fields() const {
  std::vector<Field> fields;
  for (const Column& c : columns_) fields.push_back(c.field);
  return fields;
}

std::vector<Tensor> TensorDataset::get(std::int64_t index) const {
  Batch one;
  for (const Column& c : columns_) {
    Shape shape = c.field.shape;
    shape.insert(0, 1);
    one.fields.emplace_back(c.field.name, empty(shape, {c.field.dtype}));
  }
  fill(std::span(&index, 1), one);
  std::vector<Tensor> sample;
  for (const auto& [name, tensor] : one.fields) sample.push_back(views::select(tensor, 0, 0));
  return sample;
}

void TensorDataset::fill(std::span<const std::int64_t> rows, Batch& batch) const {
  for (std::size_t k = 0; k < columns_.size(); ++k) {
    const Column& c = columns_[k];
    const std::int64_t n = c.field.shape.numel();
    const std::size_t from_bytes = static_cast<std::size_t>(n) * size_of(c.data.dtype());
    const std::size_t to_bytes = static_cast<std::size_t>(n) * size_of(c.field.dtype);
    const char* from = static_cast<const char*>(c.data.data());
    char* to = static_cast<char*>(batch.fields[k].second.data());
    for (std::int64_t row : rows) {
      check(row >= 0 && row < size_, ErrorKind::argument, "dataset: row ", row, " of ", size_);
      convert_row(from + static_cast<std::size_t>(row) * from_bytes, c.data.dtype(), to,
                  c.field.dtype, n, c.scale, c.shift);
      to += to_bytes;
    }
  }
}

Subset::Subset(DatasetPointer base, std::vector<std::int64_t> indices)
    : base_(std::move(base)), indices_(std::move(indices)) {}

std::vector<Tensor> Subset::get(std::int64_t index) const {
  return base_->get(indices_[static_cast<std::size_t>(index)]);
}

void Subset::fill(std::span<const std::int64_t> rows, Batch& batch) const {
  std::vector<std::int64_t> mapped(rows.size());
  std::transform(rows.begin(), rows.end(), mapped.begin(),
                 [&](std::int64_t r) { return indices_[static_cast<std::size_t>(r)]; });
  base_->fill(mapped, batch);
}

std::pair<DatasetPointer, DatasetPointer> split(DatasetPointer base, std::int64_t part,
                                                std::uint64_t seed) {
  const std::int64_t n = base->size();
  check(part > 0 && part < n, ErrorKind::argument, "split: ", part, " of ", n,
        " samples leave one side empty");
  const Permutation order(n, seed ^ 0x73706c6974u, 0);  // a stream of its own: "split"
  std::vector<std::int64_t> rest, taken;
  for (std::int64_t i = 0; i < n; ++i) (i < part ? taken : rest).push_back(order[i]);
  std::sort(taken.begin(), taken.end());  // reading in file order is kinder to caches
  std::sort(rest.begin(), rest.end());
  return {std::make_shared<Subset>(base, std::move(rest)),
          std::make_shared<Subset>(base, std::move(taken))};
}

}  // namespace gradus::trainer
