// A data set: a number of samples, each a list of named fields.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "gradus/trainer/data/batch.h"

namespace gradus::trainer {

/// What one field of a sample looks like (without the batch dimension).
struct Field {
  std::string name;
  Shape shape;
  Dtype dtype = Dtype::f32;
};

/// Derive from it to bring your own data: fields(), size() and get() are enough.
/// get() is called from loader threads, several at once: it must not change the object.
class Dataset {
 public:
  virtual ~Dataset() = default;
  virtual std::int64_t size() const = 0;
  virtual std::vector<Field> fields() const = 0;
  /// Sample `index` (0 <= index < size()): one tensor a field, of the field's shape and dtype, on
  /// the CPU.
  virtual std::vector<Tensor> get(std::int64_t index) const = 0;
  /// Fills a batch whose tensors are (rows.size(), field shape ...). The default calls get() and
  /// copies.
  virtual void fill(std::span<const std::int64_t> rows, Batch& batch) const;
  /// For classification: number of classes, or 0 where that has no meaning.
  virtual std::int64_t classes() const { return 0; }
  /// For a text: the bytes its tokens stand for; empty where tokens stand for none.
  virtual std::string alphabet() const { return {}; }
};
using DatasetPointer = std::shared_ptr<const Dataset>;

/// Gives a batch of batch.size samples tensors of these fields. Their memory is used again, unless
/// the shape changed or somebody kept the last batch.
void allocate(const std::vector<Field>& fields, Batch& batch);
/// Copies a sample, as get() gives it, to row i of a batch; batch.rows[i] names it in errors.
void put_sample(const std::vector<Tensor>& sample, std::int64_t i, const Batch& batch);

/// All samples in memory: one tensor a field, first dimension the samples. u8 fields may be handed
/// out as f32, scaled: value * scale + shift.
class TensorDataset final : public Dataset {
 public:
  struct Column {
    Field field;  // as handed out
    Tensor data;  // (size, field shape ...), row-major, any dtype that converts exactly
    double scale = 1, shift = 0;
  };
  explicit TensorDataset(std::vector<Column> columns, std::int64_t classes = 0);
  /// The same memory with "x" handed out as (x - mean) / std.
  std::shared_ptr<TensorDataset> normalized(double mean, double std) const;
  std::int64_t size() const override { return size_; }
  std::vector<Field> fields() const override;
  std::vector<Tensor> get(std::int64_t index) const override;
  void fill(std::span<const std::int64_t> rows, Batch& batch) const override;
  std::int64_t classes() const override { return classes_; }
  const std::vector<Column>& columns() const { return columns_; }

 private:
  std::vector<Column> columns_;
  std::int64_t size_ = 0, classes_ = 0;
};

/// Some samples of another data set (a validation split).
class Subset final : public Dataset {
 public:
  Subset(DatasetPointer base, std::vector<std::int64_t> indices);
  std::int64_t size() const override { return static_cast<std::int64_t>(indices_.size()); }
  std::vector<Field> fields() const override { return base_->fields(); }
  std::vector<Tensor> get(std::int64_t index) const override;
  void fill(std::span<const std::int64_t> rows, Batch& batch) const override;
  std::int64_t classes() const override { return base_->classes(); }
  std::string alphabet() const override { return base_->alphabet(); }
  const DatasetPointer& base() const { return base_; }
  const std::vector<std::int64_t>& indices() const { return indices_; }

 private:
  DatasetPointer base_;
  std::vector<std::int64_t> indices_;
};

/// Splits by seed into two disjoint sets: {the rest, `part` of the samples}.
std::pair<DatasetPointer, DatasetPointer> split(DatasetPointer base, std::int64_t part,
                                                std::uint64_t seed);

}  // namespace gradus::trainer
